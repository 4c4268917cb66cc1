"""The past of the demo's house, written into its book once, by the daemon that holds it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from wattbook.config import Config
from wattbook.model import BookError, Event
from wattbook.store import Book, BookReader

PAST = "demo.past"  # the event that says in the book what of it was never lived through
STORY = "The house is simulated, and so are the 400 days before its first start (event demo.past in its book)."
_BEGUN, _DONE = "begun", "done"

_log = logging.getLogger("wattbook.demo")


def past_of(config: Config, until: datetime) -> Callable[[Book], None] | None:
    """What writes the past up to an aware instant; None where a book was there before.

    One whose past was cut short gets the rest, up to the instant it was begun with.
    """
    end = _cut_short(config) if config.book.exists() else until
    return None if end is None else partial(_write, zone=config.site.timezone, until=end)


def _cut_short(config: Config) -> datetime | None:
    """Up to when the past was to be written that a stop of the demo cut short."""
    with BookReader(config.book) as reader:
        events = reader.events_about("", (PAST,))
    if not events or events[-1].body["state"] == _DONE:
        return None
    return datetime.fromisoformat(events[-1].body["until"])


def _write(book: Book, *, zone: ZoneInfo, until: datetime) -> None:
    """Write it, in any thread. What was written before a stop is found to be the same."""
    from wattbook.simulate.house import House
    from wattbook.simulate.past import make_past

    try:
        _tell(book, until, _BEGUN)
        count = sum(book.import_columns(columns, zone).new for columns in make_past(House(), until))
        _tell(book, until, _DONE)
    except BookError as error:
        _log.warning("the simulated past of the house is not whole: %s; start the demo again", error)
        return
    _log.info("the simulated past of the house is in the book: %d readings up to now", count)


def _tell(book: Book, until: datetime, state: str) -> None:
    body = {"state": state, "until": until.isoformat(), "note": "simulated: no meter ever measured it"}
    book.append_event(Event(PAST, "", datetime.now(UTC), body)).result()
