"""Instants as foreign systems want them: Unix time, or a pattern such as `YYYY-MM-DD HH:MM:SS` in local time.

In a pattern stand YYYY YY MM DD HH SS, mmm (milliseconds) and ZZ (the offset, `+02:00`); an MM behind an HH means
minutes. Everything else but letters stands for itself, and so does a T.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from wattbook.model.batch import from_ms

Written = Callable[[Sequence[int]], list[object]]  # milliseconds since 1970 UTC -> what is sent

_PIECES = re.compile(r"YYYY|YY|MM|DD|HH|SS|mmm|ZZ|T|[A-Za-z]+|[^A-Za-z]+")
_CODES = {"YYYY": "%Y", "YY": "%y", "DD": "%d", "HH": "%H", "SS": "%S", "T": "T"}
LOCAL = "YYYY-MM-DD HH:MM:SS"


_DAY_MS, _MINUTE_MS = 86_400_000, 60_000
_MINUTES = tuple(f"T{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))


def iso(at_ms: Sequence[int]) -> list[object]:
    """`2026-11-21T01:02:03.000Z`. In the key of every reading, so not by way of a datetime: 1.1 instead of 2.6 µs."""
    days: dict[int, str] = {}
    found: list[object] = []
    for each in at_ms:
        day, rest = divmod(each, _DAY_MS)
        if day not in days:
            days[day] = from_ms(day * _DAY_MS).date().isoformat()
        minute, rest = divmod(rest, _MINUTE_MS)
        found.append(f"{days[day]}{_MINUTES[minute]}{rest // 1000:02d}.{rest % 1000:03d}Z")
    return found


def parse_instant_form(form: str, zone: ZoneInfo) -> Written:
    """Understand `iso`, `epoch` (seconds), `epoch_ms`, `epoch_ns`, `local`, or a pattern, which is of local time.

    A pattern behind `utc ` is of UTC. `instant` gives aware datetimes in UTC, `clock` local ones without a zone, for
    libraries that want them. Raises ValueError.
    """
    match form:
        case "" | "iso":
            return iso
        case "epoch":
            return lambda at_ms: [each / 1000 for each in at_ms]
        case "epoch_ms":
            return lambda at_ms: list(at_ms)
        case "epoch_ns":
            return lambda at_ms: [each * 1_000_000 for each in at_ms]
        case "instant":
            return lambda at_ms: [from_ms(each) for each in at_ms]
        case "clock":
            return lambda at_ms: [from_ms(each).astimezone(zone).replace(tzinfo=None) for each in at_ms]
        case "local":
            form = LOCAL
        case _:
            pass
    if form.startswith("utc "):
        return _pattern(form.removeprefix("utc "), ZoneInfo("UTC"))
    return _pattern(form, zone)


def _pattern(form: str, zone: ZoneInfo) -> Written:
    code = ""
    before = ""
    pieces = _PIECES.findall(form)
    for piece in pieces:
        if piece == "MM":
            code += "%M" if before == "HH" else "%m"
        elif piece in _CODES:
            code += _CODES[piece]
        elif piece == "mmm":
            code += "\ue000"
        elif piece == "ZZ":
            code += "\ue001"
        elif piece[0].isalpha():
            raise ValueError(f'"{form}" is no form of an instant: "{piece}" is none of YYYY YY MM DD HH SS mmm ZZ')
        else:
            code += piece.replace("%", "%%")
        if piece[0].isalpha():
            before = piece
    if not ({"MM", *_CODES} - {"T"}).intersection(pieces):
        raise ValueError(f'"{form}" is no form of an instant; one is "{LOCAL}", "iso" or "epoch"')

    def write(at_ms: Sequence[int]) -> list[object]:
        return [_written(from_ms(each).astimezone(zone), code) for each in at_ms]

    return write


def _written(local: datetime, code: str) -> str:
    text = local.strftime(code)
    if "\ue000" in text:
        text = text.replace("\ue000", f"{local.microsecond // 1000:03d}")
    return text.replace("\ue001", local.isoformat()[-6:]) if "\ue001" in text else text
