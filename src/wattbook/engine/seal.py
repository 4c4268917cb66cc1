"""Seal the hours and days that are over, beside everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

from wattbook.model import BookError, Event, SystemClock
from wattbook.store import Book, BookReader

_EVERY_S = 60.0
_LATE_EVERY = 15  # passes: readings that come late come in runs, and each run costs a day's frame
_HOUR = timedelta(hours=1)

_log = logging.getLogger(__name__)


async def seal_history(
    book: Book,
    reader: BookReader,
    zone: ZoneInfo,
    clock: SystemClock,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Look once a minute for what is due, until cancelled. What is in doubt (a clock never set) stays as it is."""
    told: set[str] = set()  # of frames that cannot be read, and of a full disk: each once
    passes = 0
    while True:
        await sleep(_EVERY_S)
        if not clock.settled:
            continue
        passes += 1
        try:
            await _pass(book, reader, zone, clock, late=passes % _LATE_EVERY == 1, told=told)
        except BookError as error:
            if not error.retry:
                raise
            _tell_once(told, f"history is not sealed now: {error}")


async def _pass(
    book: Book, reader: BookReader, zone: ZoneInfo, clock: SystemClock, *, late: bool, told: set[str]
) -> None:
    now = clock.now()
    oldest = await asyncio.to_thread(reader.oldest_hot)
    if oldest is None or now - oldest < _HOUR:
        return  # what seals is not even loaded
    sealed = await asyncio.to_thread(book.seal, zone, now, late=late)
    if sealed.frames:
        _log.debug("sealed %d frames", sealed.frames)
    for words in sealed.damaged:
        if _tell_once(told, f"a part of the book is damaged: {words}"):
            book.append_event(Event("book.damaged", "", now, {"what": words}))


def _tell_once(told: set[str], words: str) -> bool:
    if words in told:
        return False
    told.add(words)
    _log.error("%s", words)
    return True
