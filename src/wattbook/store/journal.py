"""What a follower needs of a journal: reading on from a position. `after` is opaque text; "" is the beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from wattbook.model import Batch, Event


@dataclass(frozen=True, slots=True)
class Position:
    """How far a follower has come, and what it wanted to remember with it (a file's length, a foreign number)."""

    after: str
    bookmark: str = ""


class Positions(Protocol):
    """Where followers' positions are stored: in the book, or where a follower's effect is stored."""

    def position(self, follower: str) -> Position | None:
        """Return the last acknowledged position; None = it never acknowledged one."""
        ...

    def acknowledge(self, follower: str, after: str, bookmark: str = "") -> None:
        """Remember that everything up to `after` has had its effect."""
        ...


class Journal(Positions, Protocol):
    """Numbered, durable entries. Order is promised per meter only."""

    def read(self, after: str, limit: int) -> Batch:
        """Return up to `limit` readings and events after this position. Blocks on the disk."""
        ...

    def decide(self, follower: str, after: str, bookmark: str, events: Sequence[Event]) -> Future[Sequence[int]]:
        """Write what a follower decided, as events, and its position: all of it or nothing.

        The future gives the events' numbers when they are durable, or raises BookError.
        """
        ...

    def on_commit(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after every commit that adds entries, from any thread; return what ends that."""
        ...
