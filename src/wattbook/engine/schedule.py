"""When each meter of a line is asked next. Pure: instants come in, decisions go out; one request at a time.

Periods are aligned to the clock (every 5 s means at :00, :05 …); a slot that passed is skipped, never made up for.
Period 0 means as often as the line allows, in turns. A meter that fails is set aside, longer each time, so that a
silent one costs its neighbours next to nothing; what is due longest goes first, so nobody starves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

BACKOFF_S_MIN, BACKOFF_S_MAX = 0.5, 30.0
AWAY_AFTER = 3  # failures in a row: fewer are noise on the line
TIMEOUT_S_MIN = 0.1  # for the first byte: slaves answer within some 50 ms, adapters hold bytes for 16
TIMEOUT_S_KNOWN_MAX = 0.15  # of a slave known to be quick: three neighbours and this stay under a gap of 0.3 s
TIMEOUT_S_MAX = 1.0  # of a slave never heard: gateways and old meters
TIMEOUT_S_LATE = 4.0  # of a slave answered too late: gateways wait up to 3 s before they say that nobody is there
STRANGER_AFTER_S = 600.0  # of silence: it may have been replaced by a slower one
RETRIES = 1  # at once, after noise: a second damaged answer in a row is seldom chance


@dataclass(slots=True)
class _Slot:
    every_s: float
    due: float  # monotonic
    turn: int = 0  # when it was asked last, counted in requests


def _urgency(item: tuple[str, _Slot]) -> tuple[float, int]:
    return item[1].due, item[1].turn


class Schedule:
    """The meters of one line by name. All instants are monotonic seconds."""

    def __init__(self, every_s: Mapping[str, float], now: float) -> None:
        self._slots = {name: _Slot(every, now) for name, every in every_s.items()}
        self._turns = 0

    def next(self) -> tuple[str, float] | None:
        """The meter to ask next and the instant from which it may be asked; None when there is no meter."""
        if not self._slots:
            return None
        name, slot = min(self._slots.items(), key=_urgency)
        return name, slot.due

    def add(self, name: str, every_s: float, now: float) -> None:
        """Take a meter in, due at once."""
        self._slots[name] = _Slot(every_s, now)

    def remove(self, name: str) -> None:
        """Let a meter go."""
        del self._slots[name]

    def answered(self, name: str, now: float, at: datetime) -> None:
        """It was asked and is due again in its next slot; `at` is the same moment as `now`, by the wall clock."""
        slot = self._asked(name)
        slot.due = now + until_slot(slot.every_s, at.timestamp()) if slot.every_s else now

    def put_off(self, name: str, now: float, delay_s: float) -> None:
        """It was asked and failed: ask again after this delay."""
        self._asked(name).due = now + delay_s

    def _asked(self, name: str) -> _Slot:
        slot = self._slots[name]
        self._turns += 1
        slot.turn = self._turns
        return slot


def until_slot(every_s: float, wall_s: float) -> float:
    """Seconds from `wall_s` to the next multiple of the period, never 0 for a period; 0 when there is none."""
    if every_s <= 0:
        return 0.0
    left = every_s - wall_s % every_s
    return left if left > 1e-3 else left + every_s  # a slot reached a millisecond early is this slot, not the next


@dataclass(slots=True)
class Patience:
    """How long to wait for one slave, and how long to leave it alone after failures."""

    failures: int = 0  # in a row
    retries: int = RETRIES  # at once after a damaged answer, before it is set aside
    fixed_s: float | None = None  # the operator's own time-out; None = it follows the slave
    late: bool = False  # the last word about it came after the time-out
    _latency_s: float | None = None  # smoothed, request to first byte
    _heard_at: float = 0.0

    def timeout_s(self, now: float, *, least_s: float = 0.0) -> float:
        """How long to wait for its first byte. It grows with failures, up to what its neighbours can bear; `least_s`
        is what the way there needs, which the operator's own time-out overrules."""
        return self.fixed_s if self.fixed_s is not None else max(self._following_s(now), least_s)

    def _following_s(self, now: float) -> float:
        return max(self._usual_s(now), TIMEOUT_S_LATE) if self.late else self._usual_s(now)

    def _usual_s(self, now: float) -> float:
        if self._latency_s is None or (self.failures and now - self._heard_at > STRANGER_AFTER_S):
            return float(min(TIMEOUT_S_MIN * 2 ** (self.failures % 5), TIMEOUT_S_MAX))
        # In steps of 20 ms, so that the steps of a conversation can be kept from one poll to the next.
        usual_s = max(TIMEOUT_S_MIN, 0.02 * math.ceil(50 * (3 * self._latency_s + 0.03)))
        return max(usual_s, TIMEOUT_S_KNOWN_MAX) if self.failures else usual_s

    def answered(self, first_byte_s: float, now: float) -> None:
        """Note how fast it was."""
        self.failures, self.late = 0, False
        self._heard_at = now
        if self._latency_s is None or first_byte_s > self._latency_s:
            self._latency_s = first_byte_s  # up at once, down slowly: a late answer costs more than a long wait
        else:
            self._latency_s += (first_byte_s - self._latency_s) / 64

    def failed(self, *, at_once: bool) -> float:
        """Note a failure; return for how long to set it aside. The first few may be tried again `at_once` (noise)."""
        self.failures += 1
        tried = self.retries if at_once else 0
        if self.failures <= tried:
            return 0.0
        return float(min(BACKOFF_S_MIN * 2 ** min(self.failures - 1 - tried, 16), BACKOFF_S_MAX))

    @property
    def away(self) -> bool:
        """Whether it failed too often in a row to call it present."""
        return self.failures >= max(AWAY_AFTER, self.retries + 1)
