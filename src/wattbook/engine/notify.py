"""Carry the events of alerts out: one follower for each [[notify]], so that one that is away holds up no other.

At least once, with the event's number as key. That a message went out is an event too, notify.sent, written at once:
after a kill only what was under way at that very moment may go out again, and then with the same key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, time

import msgspec

from wattbook.config import Config, NotifySettings
from wattbook.engine.decide_life import EventsOf
from wattbook.engine.follow import Decision, Following, follow
from wattbook.engine.notify_words import Words
from wattbook.engine.watch import MUTED, RAISED, RECOVERED, REMINDED, TESTED, UNMUTED
from wattbook.model import Batch, Clock, Event, WattbookError
from wattbook.notify import Message, Post, SomeRefused
from wattbook.store import Book, BookReader

SENT = "notify.sent"
IDLE_S = 1.0  # between two looks at the events
HELD_MAX = 200  # lines of a sum; the rest is counted
_AGAIN_S = 60.0  # after a mistake that no waiting mends: an address that is not understood
_log = logging.getLogger("wattbook.notify")


class Held(msgspec.Struct, omit_defaults=True):
    """What a target's follower remembers, in its bookmark."""

    numbers: list[int] = []  # held back through quiet hours
    lines: list[str] = []
    more: int = 0
    muted: dict[str, str] = {}  # rule -> until; "" = for good


class EventsLookedAt(EventsOf):
    """The events, looked at every IDLE_S: commits of readings must not put off what time decides."""

    __slots__ = ()

    def on_commit(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Wake nobody."""
        return lambda: None


@dataclass(slots=True)
class Carrier:
    """One [[notify]], from start to stop."""

    target: NotifySettings
    post: Post
    words: Words
    book: Book
    reader: BookReader
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    status: Following = field(init=False)
    sent_at: datetime | None = None
    held: int = 0  # messages held back, for the page
    sent: int = 0  # messages since the start
    failed: int = 0  # tries to send since the start

    def __post_init__(self) -> None:
        self.status = Following(self.name)

    @property
    def name(self) -> str:
        """The name its position is kept under."""
        return f"notify/{self.target.name}"

    async def run(self) -> None:
        """Carry out until cancelled. A mistake is logged, and it begins anew: the next message may go."""
        while True:
            work = asyncio.create_task(self._follow(), name=self.name)
            try:
                await asyncio.wait([work])
            finally:
                work.cancel()
            self._failed(work)
            await self.sleep(_AGAIN_S)

    async def test(self, who: str) -> None:
        """Send a message now. Raises NotSent or ConfigError."""
        now = self.clock.now()
        key = f"test.{now:%Y%m%d%H%M%S%f}.{self.words.lineage}"
        await self._send(self.words.of_test(key, who))

    async def take(self, batch: Batch, bookmark: str) -> Decision:
        """Send what the batch holds, at most one message; hold it back in quiet hours."""
        held = msgspec.json.decode(bookmark, type=Held) if bookmark else Held()
        sent: list[int] = []
        for event in batch.events:
            _mute(held, event)
            if not self._wanted(held, event):
                continue
            if self._is_quiet() and event.kind != TESTED and event.body.get("severity") != "critical":
                self._hold(held, event)
            else:
                message = await asyncio.to_thread(self.words.of_event, event, picture=self.target.picture)
                await self._carry_out(message)
                sent.append(event.seq)
        if held.numbers and not sent and not self._is_quiet():
            await self._carry_out(self.words.of_several(held.numbers, held.lines, held.more))
            sent, held.numbers, held.lines, held.more = [*held.numbers], [], [], 0
        self.held = len(held.numbers) + held.more
        noted = (Event(SENT, self.target.name, self.clock.now(), {"numbers": sent}),) if sent else ()
        return Decision(msgspec.json.encode(held).decode(), noted)

    async def _carry_out(self, message: Message) -> None:
        """Send it once to all who take it: an address that is gone holds up no other."""
        try:
            await self._send(message)
        except SomeRefused as error:
            self.sent, self.sent_at = self.sent + 1, self.clock.now()
            _log.warning("%s", error)

    async def _send(self, message: Message) -> None:
        try:
            await self.post.send(message)
        except WattbookError:
            self.failed += 1
            raise
        self.sent, self.sent_at = self.sent + 1, self.clock.now()
        _log.info("%s: sent %s", self.target.name, message.title)

    async def _follow(self) -> None:
        if self.book.position(self.name) is None:  # what was before is not news
            self.book.acknowledge(self.name, await asyncio.to_thread(self.reader.end))
        events = EventsLookedAt(self.book, self.reader)
        await follow(events, self, status=self.status, batch_max=1, idle_s=IDLE_S, sleep=self.sleep)

    def _failed(self, work: asyncio.Task[None]) -> None:
        error = work.exception() if work.done() and not work.cancelled() else None
        if error is not None:
            self.status.state, self.status.reason = "failed", str(error) or type(error).__name__
            told = None if isinstance(error, WattbookError) else error
            _log.error("notify %s failed, tried again in %.0f s: %s", self.target.name, _AGAIN_S, error, exc_info=told)

    def _wanted(self, held: Held, event: Event) -> bool:
        """Whether an event is to be told here."""
        if event.kind not in (RAISED, RECOVERED, REMINDED, TESTED) or self._is_muted(held, event):
            return False
        if event.kind == RECOVERED and not self.target.recovery:
            return False
        if event.kind == REMINDED:
            return self.target.name in event.body.get("to", ())
        return self.target.wants(event.subject, str(event.body.get("severity", "")))

    def _is_muted(self, held: Held, event: Event) -> bool:
        until = held.muted.get(event.subject)
        return event.kind != TESTED and until is not None and (not until or event.at < datetime.fromisoformat(until))

    def _is_quiet(self) -> bool:
        start, end = self.target.quiet_from, self.target.quiet_to
        if start is None or end is None:
            return False
        return is_within(self.clock.now().astimezone(self.words.config.site.timezone).time(), start, end)

    def _hold(self, held: Held, event: Event) -> None:
        if len(held.numbers) >= HELD_MAX:
            held.more += 1
            return
        held.numbers.append(event.seq)
        held.lines.append(self.words.in_line(event))


def is_within(local: time, start: time, end: time) -> bool:
    """Whether a local time lies in hours that may go over midnight."""
    return start <= local < end if start <= end else local >= start or local < end


def _mute(held: Held, event: Event) -> None:
    if event.kind == MUTED:
        held.muted[event.subject] = event.body.get("until") or ""
    elif event.kind == UNMUTED:
        held.muted.pop(event.subject, None)


def make_carriers(config: Config, book: Book, reader: BookReader, clock: Clock) -> list[Carrier]:
    """Those who carry out for a configuration, not yet running."""
    words = Words(config, reader, book.lineage)
    return [
        Carrier(target, Post(target.name, target.url), words, book, reader, clock) for target in config.notify
    ]  # fmt: skip
