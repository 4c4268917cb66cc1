"""Rows added to a table that has no key of ours, and our position beside them, moved in the same transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sqlalchemy import Connection, inspect

from wattbook.model import Batch, Columns, SinkRefused, SinkUnavailable, WattbookError
from wattbook.sinks.sink import Rejected, Written
from wattbook.sinks.sql_layout import Layout
from wattbook.sinks.sql_line import SqlLine
from wattbook.sinks.sql_place import Place
from wattbook.sinks.sql_position import Held, move_position, position_table, read_position
from wattbook.sinks.sql_rows import write_rows
from wattbook.sinks.sql_table import TableName, Target

_NONE_TAKEN_MAX = 20  # readings refused one by one and none taken: it is not the readings that are wrong
_REFUSED_MAX = 200  # of one batch, or as many as are found in time: each takes trials, which end within the time-out
_SORTING = 0.5  # of the time-out


@dataclass(slots=True)
class _Sorted:
    """A batch that was refused, in parts that are taken, and readings that are not."""

    taken: list[Columns] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Try:
    """A batch that may have arrived although no answer came."""

    batch: Batch
    held: Held  # what stands there if it has
    written: Written


class SqlAppendSink:
    """Only adds rows. What is refused is found here: halves of a batch, each in its transaction, could be doubled."""

    any_order: ClassVar[bool] = False
    append_only: ClassVar[bool] = True

    def __init__(self, line: SqlLine, table: TableName, layout: Layout, follower: str) -> None:
        self._line, self._layout, self._follower = line, layout, follower
        self._place = Place(line, table, layout, append=True)
        self._positions = position_table(table.schema)
        self._held: Held | None = None  # where the table is, as far as we were told
        self._try: _Try | None = None
        self._meters: frozenset[str] = frozenset()  # whose rows stand there, where no column tells it

    async def position(self) -> tuple[str, str] | None:
        """See KeepsPosition."""
        held = await self._line.use(self._read)
        self._held, self._try = held, None
        return (held.after, held.bookmark) if held.writes else None

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """See Sink. Raises WattbookError when the table is elsewhere than it was: `position` is to be asked."""
        self._check_meters(batch)
        try:
            if self._held is None:
                self._held = await self._line.use(self._read)
                if (written := self._has_arrived(batch, self._held)) is not None:
                    return written
            return await self._written(batch, bookmark, self._held)
        except SinkUnavailable:
            self._place.forget()
            raise

    async def aclose(self) -> None:
        """See Sink."""
        await self._line.aclose()

    def _check_meters(self, batch: Batch) -> None:
        meters = self._meters | self._layout.untold_meters(batch)
        if len(meters) > 1:
            raise SinkUnavailable(
                f"{self._line.address.shown}: no column tells {' from '.join(sorted(meters)[:2])}; "
                "add one with {meter} to `columns`, or name one meter in `meters`"
            )
        self._meters = meters

    def _has_arrived(self, batch: Batch, held: Held) -> Written | None:
        """What came of the last try, if it was written although no answer came."""
        last, self._try = self._try, None
        if last is None or held.writes == last.held.writes - 1:
            return None
        if held == last.held and batch == last.batch:
            return last.written
        self._held = None
        raise WattbookError(f"{self._line.address.shown}: {self._positions.name} has moved, and is read anew")

    def _read(self, connection: Connection) -> Held:
        if not inspect(connection).has_table(self._positions.name, schema=self._positions.schema):
            self._positions.create(connection)
        return read_position(connection, self._positions, self._follower)

    async def _written(self, batch: Batch, bookmark: str, before: Held) -> Written:
        layout = self._layout.grown(batch)
        target = await self._place.ready(layout)
        now = Held(batch.upto or before.after, bookmark, before.writes + 1)  # a batch out of turn has no `upto`
        try:
            return await self._given(batch, batch, before, _Try(batch, now, Written((), bookmark)), target)
        except SinkRefused:
            found = await self._sort(batch, layout, target)
            written = Written(tuple(found.rejected), bookmark)
            taken = Batch(tuple(found.taken), (), batch.upto)
            return await self._given(taken, batch, before, _Try(batch, now, written), target)

    async def _given(self, taken: Batch, batch: Batch, before: Held, this: _Try, target: Target) -> Written:
        layout = self._layout.grown(batch)

        def write(connection: Connection) -> None:
            if not move_position(connection, self._positions, self._follower, before, this.held):
                raise SinkUnavailable(f"{self._line.address.shown}: another wattbook writes as {self._follower} too")
            write_rows(connection, target, layout.rows(taken))

        self._held, self._try = None, this  # until the answer is here
        await self._line.use(write)
        self._held, self._try = this.held, None
        return this.written

    async def _sort(self, batch: Batch, layout: Layout, target: Target) -> _Sorted:
        """Try ever smaller parts in transactions that are undone. Raises SinkUnavailable when too much is refused."""
        found, waiting = _Sorted(), [batch]
        end_s = time.monotonic() + self._line.address.limit_s * _SORTING
        while waiting:
            part = waiting.pop()
            error = await self._refusal(part, layout, target)
            if error is None:
                found.taken += part.columns
            elif len(part) > 1:
                waiting += reversed(part.halves())
            else:
                (columns,) = part.columns
                found.rejected.append(Rejected(columns.meter, columns.at_ms[0], str(error), columns.site))
                if len(found.rejected) == _NONE_TAKEN_MAX and not found.taken:
                    await self._any_taken(waiting, layout, target, error)
                if len(found.rejected) >= _REFUSED_MAX and time.monotonic() > end_s:
                    raise SinkUnavailable(f"it refuses too many readings: {error}") from error
        return found

    async def _any_taken(self, waiting: Sequence[Batch], layout: Layout, target: Target, error: SinkRefused) -> None:
        """A batch may begin with a meter that is refused, and it alone. Raises SinkUnavailable when all the rest is."""
        for part in waiting:
            if await self._refusal(part, layout, target) is None:
                return
        raise SinkUnavailable(f"it refuses too many readings: {error}") from error

    async def _refusal(self, batch: Batch, layout: Layout, target: Target) -> SinkRefused | None:
        try:
            await self._line.use(lambda connection: write_rows(connection, target, layout.rows(batch)), keep=False)
        except SinkRefused as error:
            return error
        return None
