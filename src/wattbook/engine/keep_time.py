"""Follow the wall clock: a step is an event, and the one that first sets the clock re-dates what came before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from wattbook.engine.in_step import in_step
from wattbook.model import Event, SystemClock
from wattbook.model.clock import STEP_MIN, ClockStep
from wattbook.store import Book

_EVERY_S = 1.0

_log = logging.getLogger(__name__)


async def keep_time(clock: SystemClock, book: Book, *, sleep: Callable[[float], Awaitable[None]] = in_step) -> None:
    """Look at the wall clock every second, until cancelled."""
    while True:
        await sleep(_EVERY_S)
        step = clock.adjust()
        if step is not None:
            await _write_down(step, book)


async def _write_down(step: ClockStep, book: Book) -> None:
    by_s = round(step.by.total_seconds(), 2)
    _log.warning("the clock was stepped by %+.2f s", by_s)
    body = {"from": step.was.isoformat(), "to": step.now.isoformat(), "by_s": by_s, "first_set": step.first_set}
    book.append_event(Event("clock.step", "", step.now, body))
    if step.first_set:
        # All that this run dated before the step, and nothing after it: a step is longer than STEP_MIN.
        count = await asyncio.wrap_future(book.redate(before=step.was + STEP_MIN, by=step.by))
        _log.warning("%d readings taken before the clock was set are re-dated", count)
