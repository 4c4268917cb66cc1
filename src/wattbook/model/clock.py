"""Instants: monotonic time plus an offset, so that a stepping wall clock cannot turn readings into doubles."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from wattbook.model.batch import EPOCH
from wattbook.model.era import ERA

STEP_MIN = timedelta(seconds=2)  # smaller differences are slewed by NTP and adopted without a word
FIRST_SANE = datetime(2026, 1, 1, tzinfo=UTC)  # earlier: the clock was never set (a Raspberry Pi at boot)
_AHEAD_MAX = timedelta(days=1)  # of a clock that is not ours: it may be wrong by a zone, not by a year
_GRAIN_US = 10_000  # instants are kept to 10 ms
_END_OF_TIME = ERA.end - timedelta(microseconds=_GRAIN_US)
_BY_HAND_S_MAX = 600.0  # after the start, a person without a network sets the clock; later it is a change of mind
_BY_NETWORK_S_MAX = 86_400.0  # later, a step may be what a good clock has drifted since
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


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
    first_set: bool = False  # it set a clock that had not been set since the machine started

    @property
    def by(self) -> timedelta:
        return self.now - self.was


def kernel_synchronised() -> bool:
    """Whether something keeps the machine's clock right (NTP, GPS); True where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return True
    # Zeroes ask and change nothing; what is filled in, some 200 bytes, is not looked at.
    state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    return state != _TIME_ERROR


def running_s() -> float:
    """Seconds that never step; where the system can tell, the time that it was suspended is among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SystemClock:
    """Running time plus an offset that follows the wall clock only when `adjust` is called.

    A clock is first set by a step out of the years before FIRST_SANE; or, when nothing kept it right at our start (a
    Raspberry Pi goes on from where it was switched off), by the first step, if it goes forward, and comes within 10
    minutes or is the network's and comes within a day. A step by hand months later is not, nor is what drifted.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        running: Callable[[], float] = running_s,
        synchronised: Callable[[], bool] = kernel_synchronised,
    ) -> None:
        self._wall, self.monotonic, self._running, self._synchronised = wall, monotonic, running, synchronised
        self._started_s = running()
        self._offset_s = wall() - self._started_s
        self._never_set = not synchronised()

    def now(self) -> datetime:
        """Return the instant, aware, UTC, cut to 10 ms."""
        return instant(self._running() + self._offset_s)

    @property
    def settled(self) -> bool:
        """Whether the clock cannot turn out to have been unset any more, which would re-date what it told."""
        age_s = self._running() - self._started_s
        return self.now() >= FIRST_SANE and (not self._never_set or age_s > _BY_NETWORK_S_MAX)

    def adjust(self) -> ClockStep | None:
        """Follow the wall clock; return the step when it jumped by more than 2 s."""
        was, running = self.now(), self._running()
        self._offset_s = self._wall() - running
        now = self.now()
        stepped = abs(now - was) > STEP_MIN
        first_set = stepped and (was < FIRST_SANE <= now or (now > was and self._may_be_first_set(running)))
        if stepped or self._synchronised():
            self._never_set = False
        return ClockStep(was, now, first_set) if stepped else None

    def _may_be_first_set(self, running: float) -> bool:
        age_s = running - self._started_s
        by_network = age_s <= _BY_NETWORK_S_MAX and self._synchronised()
        return self._never_set and (age_s <= _BY_HAND_S_MAX or by_network)


def latest_believed(now: datetime) -> datetime:
    """The latest instant that a clock which is not ours may tell; any of the era, while our own was never set."""
    return min(now + _AHEAD_MAX, _END_OF_TIME) if now >= FIRST_SANE else _END_OF_TIME


def supersedes(at: datetime, last: datetime | None, *, now: datetime) -> bool:
    """Whether a reading of `at` is later than the `last` one, which may be from a clock that was ahead.

    An instant that lies in the future was told by such a clock; it does not stand in the way of what comes after it.
    """
    return last is None or at > last or last > now + STEP_MIN


def instant(unix_s: float) -> datetime:
    """The aware UTC instant of Unix seconds, cut to 10 ms."""
    grains = int(unix_s * 100)
    return EPOCH + timedelta(microseconds=grains * _GRAIN_US)
