"""What callers hand to the writer of the book, and how much of it may wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from wattbook.model import BookError, Event, Kept, Reading


def _begun() -> Future[Any]:
    """A future that its caller can leave but not cancel: what was handed in is written."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(slots=True)
class AppendReadings:
    """Readings of one caller. `urgent`: somebody waits for the acknowledgement."""

    readings: Sequence[Reading]
    fresh: bool
    urgent: bool
    future: Future[Kept] = field(default_factory=_begun)

    @property
    def size(self) -> int:
        return len(self.readings)

    def instants(self) -> Iterator[datetime]:
        return (reading.at for reading in self.readings)


@dataclass(slots=True)
class AppendEvent:
    """One event."""

    event: Event
    urgent: bool = False
    future: Future[int] = field(default_factory=_begun)

    size = 1

    def instants(self) -> Iterator[datetime]:
        return iter((self.event.at,))


@dataclass(slots=True)
class Redate:
    """Re-date this run's readings from before the clock was set."""

    before: datetime
    by: timedelta
    urgent: bool = False
    future: Future[int] = field(default_factory=_begun)

    size = 1

    def instants(self) -> Iterator[datetime]:
        return iter(())


Work = AppendReadings | AppendEvent | Redate


@dataclass(slots=True)
class Gap:
    """What had to be dropped while the book could not be written."""

    since: datetime
    reason: str
    start: datetime | None = None
    end: datetime | None = None
    dropped: int = 0

    def drop(self, work: Work) -> None:
        """Count it, and tell whoever asked for it."""
        for at in work.instants():
            self.start = at if self.start is None else min(self.start, at)
            self.end = at if self.end is None else max(self.end, at)
            self.dropped += 1
        work.future.set_exception(BookError(f"dropped, because the book could not be written: {self.reason}"))

    def event(self, at: datetime) -> Event:
        """What the journal says about it afterwards."""
        body: dict[str, Any] = {
            "since": self.since.isoformat(),
            "reason": self.reason,
            "from": self.start and self.start.isoformat(),
            "to": self.end and self.end.isoformat(),
            "readings": self.dropped,
        }
        return Event("book.gap", "", at, body)


def oldest_beyond(waiting: deque[Work], size_max: int) -> Iterator[Work]:
    """Take out the oldest work until at most `size_max` readings and events wait."""
    size = sum(work.size for work in waiting)
    while size > size_max and waiting:
        work = waiting.popleft()
        size -= work.size
        yield work
