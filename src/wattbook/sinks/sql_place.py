"""The table of one sink: looked for when it is first written to, and again after anything has failed."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection

from wattbook.sinks.sql_layout import Layout
from wattbook.sinks.sql_line import SqlLine
from wattbook.sinks.sql_table import TableName, Target, fit, grow


class Place:
    """The table, once it was seen to fit; two lanes may ask at once."""

    def __init__(self, line: SqlLine, name: TableName, layout: Layout, *, append: bool) -> None:
        self._line, self._name, self._layout, self._append = line, name, layout, append
        self._target: Target | None = None
        self._looking = asyncio.Lock()

    async def ready(self, layout: Layout) -> Target:
        """The table, with a column for each of the layout's. Made before and apart from what is written to it."""
        async with self._looking:
            if self._target is None or not layout.columns.keys() <= self._target.types.keys():
                self._target = await self._line.use(lambda connection: self._fitted(connection, layout))
            return self._target

    def forget(self) -> None:
        """Look again: it may be another one by now."""
        self._target = None

    def _fitted(self, connection: Connection, layout: Layout) -> Target:
        target = fit(connection, self._name, self._layout, append=self._append)
        return grow(connection, target, layout)
