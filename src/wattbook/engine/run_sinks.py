"""Run the sinks of a configuration, each by itself: what happens to one does not touch another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from wattbook.config import Config
from wattbook.engine.deliver import (
    PAUSED,
    REPLAYED,
    RESUMED,
    Delivery,
    SinkStatus,
    bookmark_of_replay,
    close,
    refused_events,
)
from wattbook.engine.follow import follow, patiently
from wattbook.engine.select import Selection
from wattbook.engine.try_again import CountAside, once_more, set_aside
from wattbook.model import Batch, BookError, Clock, Event, SinkUnavailable, WattbookError
from wattbook.sinks import Sink, SinkSettings
from wattbook.store import Book, BookReader, Position

_AGAIN_S = 30.0  # after a bug: somebody else's library, most likely
_IDLE_S = 5.0  # between two looks for intervals that are over

_log = logging.getLogger("wattbook.sinks")


def position_name(sink: str) -> str:
    """The name a sink's position is kept under."""
    return f"sink/{sink}"


@dataclass(slots=True)
class RunningSink:
    """One sink, from start to stop, with pauses and replays."""

    settings: SinkSettings
    sink: Sink
    config: Config
    book: Book
    reader: BookReader
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    status: SinkStatus = field(init=False)
    aside: CountAside = field(init=False)
    _delivery: Delivery = field(init=False)
    _work: asyncio.Task[None] | None = None
    _resumed: asyncio.Event = field(default_factory=asyncio.Event)
    _again: asyncio.Event = field(default_factory=asyncio.Event)  # somebody says that it is back
    _told: tuple[str, str] = ("", "")  # why it failed and where, as the log has it
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        name = self.settings.name
        self.aside = CountAside(name)
        self.status = SinkStatus(f'sink "{name}"', name=name, kind=self.settings.kind)
        if position := self.book.position(position_name(name)):
            self.status.after = position.after
        self._delivery = Delivery(
            position_name(name),
            self.sink,
            Selection(self.settings, self.config.surroundings),
            self.book,
            self.book.lineage,
            self.reader,
            self.clock,
            self.status,
            self.config.site.commit_every,
        )
        if not is_paused(self.reader, name):
            self._resumed.set()

    async def run(self) -> None:
        """Deliver until cancelled. A bug of a sink is logged, and it is begun anew."""
        try:
            while True:
                if not self._resumed.is_set():
                    self.status.state = "paused"
                    await self._resumed.wait()
                self._work = asyncio.create_task(self._deliver(), name=self.status.follower)
                try:
                    await asyncio.wait([self._work])
                finally:
                    await self._stopped()
                if await self._failed():
                    await self._wait(_AGAIN_S)
        finally:
            await close(self.sink)

    async def pause(self, *, who: str) -> None:
        """Deliver nothing until resumed, also over restarts."""
        async with self._changing:
            await self._enter(PAUSED, {}, who)
            self._resumed.clear()
            await self._stopped()

    async def resume(self, *, who: str) -> None:
        """Go on from the position it has; one that is away is tried at once."""
        async with self._changing:
            if not self._resumed.is_set():
                await self._enter(RESUMED, {}, who)
                self._resumed.set()
        self._again.set()

    async def replay(self, since: datetime | None, *, who: str) -> None:
        """Deliver everything from an instant on once more; None = from the beginning of the book.

        Raises BookError where that would double what the sink has.
        """
        check_replay(self.settings.name, self.sink)
        async with self._held():
            position = await asyncio.to_thread(replayed, self.book, self.reader, self.settings, since)
            self.book.acknowledge(self._delivery.name, position.after, position.bookmark)
            await self._enter(REPLAYED, {"from": since.isoformat() if since else ""}, who)

    async def replay_refused(self, *, who: str) -> int:
        """Try what was set aside once more; return how many readings the sink has taken of it now."""
        async with self._held():
            aside = await asyncio.to_thread(set_aside, self.reader, self.settings.name)
            taken = 0
            for batch in await asyncio.to_thread(list, once_more(self.reader, self._delivery.selection, aside)):
                taken += len(batch) - await self._write_again(batch)
            await self._enter(REPLAYED, {"refused": len(aside.readings), "upto": aside.upto}, who)
            return taken

    async def _write_again(self, batch: Batch) -> int:
        """Write a batch out of turn: the position stays. Return how many readings were refused again."""
        position = self.book.position(self._delivery.name) or Position("")
        written, bookmark = await self._delivery.write_again(batch, position.bookmark)
        for event in refused_events(self.settings.name, written.rejected, self.clock.now()):
            await asyncio.wrap_future(self.book.append_event(event))
        if bookmark != position.bookmark:
            self.book.acknowledge(self._delivery.name, position.after, bookmark)
        return len(written.rejected)

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        """While something is changed, nothing is delivered."""
        async with self._changing:
            running = self._resumed.is_set()
            self._resumed.clear()
            await self._stopped()
            try:
                yield
            finally:
                if running:
                    self._resumed.set()

    async def _deliver(self) -> None:
        await self._place()
        idle_s = _IDLE_S if self.settings.every is not None else None
        await follow(
            self.book, self._delivery, status=self.status, batch_max=self.settings.batch, idle_s=idle_s,
            sleep=self._wait,
        )  # fmt: skip

    async def _wait(self, seconds: float) -> None:
        """Wait before the next try, unless somebody says that it is time."""
        self._again.clear()
        waits = {asyncio.ensure_future(self.sleep(seconds)), asyncio.ensure_future(self._again.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _place(self) -> None:
        """Set the position of a sink that is new, or that keeps its own."""
        name = self._delivery.name
        if hasattr(self.sink, "position"):
            kept = await patiently(partial(self._kept, self.sink.position), self.status, self._wait)
            if kept is not None:
                lineage, _, after = kept[0].partition(":")
                if lineage == self.book.lineage:
                    self.book.acknowledge(name, after, kept[1])
                    return
        if self.book.position(name) is not None or self.settings.start == "beginning":
            return
        start = self.settings.start
        look = partial(self.reader.before, start) if isinstance(start, datetime) else self.reader.end
        after = await asyncio.to_thread(look)
        self.book.acknowledge(name, after, "")

    async def _kept(self, ask: Callable[[], Awaitable[tuple[str, str] | None]]) -> tuple[str, str] | None:
        """Ask a sink for the position that it keeps itself."""
        try:
            return await ask()
        except SinkUnavailable:
            self._delivery.note_away()
            raise

    async def _stopped(self) -> None:
        """End the work of now, and let the sink go of what it holds."""
        work = self._work
        if work is not None and not work.done():
            work.cancel()
            await asyncio.wait([work])
        if bug := await self._delivery.end_live():
            _log.error("sink %s: its live lane had ended: %s", self.settings.name, bug, exc_info=bug)
        await close(self.sink)

    async def _failed(self) -> bool:
        """Whether the work ended by a mistake, which is told."""
        work, self._work = self._work, None
        if work is None or work.cancelled() or (error := work.exception()) is None:
            return False
        self.status.state, self.status.reason = "failed", str(error) or type(error).__name__
        self._delivery.note_away()
        if self._told != (here := (self.status.reason, self.status.after)):
            self._told = here
            trace = None if isinstance(error, WattbookError) else error
            _log.error(
                "sink %s failed, and begins anew every %.0f s: %s", self.settings.name, _AGAIN_S, error, exc_info=trace
            )
        return True

    async def _enter(self, kind: str, body: Mapping[str, object], who: str) -> None:
        event = Event(kind, self.settings.name, self.clock.now(), dict(body), who)
        await asyncio.wrap_future(self.book.append_event(event))


def make_sinks(config: Config, book: Book, reader: BookReader, clock: Clock) -> Sequence[RunningSink]:
    """The sinks of a configuration, not yet running."""
    return [
        RunningSink(settings, settings.make(config.surroundings), config, book, reader, clock)
        for settings in config.sinks
    ]


def check_replay(name: str, sink: Sink) -> None:
    """Raise BookError for a sink that would have everything twice."""
    if hasattr(sink, "position"):
        raise BookError(f'sink "{name}" adds rows and cannot tell which it has: nothing is replayed')


def replayed(book: Book, reader: BookReader, settings: SinkSettings, since: datetime | None) -> Position:
    """Where a sink begins to get everything from an instant on once more. What waits for it still comes as well."""
    after = reader.before(since) if since else ""
    position = book.position(position_name(settings.name)) or Position("" if settings.start == "beginning" else after)
    return Position(min(after, position.after, key=lambda each: int(each or 0)), bookmark_of_replay(position.bookmark))


def is_paused(reader: BookReader, name: str) -> bool:
    """Whether a sink was paused and not resumed since."""
    return paused_since(reader, name) is not None


def paused_since(reader: BookReader, name: str) -> datetime | None:
    """When a sink was paused; None = it is not, or was resumed since."""
    events = reader.newest_events((PAUSED, RESUMED), 1, subject=name)
    return events[0].at if events and events[0].kind == PAUSED else None
