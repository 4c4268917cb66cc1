"""What hangs on a line, without I/O: it hears bytes, knows when it wants to act, and says what to put on the wire."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wattbook.profiles import SerialSettings

NEVER = float("inf")
WAITING_MAX = 64  # answers that come late


@dataclass(frozen=True, slots=True)
class Say:
    """Bytes for the wire: the first start bit falls at `start`, a monotonic instant."""

    data: bytes
    start: float
    serial: SerialSettings
    meter: str = ""  # whose answer it is; "" for echo and noise
    due_s: float = 0.0  # what the poll that it ends takes of the line at the very least

    @property
    def end(self) -> float:
        """When the last stop bit is through."""
        return self.start + len(self.data) * self.serial.character_s


class Waiting:
    """Answers to come, the soonest first. A reader that asks on while many come late gets no more."""

    def __init__(self) -> None:
        self._says: list[tuple[float, int, Say]] = []
        self._numbers = 0

    @property
    def due(self) -> float:
        """When the first of them is to begin; NEVER without one."""
        return self._says[0][0] if self._says else NEVER

    def add(self, say: Say) -> None:
        """Let it wait for its start."""
        if len(self._says) < WAITING_MAX:
            self._numbers += 1
            heapq.heappush(self._says, (say.start, self._numbers, say))

    def take(self, now: float) -> list[Say]:
        """Those whose time has come."""
        says: list[Say] = []
        while self.due <= now:
            says.append(heapq.heappop(self._says)[2])
        return says

    def clear(self) -> None:
        """Forget them."""
        self._says.clear()


class Bus(Protocol):
    """The meters of one line. Called by the line's thread alone; all instants are monotonic seconds."""

    def listening(self) -> SerialSettings:
        """How the meters hear now: a reader set otherwise is noise to them."""
        ...

    def hear(self, data: bytes, at: float) -> None:
        """Take what the reader wrote in one go at `at`; the last of it leaves the wire some characters later."""
        ...

    def due(self) -> float:
        """When it wants to act next; NEVER while it only listens."""
        ...

    def judged_from(self) -> float:
        """The first instant at which the reader may speak, where that is an offence or none; else NEVER."""
        ...

    def act(self, now: float) -> Sequence[Say]:
        """Do what was due. The line plays what is returned, in order, and reports each to `said`."""
        ...

    def said(self, say: Say, at: float) -> None:
        """The last byte of it was handed over at `at`: later than planned when the machine is busy."""
        ...

    def reset(self) -> None:
        """The line was pulled: forget what was begun."""
        ...
