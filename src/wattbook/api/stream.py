"""/api/v1/live: readings and changes as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

from wattbook.api.answers import compact
from wattbook.api.context import ApiContext
from wattbook.api.meters import one_meter
from wattbook.api.supply import supply_json
from wattbook.codecs import reading_json
from wattbook.engine.live import BEGINS_ANEW, AlertsChanged, Changed, Item, Seen, SupplyChanged, Watcher
from wattbook.model import BookError

KEEP_ALIVE_S = 15.0  # proxies cut connections that are silent for a minute, some for 30 s
RETRY_MS = 2000  # how long a browser waits before it comes back
ANEW_MS = 100  # the same where another configuration comes into force: it is a matter of a second
REPLAY_MAX = 1000  # readings after Last-Event-ID; who missed more asks the book


async def events(context: ApiContext, meters: Iterable[str] | None, after: str) -> AsyncIterator[bytes]:
    """Yield the last reading of each meter, then events until the client leaves, falls behind, or the daemon stops.

    Who watches all meters is told of the supply and of alerts too. `after` is the Last-Event-ID, or "". A reading may
    come twice, never out of order for its meter but after a replay.
    """
    wanted = None if meters is None else frozenset(meters)
    with context.live.watch(wanted) as watcher:
        yield f"retry: {RETRY_MS}\n: wattbook\n\n".encode()
        if after:
            yield b"".join(await asyncio.to_thread(lambda: list(_missed(context, wanted, after))))
        yield b"".join(event for seen in watcher.first for event in _event(context, seen))
        if wanted is None and (supply := context.supply()).since:  # known
            yield b"".join(_event(context, SupplyChanged(supply)))
        if wanted is None and context.alerts is not None and context.config.alerts:
            yield b"".join(_event(context, AlertsChanged(context.alerts.watcher.standing())))
        async for items in _batches(watcher):
            yield b"".join(event for item in items for event in _event(context, item)) or b": still here\n\n"
        if watcher.ended == BEGINS_ANEW:
            yield f"retry: {ANEW_MS}\n\n".encode()


async def _batches(watcher: Watcher) -> AsyncIterator[Iterable[Item]]:
    while True:
        items = await watcher.take(KEEP_ALIVE_S)
        if watcher.ended and not items:
            return
        yield items


def _event(context: ApiContext, item: Item) -> Iterator[bytes]:
    match item:
        case Seen(reading, seq):
            yield _numbered(reading_json.encode(reading), seq)
        case Changed(meter):
            known = one_meter(context, meter)
            if known is not None:
                yield b"event: status\ndata: %b\n\n" % compact(known)
        case SupplyChanged(now):
            yield b"event: supply\ndata: %b\n\n" % compact(supply_json(context, now))
        case AlertsChanged(now):
            yield b"event: alerts\ndata: %b\n\n" % compact({"raised": now.raised, "changed": now.changed})


def _numbered(encoded: bytes, seq: int | None) -> bytes:
    """A reading's JSON as an event; with its number inside, and as the id that a browser sends when it comes back."""
    if seq is None:
        return b"data: %b\n\n" % encoded
    return b'id: %d\ndata: %b,"seq":%d}\n\n' % (seq, encoded[:-1], seq)


def _missed(context: ApiContext, meters: frozenset[str] | None, after: str) -> Iterator[bytes]:
    """What was numbered while the client was away, unless it was away for long."""
    try:
        batch = context.reader.read(after, REPLAY_MAX + 1)
    except BookError as error:
        yield f": {error}\n\n".encode()
        return
    if len(batch) > REPLAY_MAX:
        yield b": too much was missed; it is in the book\n\n"
        return
    for columns in batch.columns:
        if meters is None or columns.meter in meters:
            for reading, seq in zip(columns.readings(), columns.seq, strict=True):
                yield from _event(context, Seen(reading, seq))
