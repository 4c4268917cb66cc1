"""Keep single readings as long as the configuration asks; afterwards quarters of an hour. The default is for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wattbook.codecs.reading_json import format_instant
from wattbook.config import RetentionSettings
from wattbook.model import BookError, Event, SystemClock
from wattbook.store import Book, BookReader

_EVERY_S = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Term:
    """Quantities of a meter whose readings are kept for so long."""

    meter: str
    quantities: tuple[str, ...]
    raw_s: float


def terms(rules: Sequence[RetentionSettings], reader: BookReader) -> Iterator[Term]:
    """Yield what the rules say of everything that is sealed; of several rules that fit the first counts."""
    for meter, quantities in reader.sealed_quantities().items():
        by_length: dict[float, list[str]] = {}
        for quantity in quantities:
            rule = next((rule for rule in rules if rule.fits(meter, quantity)), None)
            if rule is not None:
                by_length.setdefault(rule.raw, []).append(quantity)
        for raw_s, names in by_length.items():
            yield Term(meter, tuple(names), raw_s)


async def retain(
    book: Book,
    reader: BookReader,
    rules: Sequence[RetentionSettings],
    clock: SystemClock,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Look once an hour for what may be forgotten, until cancelled. A clock that may be wrong forgets nothing."""
    while True:
        await sleep(_EVERY_S)
        if not clock.settled:
            continue
        try:
            await asyncio.to_thread(forget_due, book, reader, rules, clock.now())
        except BookError as error:
            if not error.retry:
                raise
            _log.error("nothing is forgotten now: %s", error)


def forget_due(book: Book, reader: BookReader, rules: Sequence[RetentionSettings], now: datetime) -> int:
    """Forget what is older than the rules ask for, and say so in the journal; return how many days have less now."""
    total = 0
    for term in list(terms(rules, reader)):
        before = now - timedelta(seconds=term.raw_s)
        days = book.forget(term.meter, term.quantities, before)
        if days:
            body = {"before": format_instant(before), "quantities": list(term.quantities), "days": days}
            book.append_event(Event("book.forgotten", term.meter, now, body))
            _log.info("%s: of %d days only quarters of an hour are kept now", term.meter, days)
        total += days
    return total
