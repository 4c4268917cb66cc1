"""Readings into an SQL database: PostgreSQL (TimescaleDB), MariaDB, MySQL, Microsoft SQL Server, SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from sqlalchemy import Connection, inspect

from wattbook.model import Batch, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.sink import Rejected, Sink, SinkSettings, Written
from wattbook.sinks.sql_address import parse_address
from wattbook.sinks.sql_layout import Layout, parse_layout
from wattbook.sinks.sql_line import SqlLine
from wattbook.sinks.sql_position import Held, move_position, position_table, read_position
from wattbook.sinks.sql_rows import write_rows
from wattbook.sinks.sql_table import TableName, Target, fit, grow, parse_table_name
from wattbook.values import Secret, SecretText

_NO_URL = Secret("")
_LIMIT = 0.8  # of the time-out for a batch is the database's; the rest is for cutting it off and saying so


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSettings(SinkSettings):
    """How an SQL database is reached, and what stands in which column."""

    kind: Literal["sql"] = "sql"
    url: SecretText = _NO_URL  # "postgresql://user@host/database"; or mariadb:// mysql:// mssql://
    password: SecretText | None = None  # where the url has none
    file: Path | None = None  # instead of a url: an SQLite database
    table: str = "readings"  # made when it is not there; a schema may stand before it: "dbo.Office_Readings"
    columns: Mapping[str, str] = field(
        default_factory=dict
    )  # column = template; {} = site, meter, at, quality and one for each quantity
    append: bool = (
        False  # only add rows, our position in a table beside. Always so where the columns do not tell readings apart
    )

    def make(self, around: Surroundings) -> Sink:
        """The sink. Raises ValueError."""
        password = None if self.password is None else self.password.reveal()
        address = parse_address(self.url.reveal(), password, self.file, self.timeout * _LIMIT)
        layout = parse_layout(self.columns, around)
        table = parse_table_name(self.table)
        line = SqlLine(address)
        if self.append or not layout.identity:
            return SqlAppendSink(line, table, layout, f"{around.site}/{self.name}")
        return SqlSink(line, table, layout)


class _Place:
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


class SqlSink:
    """Upserts by the identity of a reading."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False

    def __init__(self, line: SqlLine, table: TableName, layout: Layout) -> None:
        self._line, self._layout = line, layout
        self._place = _Place(line, table, layout, append=False)

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


class SqlAppendSink:
    """Adds rows to a table that has no key of ours; keeps its position beside them, in the same transaction."""

    any_order: ClassVar[bool] = False
    append_only: ClassVar[bool] = True

    def __init__(self, line: SqlLine, table: TableName, layout: Layout, follower: str) -> None:
        self._line, self._layout, self._follower = line, layout, follower
        self._place = _Place(line, table, layout, append=True)
        self._positions = position_table(table.schema)
        self._held: Held | None = None  # where the table is, as far as we were told
        self._tried: tuple[Batch, Held] | None = None  # what may have arrived although no answer came

    async def position(self) -> tuple[str, str] | None:
        """See KeepsPosition. To be asked before the first write, and after each SinkUnavailable."""
        held = await self._line.use(self._read)
        self._held, self._tried = held, None
        return (held.after, held.bookmark) if held.writes else None

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """See Sink."""
        if self._held is None:
            held = await self._line.use(self._read)
            if self._has_arrived(batch, held):
                self._held, self._tried = held, None
                return Written(bookmark=bookmark)
            self._held = held
        try:
            now = await self._written(batch, bookmark, self._held)
        except SinkUnavailable:
            self._place.forget()
            raise
        self._held, self._tried = now, None
        return Written(bookmark=bookmark)

    async def aclose(self) -> None:
        """See Sink."""
        await self._line.aclose()

    def _has_arrived(self, batch: Batch, held: Held) -> bool:
        """Whether the last try was written although no answer came. Raises SinkUnavailable when that is unknown."""
        if self._tried is None or held.writes == self._tried[1].writes - 1:
            return False
        if held == self._tried[1] and batch == self._tried[0]:
            return True
        raise SinkUnavailable(f"{self._line.address.shown}: {self._positions.name} has moved; it is read anew")

    def _read(self, connection: Connection) -> Held:
        if not inspect(connection).has_table(self._positions.name, schema=self._positions.schema):
            self._positions.create(connection)
        return read_position(connection, self._positions, self._follower)

    async def _written(self, batch: Batch, bookmark: str, before: Held) -> Held:
        layout = self._layout.grown(batch)
        target = await self._place.ready(layout)
        now = Held(batch.upto, bookmark, before.writes + 1)

        def write(connection: Connection) -> None:
            if not move_position(connection, self._positions, self._follower, before, now):
                raise SinkUnavailable(f"{self._line.address.shown}: another wattbook writes as {self._follower} too")
            write_rows(connection, target, layout.rows(batch))

        self._held, self._tried = None, (batch, now)  # until the answer is here
        await self._line.use(write)
        return now
