"""Follow the journal: the one mechanism for buffering, retry and catching up (design, rules 1 and 3).

A follower is given batches in order, from its own position, again and again until it takes them. One that is away for
a month is a position that lags, not a queue that overflows. One that decides gives its events back, and they are
written with its position in one transaction; what reaches the outside is done by another that follows the events.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, TypeVar

from wattbook.model import Batch, Event, WattbookError
from wattbook.store import Journal, Position, Positions

T = TypeVar("T")

BATCH_MAX = 5_000  # readings and events at once: some 25 ms of reading, 3 MB
_BACKOFF_FIRST_S = 1.0
_BACKOFF_MAX_S = 60.0  # a system that was away for days is noticed within a minute

_log = logging.getLogger("wattbook.follow")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a follower that decides makes of a batch: the bookmark to keep, and events for the journal."""

    bookmark: str
    events: tuple[Event, ...] = ()


class Follower(Protocol):
    """Whatever acts on the journal: a sink, the alerts, the ledger, the centre."""

    @property
    def name(self) -> str:
        """The name its position is kept under."""
        ...

    async def take(self, batch: Batch, bookmark: str) -> str | Decision:
        """Give the batch its effect and return the bookmark to keep with the position.

        A follower that decides does nothing else than return its Decision. The same batch may come again after a crash.
        Raises a WattbookError with `retry` to get it again later.
        """
        ...


@dataclass(slots=True)
class Following:
    """How a follower fares, for the page and /metrics. Written by `follow` alone."""

    follower: str
    state: Literal["starting", "reading", "waiting", "away", "paused", "failed"] = "starting"
    reason: str = ""  # why it is away, in words
    after: str = ""
    entries: int = 0  # taken since the start
    retries: int = 0


async def follow(
    journal: Journal,
    follower: Follower,
    *,
    positions: Positions | None = None,
    status: Following | None = None,
    batch_max: int = BATCH_MAX,
    idle_s: float | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Give a follower everything after its position, then whatever is committed, until cancelled.

    `positions` is where its position is stored when not in the journal: that is for followers that decide nothing.
    `idle_s`: at the journal's end it gets an empty batch so often, for those to whom silence means something. An error
    without `retry` ends it, be it the follower's or the journal's.
    """
    positions = positions or journal
    status = status or Following(follower.name)

    async def tried(attempt: Callable[[], Awaitable[T]]) -> T:
        return await patiently(attempt, status, sleep)

    here = await tried(partial(asyncio.to_thread, positions.position, follower.name)) or Position("")
    status.after = here.after
    bell = _Bell(asyncio.get_running_loop())
    end = journal.on_commit(bell.ring)
    ahead: asyncio.Task[Batch] | None = None
    try:
        while True:
            bell.silence()  # before reading: a commit from here on rings it again
            status.state = "reading"
            batch = await tried(partial(_read, journal, here.after, batch_max, ahead))
            ahead = None
            if len(batch) == batch_max:  # there is more: read while this one is taken
                ahead = asyncio.create_task(asyncio.to_thread(journal.read, batch.upto, batch_max))
            if not len(batch):
                status.state = "waiting"
                if await bell.rung(idle_s):
                    continue
            taken = await tried(partial(follower.take, batch, here.bookmark))
            decision = Decision(taken) if isinstance(taken, str) else taken
            before, here = here, Position(batch.upto, decision.bookmark)
            if decision.events:
                assert positions is journal, f"{follower.name} decides, so its position belongs into the journal"
                await tried(partial(_decided, journal, follower.name, here, decision.events))
            elif here != before:
                keep = partial(positions.acknowledge, follower.name, here.after, here.bookmark)
                await tried(partial(asyncio.to_thread, keep))
            status.after = here.after
            status.entries += len(batch)
    finally:
        end()
        if ahead is not None:
            ahead.cancel()


async def _read(journal: Journal, after: str, limit: int, ahead: asyncio.Task[Batch] | None) -> Batch:
    """What was read ahead; else, or when there was nothing then, what there is now."""
    if ahead is not None:
        with contextlib.suppress(WattbookError):
            batch = await ahead
            if len(batch):
                return batch
    return await asyncio.to_thread(journal.read, after, limit)


async def _decided(journal: Journal, follower: str, here: Position, events: tuple[Event, ...]) -> None:
    await asyncio.wrap_future(journal.decide(follower, here.after, here.bookmark, events))


async def patiently(
    attempt: Callable[[], Awaitable[T]], status: Following, sleep: Callable[[float], Awaitable[None]]
) -> T:
    """Try until it succeeds, waiting longer each time. An error without `retry` is raised."""
    backoff_s = _BACKOFF_FIRST_S
    while True:
        try:
            result = await attempt()
        except WattbookError as error:
            if not error.retry:
                raise
            if status.state != "away":
                _log.warning("%s is away: %s", status.follower, error)
            status.state, status.reason = "away", str(error)
            status.retries += 1
        else:
            if status.state == "away":
                _log.warning("%s is back", status.follower)
                status.state, status.reason = "reading", ""
            return result
        await sleep(backoff_s)
        backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)


class _Bell:
    """Wakes a waiting coroutine from any thread, at most once for many rings."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._ringing = False

    def ring(self) -> None:
        if not self._ringing:
            self._ringing = True
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self._loop.call_soon_threadsafe(self._event.set)

    def silence(self) -> None:
        self._event.clear()
        self._ringing = False

    async def rung(self, within_s: float | None) -> bool:
        """Wait for it; return whether it rang within this time."""
        try:
            async with asyncio.timeout(within_s):  # `wait_for` of 3.11 loses a cancellation that comes with the ring
                await self._event.wait()
        except TimeoutError:
            return False
        return True
