"""Instants: monotonic time plus an offset, so that a stepping wall clock cannot turn readings into doubles."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from wattbook.model.batch import EPOCH

STEP_MIN = timedelta(seconds=2)  # smaller differences are slewed by NTP and adopted without a word
FIRST_SANE = datetime(2026, 1, 1, tzinfo=UTC)  # earlier: the clock was never set (a Raspberry Pi at boot)
_AHEAD_MAX = timedelta(days=1)  # of a clock that is not ours: it may be wrong by a zone, not by a year
_END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)  # with room for any zone
_GRAIN_US = 10_000  # instants are kept to 10 ms


class Clock(Protocol):
    """What tells the time. Only the daemon and the commands make a real one."""

    def now(self) -> datetime:
        """Return the instant, aware, UTC, cut to 10 ms."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step, from an arbitrary start."""
        ...


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock jumped: what this clock said, and what the wall clock says at the same moment."""

    was: datetime
    now: datetime

    @property
    def by(self) -> timedelta:
        return self.now - self.was

    @property
    def first_set(self) -> bool:
        """Whether this step set a clock that had never been set."""
        return self.was < FIRST_SANE <= self.now


class SystemClock:
    """Monotonic time plus an offset that follows the wall clock only when `adjust` is called."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self.monotonic = wall, monotonic
        self._offset_s = wall() - monotonic()

    def now(self) -> datetime:
        """Return the instant, aware, UTC, cut to 10 ms."""
        return instant(self.monotonic() + self._offset_s)

    def adjust(self) -> ClockStep | None:
        """Follow the wall clock; return the step when it jumped by more than 2 s."""
        was = self.now()
        self._offset_s = self._wall() - self.monotonic()
        now = self.now()
        return ClockStep(was, now) if abs(now - was) > STEP_MIN else None


def latest_believed(now: datetime) -> datetime:
    """The latest instant that a clock which is not ours may tell; any, while our own was never set."""
    return now + _AHEAD_MAX if now >= FIRST_SANE else _END_OF_TIME


def supersedes(at: datetime, last: datetime | None, *, now: datetime) -> bool:
    """Whether a reading of `at` is later than the `last` one, which may be from a clock that was ahead.

    An instant that lies in the future was told by such a clock; it does not stand in the way of what comes after it.
    """
    return last is None or at > last or last > now + STEP_MIN


def instant(unix_s: float) -> datetime:
    """The aware UTC instant of Unix seconds, cut to 10 ms."""
    grains = int(unix_s * 100)
    return EPOCH + timedelta(microseconds=grains * _GRAIN_US)
