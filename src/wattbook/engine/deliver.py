"""Deliver what the journal holds to one sink: chosen, condensed where asked, in parts where refused, within a time.

A sink that takes rows in any order has two lanes (design, promise 2): what it missed, oldest first, and beside it
everything that is read from now on. The second keeps no position: the first comes by the same readings once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wattbook.codecs.reading_json import format_instant
from wattbook.engine.condense import Intervals, begun_by, rows_of
from wattbook.engine.follow import Decision, Following, follow
from wattbook.engine.select import Selection, of_the_era
from wattbook.model import Batch, Clock, Columns, Event, SinkRefused, SinkUnavailable
from wattbook.model.batch import BEFORE_ALL_MS, from_ms, to_ms
from wattbook.sinks import Rejected, Sink, Written
from wattbook.store import BookReader, Journal, Position

REFUSED, PAUSED, RESUMED, REPLAYED = "sink.refused", "sink.paused", "sink.resumed", "sink.replayed"
_ALL_REFUSED = 20  # readings refused one by one and none taken: it is not the readings that are wrong
_IN_ONE_EVENT = 500  # readings set aside: 60 kB, with the longest reasons 200
_REASON_MAX = 300  # characters: some servers answer with a page
_CLOSE_S = 5.0
_MOST = 100_000  # more than any batch has
_LEAST = 20  # a network that hung makes everything look slow
_RECENT = 1_000  # entries: what was read just before a sink came back is of now, too

_log = logging.getLogger("wattbook.sinks")


@dataclass(slots=True)
class SinkStatus(Following):
    """How a sink fares. Counts run since the daemon's start."""

    name: str = ""
    kind: str = ""
    written: int = 0  # rows that it has
    rejected: int = 0  # readings set aside: it will never take them
    skipped: int = 0  # corrections that it cannot take, and readings that it had
    behind: bool = False  # more than one batch is waiting
    newest: datetime | None = None  # instant of the newest reading that it has
    away_since: datetime | None = None  # since when it takes nothing, away or failed


@dataclass(slots=True)
class Delivery:
    """The follower of one sink. Its events go into the journal with its position."""

    name: str
    sink: Sink
    selection: Selection
    journal: Journal
    lineage: str  # of the journal
    reader: BookReader
    clock: Clock
    status: SinkStatus
    commit_every_s: float = 0.0  # so late a reading may be in the journal
    _left_out: int = 0  # of the batch in hand: counted when it is done
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _live: asyncio.Task[None] | None = None
    _most: int = _MOST  # readings at once: fewer, after it took too long for more

    async def take(self, batch: Batch, bookmark: str) -> Decision:
        """Give the sink its part of a batch. Raises SinkUnavailable to get the batch again."""
        self._left_out = 0
        try:
            decision = await self._take(batch, bookmark)
        except SinkUnavailable:
            self.note_away()
            if bug := await self.end_live():  # one that is away is asked by one lane, which waits longer each time
                raise bug from None
            raise
        self.status.skipped += self._left_out
        self.status.away_since = None
        return decision

    def note_away(self) -> None:
        """From now on it takes nothing, unless it did not before."""
        self.status.away_since = self.status.away_since or self.clock.now()

    async def _take(self, batch: Batch, bookmark: str) -> Decision:
        settings = self.selection.settings
        self.status.behind = len(batch) >= settings.batch and await self._is_behind(batch)
        if self.status.behind:
            if self.status.state != "away":
                await self._begin_live()
        elif bug := await self.end_live():
            raise bug
        chosen = self.selection.of(batch)
        if self.sink.append_only:
            new = await self.without_corrections(chosen)
            self._left_out += len(chosen) - len(new)
            vanished = await asyncio.to_thread(self.reader.vanished, batch, self.status.after)
            chosen = self.selection.of(Batch((*new.columns, *vanished), (), batch.upto))
        chosen, outside = of_the_era(chosen)
        if settings.every is None:
            written = await self.write(chosen, _kept(bookmark).get("sink", ""))
            bookmark = written.bookmark
        else:
            written, bookmark = await self._take_condensed(chosen, bookmark)
        self.status.rejected += len(outside)
        return self._decided((*outside, *written.rejected), bookmark)

    async def _is_behind(self, batch: Batch) -> bool:
        """Whether as much again waits: a full batch alone may be all there is."""
        return await asyncio.to_thread(self.reader.behind, batch.upto) >= len(batch)

    async def _take_condensed(self, chosen: Batch, bookmark: str) -> tuple[Written, str]:
        """Write one row an interval; return also what to keep: which are open, beside the sink's own bookmark."""
        settings = self.selection.settings
        assert settings.every is not None
        kept = _kept(bookmark)
        intervals = Intervals.remember(settings.every, self.selection.around.zone, kept.get("intervals", ""))
        condensed = await asyncio.to_thread(self._condensed, chosen, intervals)
        if self._keeps_position:  # it stores all of this with its rows
            state = json.dumps({"intervals": intervals.text})
            return await self.write(condensed, state), state
        written = await self.write(condensed, kept.get("sink", ""))
        state = json.dumps({"sink": written.bookmark, "intervals": intervals.text})
        return written, state if intervals.sent or intervals.open else bookmark

    @property
    def _keeps_position(self) -> bool:
        return hasattr(self.sink, "position")

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Write readings, in ever smaller parts where the sink refuses without saying what."""
        if not batch.columns:
            return Written(bookmark=bookmark)
        if self._keeps_position and batch.upto:  # numbers of another book mean nothing in this one
            batch = Batch(batch.columns, (), f"{self.lineage}:{batch.upto}")
        written = await self._within_time(batch, bookmark)
        refused = len(written.rejected)
        if refused >= _ALL_REFUSED and refused == len(batch) and not all(each.late for each in written.rejected):
            raise SinkUnavailable(f"it refuses every reading: {written.rejected[0].reason}")
        self.status.written += len(batch) - refused - written.skipped
        self.status.rejected += refused
        self.status.skipped += written.skipped
        newest = from_ms(max(max(columns.at_ms) for columns in batch.columns))
        self.status.newest = max(newest, self.status.newest or newest)
        return written

    async def write_again(self, batch: Batch, bookmark: str) -> tuple[Written, str]:
        """Write rows out of turn, beside the position with this bookmark; return what to keep with it now."""
        if self.selection.settings.every is None or self._keeps_position:
            written = await self.write(batch, bookmark)
            return written, written.bookmark
        kept = _kept(bookmark)
        written = await self.write(batch, kept.get("sink", ""))
        return written, json.dumps({**kept, "sink": written.bookmark})

    async def _within_time(self, batch: Batch, bookmark: str) -> Written:
        """Write as much at once as the sink was seen to take within the time for one batch."""
        rejected: tuple[Rejected, ...] = ()
        skipped, tally = 0, _Tally()
        for part in batch.parts(min(self._most, len(batch))):
            written = await self._in_parts(part, bookmark, tally)
            rejected, skipped, bookmark = rejected + written.rejected, skipped + written.skipped, written.bookmark
        self._most = min(2 * self._most, _MOST)
        return Written(rejected, bookmark, skipped)

    async def end_live(self) -> BaseException | None:
        """End the lane of what is read now: from here on the other one has caught up, and has the last word.

        Returns the bug that had ended it before, if one had.
        """
        live = self._live
        if live is None:
            return None
        live.cancel()
        await asyncio.wait([live])  # awaited itself, it would swallow a cancellation of ours
        self._live = None
        return None if live.cancelled() else live.exception()

    async def _begin_live(self) -> None:
        if self._live is not None and self._live.done() and (bug := await self.end_live()):
            raise bug
        if self._live is not None or not self.sink.any_order or self.selection.settings.every is not None:
            return
        end = await asyncio.to_thread(self.reader.end, back=_RECENT)
        self._live = asyncio.create_task(
            follow(self.journal, _Lane(self), positions=_From(end), batch_max=self.selection.settings.batch)
        )

    async def _in_parts(self, batch: Batch, bookmark: str, tally: _Tally) -> Written:
        """Write a batch, and what the sink refuses of it in ever smaller parts, in their order."""
        waiting, rejected, skipped = [batch], list[Rejected](), 0
        while waiting:
            part = waiting.pop()
            try:
                written = await self.once(part, bookmark)
            except SinkRefused as error:
                if len(part) > 1:
                    waiting += reversed(part.halves())
                    continue
                (columns,) = part.columns
                written = Written((Rejected(columns.meter, columns.at_ms[0], str(error), columns.site),), bookmark)
                tally.refused += 1
                if not tally.taken and tally.refused >= _ALL_REFUSED:
                    await self._try_others(waiting, bookmark, error)
                    tally.taken += 1
            else:
                tally.taken += len(part)
            rejected += written.rejected
            skipped, bookmark = skipped + written.skipped, written.bookmark
        return Written(tuple(rejected), bookmark, skipped)

    async def _try_others(self, waiting: Sequence[Batch], bookmark: str, error: SinkRefused) -> None:
        """Write the last reading of parts that wait: a batch may begin with a meter that is refused, and it alone.

        It comes again with its part, so that a correction stays behind what it corrects. Raises SinkUnavailable when
        none is taken either, or when that would turn the order round.
        """
        for part in waiting if self.sink.any_order else ():
            last = part.columns[-1]
            with contextlib.suppress(SinkRefused):
                written = await self.once(Batch((last.cut(slice(len(last) - 1, None)),), (), ""), bookmark)
                if not written.rejected:
                    return
        raise SinkUnavailable(f"it refuses every reading: {error}") from error

    async def once(self, batch: Batch, bookmark: str) -> Written:
        """Write a batch as it is. Raises SinkUnavailable when that takes too long."""
        limit_s = self.selection.settings.timeout
        async with self._writing:
            try:
                async with asyncio.timeout(limit_s):
                    return await self.sink.write(batch, bookmark)
            except TimeoutError as error:
                await close(self.sink)
                if not self._keeps_position:  # of which a part would have no position
                    self._most = max(_LEAST, len(batch) // 4)
                raise SinkUnavailable(f"no answer within {limit_s:g} s to {len(batch)} readings") from error

    async def without_corrections(self, batch: Batch) -> Batch:
        """What is new in a batch: this sink cannot change what it has. What it never had is new, corrected or not."""
        found = await asyncio.to_thread(self.reader.corrections, batch, self.status.after)
        if not found:
            return batch
        left = [_without(columns, found) for columns in batch.columns]
        return Batch(tuple(columns for columns in left if len(columns)), (), batch.upto)

    def _condensed(self, batch: Batch, intervals: Intervals) -> Batch:
        """The rows of all intervals that are over, of what this batch and those before it touched."""
        for columns in batch.columns:
            new = intervals.touch(columns)
            if self.sink.append_only:
                self._close_sent(intervals, columns.site, columns.meter, new)
        aggregate = self.selection.settings.aggregate
        rows = []
        for site, meter, starts in intervals.over(to_ms(self.clock.now()) - round(self.commit_every_s * 1000)):
            rows.append(rows_of(self.reader, intervals, site, meter, starts, aggregate))
            sent = intervals.sent.get((site, meter), BEFORE_ALL_MS)
            intervals.sent[site, meter] = max(sent, intervals.span_of(starts[-1])[1])
        return self.selection.of(Batch(tuple(columns for columns in rows if len(columns)), (), batch.upto))

    def _close_sent(self, intervals: Intervals, site: str, meter: str, new: Sequence[int]) -> None:
        """What came late into intervals whose rows were sent is left out. Those that had no reading yet stay open."""
        sent = intervals.sent.get((site, meter), BEFORE_ALL_MS)
        late = [start for start in new if start < sent]
        if late:
            begun = begun_by(self.reader, intervals, site, meter, late, self.status.after)
            intervals.close(site, meter, begun)
            self._left_out += sum(intervals.span_of(start)[1] < sent for start in begun)

    def _decided(self, rejected: Sequence[Rejected], bookmark: str) -> Decision:
        name = self.selection.settings.name
        late = [each for each in rejected if each.late]
        if len(late) > _IN_ONE_EVENT:  # a book's history: noted one by one it would take more room than it does itself
            rejected = [each for each in rejected if not each.late]
            _log.warning("sink %s: left out %d readings: %s", name, len(late), late[0].reason)
        for reason in dict.fromkeys(each.reason for each in rejected):
            _log.warning("sink %s: set aside, as it will never be taken: %s", name, reason)
        return Decision(bookmark, tuple(refused_events(name, rejected, self.clock.now())))


@dataclass(slots=True)
class _Tally:
    """How the parts of one batch fared."""

    taken: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Lane:
    """The lane of what is read now, while the other one catches up."""

    delivery: Delivery
    name: str = "live"

    async def take(self, batch: Batch, bookmark: str) -> str:
        """Try once: what fails here comes with the backlog, which tells of it."""
        chosen, _ = of_the_era(self.delivery.selection.of(batch))
        if self.delivery.sink.append_only:
            chosen = await self.delivery.without_corrections(chosen)
        if chosen.columns:
            with contextlib.suppress(SinkUnavailable, SinkRefused):
                await self.delivery.once(chosen, "")
        return bookmark


@dataclass(frozen=True, slots=True)
class _From:
    """A position to begin at, and none to come back to."""

    after: str

    def position(self, follower: str) -> Position | None:
        """Where to begin."""
        return Position(self.after)

    def acknowledge(self, follower: str, after: str, bookmark: str = "") -> None:
        """Nothing is kept."""


def _kept(bookmark: str) -> Mapping[str, str]:
    """The sink's own bookmark and which intervals are open, also when "every" was set or left out meanwhile."""
    if bookmark.startswith(('{"sink": ', '{"intervals": ')):
        return dict(json.loads(bookmark))
    return {"sink": bookmark}


def bookmark_of_replay(bookmark: str) -> str:
    """What of a bookmark holds when everything is delivered anew: the intervals that have no row yet."""
    open_ = json.loads(_kept(bookmark).get("intervals") or "{}")
    return json.dumps({"intervals": json.dumps({**open_, "s": {}})}) if open_ else ""


def _without(columns: Columns, numbers: frozenset[int]) -> Columns:
    if numbers.isdisjoint(columns.seq):
        return columns
    return columns.take([row for row, seq in enumerate(columns.seq) if seq not in numbers])


def refused_events(name: str, rejected: Sequence[Rejected], now: datetime) -> Iterable[Event]:
    """Events that set readings aside, for the journal."""
    for start in range(0, len(rejected), _IN_ONE_EVENT):
        readings = [
            {"meter": each.meter, "at": format_instant(from_ms(each.at_ms)), "reason": each.reason[:_REASON_MAX]}
            | ({"site": each.site} if each.site else {})
            for each in rejected[start : start + _IN_ONE_EVENT]
        ]
        yield Event(REFUSED, name, now, {"readings": readings})


async def close(sink: Sink) -> None:
    """Let a sink go of its connections, for a short time only: the network may hang. What goes wrong is logged."""
    closing = asyncio.ensure_future(sink.aclose())
    try:
        await asyncio.wait([closing], timeout=_CLOSE_S)
    finally:
        closing.cancel()
    if closing.done() and not closing.cancelled() and (error := closing.exception()):
        _log.warning("a sink did not close its connections: %s", error, exc_info=error)
