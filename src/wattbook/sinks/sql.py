"""Readings into an SQL database: PostgreSQL (TimescaleDB), MariaDB, MySQL, Microsoft SQL Server, SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from wattbook.model import Batch, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.sink import Rejected, Sink, SinkSettings, Written
from wattbook.sinks.sql_address import parse_address
from wattbook.sinks.sql_append import SqlAppendSink
from wattbook.sinks.sql_layout import Layout, parse_layout
from wattbook.sinks.sql_line import SqlLine
from wattbook.sinks.sql_place import Place
from wattbook.sinks.sql_rows import write_rows
from wattbook.sinks.sql_table import TableName, Target, parse_table_name
from wattbook.values import Secret, SecretText

Columns = Mapping[str, str]
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
    columns: Columns = field(default_factory=dict)  # column = template; {} = site, meter, at, quality and each quantity
    append: bool = False  # only add rows, our position beside; always so where the columns do not tell readings apart

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
