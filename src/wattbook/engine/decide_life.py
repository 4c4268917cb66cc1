"""Follow the journal and decide what registers did that have certainly gone elsewhere: applied, or left to somebody.

It follows events alone. What it applies it writes in one transaction with the readings that are good by it, and it
looks first whether that was done already, so a batch may come again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from wattbook.codecs.reading_json import format_instant
from wattbook.config import Config
from wattbook.engine.amend import Amender, By
from wattbook.engine.follow import Decision
from wattbook.engine.judge import DOUBTED, power_max
from wattbook.model import Batch, Clock, Event
from wattbook.store import Book, BookReader, Position
from wattbook.store.life import PROPOSED, REPLACED, RESET, ROLLOVER

NAME = "life"
_KINDS = {"reset": RESET, "rollover": ROLLOVER, "step": REPLACED}
_log = logging.getLogger("wattbook.life")


@dataclass(frozen=True, slots=True)
class EventsOf:
    """A book as a journal of its events: whoever follows nothing else costs nothing while readings pour in."""

    book: Book
    reader: BookReader

    def read(self, after: str, limit: int) -> Batch:
        """Return up to `limit` events after this position."""
        return self.reader.events(after, limit)

    def position(self, follower: str) -> Position | None:
        """Return the last acknowledged position."""
        return self.book.position(follower)

    def acknowledge(self, follower: str, after: str, bookmark: str = "") -> None:
        """Remember that everything up to `after` has had its effect."""
        self.book.acknowledge(follower, after, bookmark)

    def decide(self, follower: str, after: str, bookmark: str, events: Sequence[Event]) -> Future[Sequence[int]]:
        """Write what a follower decided, and its position."""
        return self.book.decide(follower, after, bookmark, events)

    def on_commit(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after every commit that adds entries."""
        return self.book.on_commit(wake)


@dataclass(slots=True)
class LifeDecider:
    """The follower. `amender` must not tell the judge: it knows already."""

    amender: Amender
    applies: Callable[[str], bool]  # whether what is sure of a meter is applied without asking
    name: str = NAME

    async def take(self, batch: Batch, bookmark: str) -> Decision:
        """Act on each doubt that is new."""
        doubts = [event for event in batch.events if event.kind == DOUBTED]
        proposals = [found for doubt in doubts if (found := await asyncio.to_thread(self._decide, doubt))]
        return Decision(bookmark, tuple(proposals))

    def _decide(self, doubt: Event) -> Event | None:
        """Apply what is sure; return what is to be proposed. None = nothing is left to do."""
        meter, body = doubt.subject, doubt.body
        kind = _KINDS[body["found"]]
        if any(event.body.get("doubted") == doubt.seq for event in self.amender.reader.life_events(meter)):
            return None
        since = self.amender.doubted_since(meter, next(iter(body["registers"])), datetime.fromisoformat(body["from"]))
        said = {"from": format_instant(since), "registers": body["registers"], "doubted": doubt.seq}
        why = f"recognised: {_in_words(doubt)}"
        if kind != REPLACED and self.applies(meter):
            self.amender.enter(meter, kind, said, By("wattbook", why))
            _log.warning("%s: %s, and is counted on from there", meter, _in_words(doubt))
            return None
        _log.warning("%s: %s; decide with `wattbook meter show %s`", meter, _in_words(doubt), meter)
        return Event(PROPOSED, meter, self.amender.clock.now(), {"kind": kind, **said, "why": why})


def _in_words(doubt: Event) -> str:
    did = {"reset": "was reset", "rollover": "began anew at its end", "step": "goes on from another value"}
    told = [f"{name} ({before:.10g} -> {after:.10g})" for name, (before, after) in doubt.body["told"].items()]
    return f"{' and '.join(told)} {did[doubt.body['found']]}"


def make_life_decider(config: Config, book: Book, reader: BookReader, clock: Clock) -> LifeDecider:
    """The follower of a configuration; a meter that is no longer in it is left to people."""
    meters = {meter.name: meter for meter in config.meters}
    amender = Amender(book, reader, clock, lambda meter: power_max(config, meters[meter]))
    return LifeDecider(amender, applies=lambda meter: meter in meters and config.on_reset(meters[meter]) == "apply")
