"""Values as people read them in a narrow column, and power as a line of blocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from wattbook.top.trace import Trace

_DECIMALS = {"V": 1, "A": 2, "Hz": 2, "%": 1, "°C": 1, "°": 1, "W": 0, "var": 0, "VA": 0, "1": 2}
_ENERGIES = ("Wh", "varh", "VAh")
_POWERS = ("W", "var", "VA")
_TIMES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_BLOCKS = "▁▂▃▄▅▆▇█"
NOTHING = "–"


def number(value: float, unit: str) -> tuple[str, str]:
    """The number and the unit it stands in: W or kW, always kWh, no unit for ratios."""
    if unit in _ENERGIES:
        return _grouped(value / 1000, 3), f"k{unit}"
    if unit in _POWERS:
        size = abs(value)
        if size >= 999_950:
            return _grouped(value / 1e6, 2), f"M{unit}"
        if size >= 9999.5:
            return _grouped(value / 1000, 2), f"k{unit}"
        return _grouped(value, 1 if size < 100 and unit == "W" else 0), unit
    return _grouped(value, _DECIMALS.get(unit, 2)), "" if unit == "1" else unit


def text(value: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "s":
        return duration(value)
    return " ".join(filter(None, number(value, unit)))


def _grouped(value: float, decimals: int) -> str:
    """With a narrow blank between thousands, as SI writes it; never "-0"."""
    return f"{round(value, decimals) + 0.0:,.{decimals}f}".replace(",", "\u202f")


def length(seconds: float) -> str:
    """A length of time in its largest unit: "3 s", "12 min". Less than nothing is a clock that differs: "0 s"."""
    size, unit = next((each for each in _TIMES if seconds >= each[0]), _TIMES[-1])
    return f"{max(0, int(seconds // size))} {unit}"


def duration(seconds: float) -> str:
    """How long something has run, in its two largest units: "40 min", "5 d 17 h"."""
    place = next((place for place, (size, _) in enumerate(_TIMES) if seconds >= size), len(_TIMES) - 1)
    rest = int(seconds % _TIMES[place][0])
    below = place + 1
    if below == len(_TIMES) or rest < _TIMES[below][0]:
        return length(seconds)
    return f"{length(seconds)} {rest // _TIMES[below][0]} {_TIMES[below][1]}"


def clock(at: datetime, zone: tzinfo, now: datetime, *, seconds: bool = False) -> str:
    """A time of the site's clock, with the date when it is not today's."""
    there = at.astimezone(zone)
    time = f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
    return time if there.date() == now.astimezone(zone).date() else f"{there:%Y-%m-%d} {time}"


def size(count: float) -> str:
    """Bytes: "3.2 GB"."""
    for unit, limit in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f} bytes"


def change(now: float, before: float | None) -> str:
    """How much more or less than before: "+9 %", "-12 %"; "" where that says nothing."""
    if before is None or before <= 0:
        return ""
    percent = round(100 * (now / before - 1))
    return f"{percent:+d} %" if abs(percent) < 1000 else ""


def spark(trace: Trace, width: int, now_s: float, span_s: float) -> str:
    """The last `span_s` seconds in `width` blocks: from nothing (or the least, below it) to the greatest.

    Where nothing is known stands a blank, and the line ends now: what does not move any more walks to the left.
    """
    means = trace.means(width, now_s, span_s)
    known = [mean for mean in means if mean is not None]
    if not known:
        return ""
    low, high = min(0.0, *known), max(0.0, *known)
    return "".join(" " if mean is None else _block(mean - low, high - low) for mean in means)


def _block(value: float, greatest: float) -> str:
    return _BLOCKS[min(len(_BLOCKS) - 1, int(value / greatest * len(_BLOCKS)))] if greatest else _BLOCKS[0]


def columns(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """Rows as lines, each column as wide as its widest; the second is numbers and stands right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))] if rows else []
    return [
        gap.join(
            cell.rjust(width) if place == 1 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
