"""How a source hands readings over: the promise between whatever listens and the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from wattbook.model.errors import BookError
from wattbook.model.reading import Event, Reading

_WRITE_S_MAX = 60.0  # for an event to be durable; a disk that takes longer is full or broken


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of readings handed to the journal, in their order.

    `seqs` holds the journal's number of each: a new one, or the one under which the same reading stood already.
    """

    seqs: tuple[int, ...]
    new: int = 0
    same: int = 0  # delivered before, with equal values
    conflicts: int = 0  # delivered before with other values: the first stays, this one is counted


def write_durably(tell: Callable[[Event], Future[Any]], event: Event) -> None:
    """Write the record of a change down and wait for it, before the change is made. Raises BookError."""
    try:
        tell(event).result(_WRITE_S_MAX)
    except TimeoutError as error:
        raise BookError("the book does not take the record of this change; nothing was changed", retry=True) from error


class Keeper(Protocol):
    """Takes readings from sources. `keep` is for the event loop, the others may be called from any thread."""

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        """Return when the readings are durable; only then is a broker, client or site answered."""
        ...

    def measured(self, reading: Reading) -> None:
        """Take a reading just polled, without waiting: durable within `commit_every`, never taken for a double."""
        ...

    def note(self, event: Event) -> None:
        """Write an event into the journal, without waiting."""
        ...
