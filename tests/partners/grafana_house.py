"""A house of six weeks, its readings known to the test, and what Grafana would ask and get."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from wattbook.model import Batch, Columns
from wattbook.model.batch import GOOD_CODE, to_ms

PRAGUE = ZoneInfo("Europe/Prague")
UTC = ZoneInfo("UTC")
NOW = datetime(2026, 11, 10, 15, 20, tzinfo=PRAGUE)  # clocks went back on 25 October
BEGIN = datetime(2026, 9, 29, 0, 5, tzinfo=PRAGUE)
PERIOD = timedelta(minutes=10)  # at 5, 15, 25 … past: never at the edge of an hour
GAP = (datetime(2026, 11, 3, 9, 0, tzinfo=PRAGUE), datetime(2026, 11, 3, 12, 30, tzinfo=PRAGUE))
PLACES = {"main-a": "house/panel", "main-b": "house/panel", "office": "office", "utility": "house/entry"}
SINGLE = ("main-a", "main-b")

TOML = """
[site]
name = "Tom's house"
timezone = "Europe/Prague"

[[line]]
name = "rs485"
port = "/dev/ttyUSB0"

[[line]]
name = "optical"
port = "/dev/ttyUSB1"

[[meter]]
name = "main-a"
location = "house/panel"
line = "rs485"
model = "pzem-016"
address = 4
every = "10min"

[[meter]]
name = "main-b"
location = "house/panel"
line = "rs485"
model = "pzem-016"
address = 5
every = "10min"

[[meter]]
name = "office"
location = "office"
line = "rs485"
model = "rx380"
address = 6
every = "10min"

[[meter]]
name = "utility"
location = "house/entry"
line = "optical"
model = "zpa-two-tariff"
"""


@cache
def instants(meter: str) -> list[datetime]:
    """When a meter was read, in UTC."""
    count = (NOW - BEGIN.astimezone(UTC)) // PERIOD + 1
    every = [BEGIN.astimezone(UTC) + number * PERIOD for number in range(count)]
    return [at for at in every if meter != "main-a" or not GAP[0] <= at < GAP[1]]


def power(meter: str, at: datetime) -> float:
    """W: another for each hour of the week and each meter."""
    local = at.astimezone(PRAGUE)
    return 100.0 * (list(PLACES).index(meter) + 1) + 10.0 * local.hour + local.weekday()


@cache
def registers(meter: str) -> Mapping[datetime, float]:
    """Wh: what the power of each period adds up to, through the gap too."""
    every = [BEGIN.astimezone(UTC) + number * PERIOD for number in range((NOW - BEGIN.astimezone(UTC)) // PERIOD + 1)]
    found, total = {}, 1000.0
    for at in every:
        found[at] = total
        total += power(meter, at)
    kept = set(instants(meter))
    return {at: value for at, value in found.items() if at in kept}


@cache
def _registers(meter: str) -> tuple[list[datetime], list[float]]:
    known = registers(meter)
    return list(known), list(known.values())


def columns(meter: str, site: str) -> Columns:
    """All readings of a meter."""
    when, energy = instants(meter), registers(meter)
    told: dict[str, Sequence[float]] = {"active_energy_import": list(energy.values())}
    watts = [power(meter, at) for at in when]
    if meter in SINGLE:
        told |= {"active_power": watts, "voltage": [230.0] * len(when), "current": [each / 230 for each in watts]}
        told |= {"power_factor": [1.0] * len(when), "frequency": [50.0] * len(when)}
    if meter == "office":
        told |= {"active_power": watts, "power_factor": [0.9] * len(when), "frequency": [50.0] * len(when)}
        for number in (1, 2, 3):
            told |= {
                f"voltage_l{number}": [230.0 + number] * len(when),
                f"current_l{number}": [float(number)] * len(when),
            }
    return Columns(
        site,
        meter,
        array("q", map(to_ms, when)),
        array("q", range(len(when))),
        {name: array("d", cells) for name, cells in told.items()},
        array("B", [GOOD_CODE] * len(when)),
    )


def batches(site: str, size: int = 2000, last: int | None = None) -> list[Batch]:
    """Everything, or the last rows of each meter, as the journal gives it."""
    found = []
    for meter in PLACES:
        every = columns(meter, site)
        every = every.cut(slice(-last, None)) if last else every
        found += [Batch((every.cut(slice(at, at + size)),), (), str(at)) for at in range(0, len(every), size)]
    return found


def used(meter: str, start: datetime, end: datetime, *, whole_steps: timedelta | None = None) -> float:
    """kWh between two instants: the last reading at or before each; before the first one, that.

    `whole_steps`: what has no step before it is not counted, as InfluxDB does.
    """
    when, values = _registers(meter)
    if whole_steps is not None:
        first = when[0].astimezone(PRAGUE).replace(hour=0, minute=0, second=0, microsecond=0) + whole_steps
        start = max(start, first)

    def register(at: datetime) -> float:
        return values[max(0, bisect_right(when, at) - 1)]

    return max(0.0, register(end) - register(start)) / 1000


def local_steps(start: datetime, end: datetime, step: str) -> list[tuple[datetime, datetime]]:
    """Hours, days or months of local time from the one that `start` lies in."""
    local = start.astimezone(PRAGUE).replace(minute=0, second=0, microsecond=0)
    edges, at = [], local if step == "hour" else local.replace(hour=0, day=1 if step == "month" else local.day)
    while at < end:
        edges.append(at)
        at = _next(at, step)
    return [(one, min(other, end)) for one, other in zip(edges, [*edges[1:], end], strict=True)]


def _next(at: datetime, step: str) -> datetime:
    if step == "hour":
        return (at.astimezone(UTC) + timedelta(hours=1)).astimezone(PRAGUE)
    if step == "day":
        return at + timedelta(days=1)
    return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)


_MOMENT = re.compile(r"now(?:-(\d+)([smhdwMy]))?(?:/([dwMy]))?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> datetime:
    """An instant as Grafana writes it, seen from NOW: now, now-1h, now/d, now-28d/d."""
    match = _MOMENT.fullmatch(text)
    assert match, text
    at = back(NOW, match[1] + match[2]) if match[1] else NOW
    if match[3] is None:
        return at
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "d": day,
        "w": day - timedelta(days=day.weekday()),
        "M": day.replace(day=1),
        "y": day.replace(day=1, month=1),
    }[match[3]]


def back(at: datetime, span: str) -> datetime:
    """A span earlier on the calendar: "1d", "1M", "1y"."""
    count, unit = int(span[:-1]), span[-1]
    if unit == "y":
        return at.replace(year=at.year - count)
    if unit == "M":
        months = at.year * 12 + at.month - 1 - count
        return at.replace(year=months // 12, month=months % 12 + 1)
    if unit in "dw":
        return at - timedelta(**{_UNITS[unit]: count})
    return (at.astimezone(UTC) - timedelta(**{_UNITS[unit]: count})).astimezone(PRAGUE)


def span_of(panel: Mapping[str, Any], dashboard: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """The time that a panel is about."""
    start, end = moment(panel.get("timeFrom") or dashboard["time"]["from"]), moment(dashboard["time"]["to"])
    shift = panel.get("timeShift")
    return (back(start, shift), back(end, shift)) if shift else (start, end)
