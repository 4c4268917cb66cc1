"""Rows whose key is the identity of a reading: one that comes twice is stored once."""

from __future__ import annotations

from typing import ClassVar

from wattbook.model import Batch, SinkUnavailable
from wattbook.sinks.sink import Rejected, Written
from wattbook.sinks.sql_layout import Layout
from wattbook.sinks.sql_line import SqlLine
from wattbook.sinks.sql_place import Place
from wattbook.sinks.sql_rows import write_rows
from wattbook.sinks.sql_table import TableName, Target


class SqlSink:
    """Upserts by the identity of a reading."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False

    def __init__(self, line: SqlLine, table: TableName, layout: Layout) -> None:
        self._line, self._layout = line, layout
        self._place = Place(line, table, layout, append=False)

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """See Sink."""
        layout = self._layout.grown(batch)
        try:
            target = await self._place.ready(layout)
            batch, rejected = _of_one_site(batch, layout, target)
            await self._line.use(lambda connection: write_rows(connection, target, layout.rows(batch)))
        except SinkUnavailable:
            self._place.forget()
            raise
        return Written(rejected, bookmark)

    async def aclose(self) -> None:
        """See Sink."""
        await self._line.aclose()


def _of_one_site(batch: Batch, layout: Layout, target: Target) -> tuple[Batch, tuple[Rejected, ...]]:
    """A key without a site would let the meter of one site replace that of another."""
    own = layout.around.site
    if layout.names_site(target.key) or all(columns.site in ("", own) for columns in batch.columns):
        return batch, ()
    reason = "the table's key has no column for the site, and this reading is of another one"
    rejected = tuple(
        Rejected(columns.meter, at, reason, columns.site)
        for columns in batch.columns
        if columns.site not in ("", own)
        for at in columns.at_ms
    )
    return Batch(tuple(each for each in batch.columns if each.site in ("", own)), (), batch.upto), rejected
