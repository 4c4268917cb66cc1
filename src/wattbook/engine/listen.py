"""Listening: how the meters that speak by themselves fare, written down as their sources report it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median_low

from wattbook.engine.in_step import in_step
from wattbook.engine.status import MeterStatus
from wattbook.model.clock import Clock, supersedes
from wattbook.model.reading import EMPTY, Event

_PERIODS_MISSED = 3
_PERIOD_S_LEAST = 10.0  # many meters speak every second or two; a pause of some seconds is not worth a word
FIRST_S = 30.0  # for a first telegram on a line; the person who wired it is still standing there
STRANGER_S = 360.0  # until a meter's period is known: Tasmota publishes every 300 s unless told otherwise
_GAPS_MAX = 5  # the middle one of so many is the period, so that an outage among them does not count
_CHECK_EVERY_S = 1.0
_SPOIL_LOG_S = 3600.0  # a bad line garbles every telegram; the counter shows them all

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Hearing:
    """What is known of one meter, beside its status. Instants are monotonic seconds."""

    status: MeterStatus
    every_s: float
    first_s: float
    heard_s: float  # last good telegram, or the start
    followed: bool = False  # since that telegram the way to the meter was there, so the next one tells a period
    gaps_s: deque[float] = field(default_factory=lambda: deque(maxlen=_GAPS_MAX))  # between telegrams, the last ones
    spoiled: int = 0  # garbled telegrams since the last good one
    unlogged: int = 0  # garbled telegrams since the log spoke of them
    logged_s: float | None = None  # when it did

    @property
    def patience_s(self) -> float:
        """How long it may be silent."""
        period_s = median_low(self.gaps_s) if self.gaps_s else 0.0
        usual_s = _PERIODS_MISSED * max(self.every_s, period_s, _PERIOD_S_LEAST)
        if self.gaps_s:
            return usual_s
        return max(usual_s, STRANGER_S if self.status.last_at else self.first_s)


class Attendance:
    """Keeps the statuses of listened meters: present while they speak, away after three missed periods.

    A period is `every_s`, or what the meter itself keeps when that is longer; `every_s` infinite: it speaks when it
    likes, and is never away. `first_s` is how long to wait for its first telegram. One log line and one event when a
    meter goes, one of each when it is back. Implements drivers.source.Report; any thread may call it.
    """

    def __init__(
        self,
        statuses: Mapping[str, MeterStatus],
        every_s: Mapping[str, float],
        *,
        first_s: Mapping[str, float] = EMPTY,
        clock: Clock,
        note: Callable[[Event], None],
    ) -> None:
        self._clock, self._note = clock, note
        self._lock = threading.Lock()
        now_s = clock.monotonic()
        self._meters = {
            name: _Hearing(status, every_s.get(name, 0.0), first_s.get(name, FIRST_S), heard_s=now_s)
            for name, status in statuses.items()
        }

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        """Good telegrams came; `at` is the instant of the last, which may lie in the past when it was sent to us."""
        with self._lock:
            hearing, now_s = self._meters[meter], self._clock.monotonic()
            status = hearing.status
            if hearing.followed:
                hearing.gaps_s.append((now_s - hearing.heard_s) / count)
            hearing.heard_s, hearing.followed, hearing.spoiled = now_s, True, 0
            status.counters.polls += count
            status.counters.answers += count
            last = status.last_at
            if (
                last is None or at > last or supersedes(at, last, now=self._clock.now())
            ):  # mostly without asking the clock
                status.last_at = at
            if status.state != "present":
                self._present(hearing)

    def garbled(self, meter: str, reason: str) -> None:
        """A telegram of no use came."""
        with self._lock:
            hearing, now_s = self._meters[meter], self._clock.monotonic()
            hearing.status.counters.polls += 1
            hearing.status.counters.garbled += 1
            hearing.spoiled += 1
            hearing.unlogged += 1
            if hearing.logged_s is None or now_s - hearing.logged_s >= _SPOIL_LOG_S:
                _log.warning("%s: garbled telegram (%d): %s", meter, hearing.unlogged, reason)
                hearing.logged_s, hearing.unlogged = now_s, 0

    def lost(self, meter: str, reason: str) -> None:
        """The way to the meter is gone."""
        with self._lock:
            hearing = self._meters[meter]
            hearing.followed = False
            self._away(hearing, reason)

    def check(self) -> None:
        """Find those that have been silent for too long."""
        with self._lock:
            now_s = self._clock.monotonic()
            for hearing in self._meters.values():
                silent_s = now_s - hearing.heard_s
                if hearing.status.state != "away" and silent_s > hearing.patience_s:
                    self._away(hearing, _silence(hearing, silent_s))

    def _away(self, hearing: _Hearing, reason: str) -> None:
        status = hearing.status
        status.reason = reason
        if status.state == "away":
            return
        status.state, status.since = "away", self._clock.now()
        _log.warning("%s is away: %s", status.meter, reason)
        self._note(Event("meter.away", status.meter, status.since, {"reason": reason}))

    def _present(self, hearing: _Hearing) -> None:
        status, was, since = hearing.status, hearing.status.state, hearing.status.since
        status.state, status.reason, status.since = "present", "", self._clock.now()
        if was != "away" or since is None:
            _log.info("%s is there", status.meter)
            return
        away_s = (status.since - since).total_seconds()
        _log.info("%s is back after %.0f s", status.meter, away_s)
        self._note(Event("meter.back", status.meter, status.since, {"away_s": away_s}))


def _silence(hearing: _Hearing, silent_s: float) -> str:
    if hearing.spoiled:
        return f"only garbled telegrams ({hearing.spoiled}) for {silent_s:.0f} s; check the reading head and the model"
    return f"silent for {silent_s:.0f} s; check that it is connected and speaks by itself"


async def watch(attendance: Attendance) -> None:
    """Look for silent meters every second, until cancelled."""
    while True:
        await in_step(_CHECK_EVERY_S)
        attendance.check()
