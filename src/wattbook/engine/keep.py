"""Readings from sources into the book, and onto the screens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wattbook.engine.live import Live
from wattbook.model import Event, Kept, Reading
from wattbook.store import Book


class BookKeeper:
    """The one Keeper of the daemon: writes down first, then shows. What was polled may be shown before its commit."""

    def __init__(self, book: Book, live: Live) -> None:
        self._book, self._live = book, live

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        """Return when the readings are durable."""
        kept = await asyncio.wrap_future(self._book.append(readings, urgent=True))
        self._live.publish_kept(readings, kept.seqs)
        return kept

    def measured(self, reading: Reading) -> None:
        """Take a reading just polled: durable within `commit_every`."""
        self._live.publish(reading)
        self._book.append((reading,), fresh=True)

    def note(self, event: Event) -> None:
        """Write an event down."""
        self._book.append_event(event)
