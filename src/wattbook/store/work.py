"""What callers hand to the writer of the book, and what is told of work that was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from wattbook.codecs.reading_json import format_instant
from wattbook.model import Event, Kept, Reading
from wattbook.store.journal import Position

if TYPE_CHECKING:
    from wattbook.store.forget import Forgetting
    from wattbook.store.seal import Sealing

_SEAL_COSTS = 1_000  # readings: some 2 ms for the rows and pages of a day's frame


def begun() -> Future[Any]:
    """A future that its caller can leave but not cancel: what was handed in is written."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(frozen=True, slots=True)
class Told:
    """In the place of a future when nobody waits: without its locks, for which a line would pay at every poll.

    `answered` is called in the writer's thread, or by whoever hands in what is not taken; it never raises.
    """

    answered: Callable[[BaseException | None], None]

    def set_result(self, _: Kept) -> None:
        """It is durable."""
        self.answered(None)

    def set_exception(self, error: BaseException) -> None:
        """It is lost."""
        self.answered(error)


@dataclass(slots=True)
class AppendReadings:
    """Readings of one caller. `urgent`: somebody waits for the acknowledgement."""

    readings: Sequence[Reading]
    fresh: bool
    urgent: bool
    future: Future[Kept] | Told = field(default_factory=begun)

    @property
    def size(self) -> int:
        return len(self.readings) or 1  # one without readings is waited for too: what came before it is durable then

    def instants(self) -> Iterator[datetime]:
        return (reading.at for reading in self.readings)


@dataclass(slots=True)
class AppendEvent:
    """One event."""

    event: Event
    urgent: bool = False
    future: Future[int] = field(default_factory=begun)

    size = 1

    def instants(self) -> Iterator[datetime]:
        return iter((self.event.at,))


@dataclass(slots=True)
class Decide:
    """What a follower decided, as events, and its position: all of it or nothing. The follower waits for it."""

    follower: str
    position: Position
    events: Sequence[Event]
    urgent: bool = True
    future: Future[Sequence[int]] = field(default_factory=begun)

    @property
    def size(self) -> int:
        return len(self.events)

    def instants(self) -> Iterator[datetime]:
        return (event.at for event in self.events)


@dataclass(slots=True)
class Redate:
    """Re-date this run's readings from before the clock was set. Takes no room, and is never dropped."""

    before: datetime
    by: timedelta
    urgent: bool = False
    future: Future[int] = field(default_factory=begun)

    size = 0

    def instants(self) -> Iterator[datetime]:
        return iter(())


@dataclass(slots=True)
class Correct:
    """Readings that replace those of their identities, and the event that tells of it: all of it or nothing."""

    readings: Sequence[Reading]
    event: Event
    urgent: bool = True
    future: Future[int] = field(default_factory=begun)

    @property
    def size(self) -> int:
        return len(self.readings) + 1

    def instants(self) -> Iterator[datetime]:
        return (reading.at for reading in self.readings)


@dataclass(slots=True)
class Seal:
    """A frame that is to take the place of what lies in its span; the future says whether it did."""

    sealing: Sealing
    urgent: bool = True
    future: Future[bool] = field(default_factory=begun)

    @property
    def size(self) -> int:
        """What it costs, in readings appended: so that few frames are written in one transaction."""
        return _SEAL_COSTS + self.sealing.found.hot_count // 2

    def instants(self) -> Iterator[datetime]:
        return iter(())


@dataclass(slots=True)
class Forget:
    """What is left of a sealed day; the future says whether it was written."""

    forgetting: Forgetting
    urgent: bool = True
    future: Future[bool] = field(default_factory=begun)

    size = _SEAL_COSTS

    def instants(self) -> Iterator[datetime]:
        return iter(())


Work = AppendReadings | AppendEvent | Decide | Redate | Correct | Seal | Forget


@dataclass(frozen=True, slots=True)
class Gap:
    """The book cannot be written, and what had to be dropped meanwhile."""

    since: datetime
    reason: str
    start: datetime | None = None
    end: datetime | None = None
    dropped: int = 0  # readings and events

    def with_dropped(self, works: Sequence[Work]) -> Gap:
        """This gap when these are lost too."""
        instants = [at for work in works for at in work.instants()]
        start = min(instants if self.start is None else [self.start, *instants], default=None)
        end = max(instants if self.end is None else [self.end, *instants], default=None)
        return replace(self, start=start, end=end, dropped=self.dropped + len(instants))

    def event(self, at: datetime) -> Event:
        """What the journal says about it afterwards."""
        body: dict[str, Any] = {
            "since": format_instant(self.since),
            "reason": self.reason,
            "from": self.start and format_instant(self.start),
            "to": self.end and format_instant(self.end),
            "readings": self.dropped,
        }
        return Event("book.gap", "", at, body)
