"""Readings from sources into the book, and onto the screens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from wattbook.engine.live import Live
from wattbook.model import Event, Kept, Reading
from wattbook.store import Book

_log = logging.getLogger("wattbook.keep")


class BookKeeper:
    """The one Keeper of the daemon: writes down first, then shows. What was polled may be shown before its commit."""

    def __init__(self, book: Book, live: Live) -> None:
        self._book, self._live = book, live
        self._losing: set[str] = set()  # what of each kind or meter was lost last time, so that it is logged once

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        """Return when the readings are durable."""
        kept = await asyncio.wrap_future(self._book.append(readings, urgent=True))
        self._live.publish_kept(readings, kept.seqs)
        return kept

    def measured(self, reading: Reading) -> None:
        """Take a reading just polled: durable within `commit_every`. One that is lost is logged and counted."""
        self._live.publish(reading)
        self._book.measured(reading, partial(self._answered, reading.meter))

    def note(self, event: Event) -> None:
        """Write an event down."""
        self._book.append_event(event).add_done_callback(lambda future: self._answered(event.kind, future.exception()))

    def _answered(self, what: str, error: BaseException | None) -> None:
        """Look at what nobody waits for; once when it begins to be lost, and once when it is kept again."""
        if error is None:
            if what in self._losing:
                self._losing.discard(what)
                _log.warning("%s: kept in the book again", what)
        elif what not in self._losing:
            self._losing.add(what)
            _log.error("%s: not kept in the book: %s", what, error)
