"""What speaks first: the shape of a source, and what every source needs to know of a meter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from wattbook.model.batch import EPOCH
from wattbook.model.keeping import Keeper
from wattbook.profiles import Profile

_RETRY_S_FIRST = 0.1


class Source(Protocol):
    """Listens until it is cancelled. A device that is gone is its own business: it reports it and tries again."""

    async def run(self, keep: Keeper) -> None:
        """Hand readings to `keep`; raise ConfigError when the line can never be opened as it is configured."""
        ...


class Report(Protocol):
    """What a source tells about how its meters fare. May be called from any thread."""

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        """`count` good telegrams came, the last one complete at `at`, whether or not they are kept."""
        ...

    def garbled(self, meter: str, reason: str) -> None:
        """A telegram came that is of no use."""
        ...

    def lost(self, meter: str, reason: str) -> None:
        """The way to the meter is gone: port, connection or broker."""
        ...


@dataclass(frozen=True, slots=True)
class Listened:
    """A meter that speaks by itself."""

    name: str
    profile: Profile
    address: str = ""  # its server id or serial number, or its part of the topic; "" = whoever speaks
    every_s: float = 0.0  # keep at most one reading in each such step of the clock; 0 = all


class Thinner:
    """Keeps the first reading of each step of the clock."""

    __slots__ = ("_every_s", "_step")

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._step = -math.inf

    def takes(self, at: datetime) -> bool:
        """Whether the reading of this instant is the first of its step."""
        if not self._every_s:
            return True
        step = (at - EPOCH).total_seconds() // self._every_s
        if step == self._step:
            return False
        self._step = step
        return True


def retries_s(longest_s: float) -> Iterator[float]:
    """Yield the waits between attempts: doubling, without end, never above `longest_s`."""
    wait_s = _RETRY_S_FIRST
    while True:
        yield min(wait_s, longest_s)
        wait_s = min(wait_s * 2, longest_s)
