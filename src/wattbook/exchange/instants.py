"""Texts of foreign files -> instants. Local times are resolved with the zone's clock changes.

A local time in the hour that comes twice is resolved by the order of the rows: when the time of day goes back (or, in
a file that runs backwards, forward) within that hour, the other of the two hours has begun. Rows that begin in it run
as most of the rows that follow. A local time that a clock change left out never was, so its row is bad.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from wattbook.exchange.tally import Tally
from wattbook.model import ConfigError

Instants = NDArray[np.int64]  # milliseconds since 1970 UTC
_US = 1_000_000
# Unix time by its size: seconds stay below 1e11 until the year 5138, milliseconds from 1973 are above, and so on.
_UNIT_OF = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (1e20, 1_000_000_000))
FORMATS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y")
_UNIX = re.compile(r"\d{9,13}(\.\d+)?|\d{16}|\d{19}")  # never taken for a date without separators
_SHOWN_MAX = 60
_AWAY = timedelta(hours=2)  # local times further apart are not of one hour that comes twice


class BadCell(ValueError):
    """A row cannot be understood; the message says why."""


@dataclass(slots=True)
class _Last:
    """Where the rows of one meter have come to, in local time."""

    local: datetime
    fold: int = 0
    ambiguous: bool = False
    falling: bool = False


class InstantReader:
    """Understands one column of times. `form` is "iso", "unix" or a format as of strptime."""

    def __init__(self, form: str, zone: ZoneInfo, tally: Tally, *, latest_ms: int) -> None:
        self._parse = _parser(form)
        self._unix = form == "unix"
        self._zone, self._tally, self._latest_ms = zone, tally, latest_ms
        self._last: dict[str, _Last] = {}

    def read(self, cells: Sequence[str], meters: Sequence[str] | None = None) -> Instants:
        """The instants of rows. `meters` names the meter of each, when the rows of several are mixed: the order of a
        meter's own rows counts. Raises BadCell for the first bad one, and then forgets that it saw these rows."""
        if self._unix:
            return self._checked(np.fromiter((unix_ms(cell) for cell in cells), np.int64, len(cells)))
        times = [self._understood(cell) for cell in cells]
        if any(time.tzinfo is None for time in times):
            before = dict(self._last)
            try:
                times = self._all_local(times, meters or ("",) * len(times))
                return self._checked(_ms_of(times))
            except BadCell:
                self._last = before
                raise
        return self._checked(_ms_of(times))

    def _understood(self, cell: str) -> datetime:
        try:
            return self._parse(cell)
        except ValueError as error:
            raise BadCell(f'"{cell[:_SHOWN_MAX]}" is no time as the others: {error}') from error

    def _checked(self, at_ms: Instants) -> Instants:
        for wrong, words in ((at_ms < 0, "lies before 1970"), (at_ms > self._latest_ms, "lies in the future")):
            if wrong.any():
                at = np.datetime64(int(at_ms[wrong][0]) // 1000, "s")  # of any year, also those without a datetime
                raise BadCell(f"{str(at).replace('T', ' ')} UTC {words}")
        return at_ms

    def _all_local(self, times: Sequence[datetime], meters: Sequence[str]) -> list[datetime]:
        if begun := set(meters).difference(self._last):
            for meter in begun.intersection(_falling(times, meters)):
                self._last[meter] = _Last(datetime.max)  # it comes from later times
        return [time if time.tzinfo else self._resolved(time, meter) for time, meter in zip(times, meters, strict=True)]

    def _resolved(self, local: datetime, meter: str) -> datetime:
        first = local.replace(tzinfo=self._zone)
        second = first.replace(fold=1)
        early, late = first.utcoffset(), second.utcoffset()
        last = self._last.get(meter)
        if early == late:
            self._last[meter] = _Last(local)
            return first
        if early is None or late is None or early < late:
            raise BadCell(f"{local} never was in {self._zone}: the clock was put forward over it")
        now = _next(last, local)
        self._last[meter] = now
        self._tally.note(
            f"the hour around {local:%Y-%m-%d %H}:00 came twice in {self._zone}; which of the two a row means is told"
            " by the order of the rows"
        )
        return second if now.fold else first


def _next(last: _Last | None, local: datetime) -> _Last:
    """Which of the two hours a time in the double hour belongs to, from where the rows have come to."""
    if last is None or not last.ambiguous or abs(local - last.local) > _AWAY:
        falling = last is not None and last.local > local
        return _Last(local, int(falling), True, falling)
    if last.falling:
        return _Last(local, 0 if local >= last.local else last.fold, True, True)
    return _Last(local, 1 if local <= last.local else last.fold, True)


def _falling(times: Sequence[datetime], meters: Sequence[str]) -> list[str]:
    """The meters whose local times go back more often than forward."""
    before: dict[str, datetime] = {}
    rises: Counter[str] = Counter()
    for time, meter in zip(times, meters, strict=True):
        if time.tzinfo is None:
            was = before.get(meter, time)
            rises[meter] += (time > was) - (time < was)
            before[meter] = time
    return [meter for meter, count in rises.items() if count < 0]


def _ms_of(times: Sequence[datetime]) -> Instants:
    # Microseconds are whole in a float until the year 2255, so rounding and cutting gives the exact millisecond.
    seconds = np.fromiter((time.timestamp() for time in times), np.float64, len(times))
    return np.asarray(np.rint(seconds * _US).astype(np.int64) // 1000)


def _parser(form: str) -> Callable[[str], datetime]:
    def parse(cell: str) -> datetime:
        text = cell.strip()
        return datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)

    return parse


def unix_ms(cell: str) -> int:
    """Unix time in seconds, milliseconds, microseconds or nanoseconds, by its size. Raises BadCell."""
    try:
        number = float(cell)
        unit = next(unit for most, unit in _UNIT_OF if abs(number) < most)
        whole = cell.strip()
        if whole.lstrip("+-").isdecimal():
            return int(whole) * 1000 // unit
        return int(round(number * (_US // unit)) // 1000) if unit <= _US else int(number * 1000 // unit)
    except (ValueError, StopIteration) as error:
        raise BadCell(f'"{cell[:_SHOWN_MAX]}" is no Unix time') from error


def guess_form(cells: Sequence[str]) -> str:
    """The form in which most of these times are written. Raises ConfigError when none that is safe to guess is."""
    if sum(bool(_UNIX.fullmatch(cell.strip())) for cell in cells) * 2 > len(cells):
        return "unix"
    for form in ("iso", *FORMATS):
        if not cells or sum(_fits(cell, _parser(form)) for cell in cells) * 2 > len(cells):
            return form
    raise ConfigError(
        f'"{cells[0][:_SHOWN_MAX]}" is a time of a form that cannot be guessed;'
        ' say it, as --time-format "%m/%d/%Y %H:%M:%S"'
    )


def _fits(cell: str, parse: Callable[[str], datetime]) -> bool:
    try:
        parse(cell)
    except ValueError:
        return False
    return True
