"""Readings into an SQL database: PostgreSQL (TimescaleDB), MariaDB, MySQL, Microsoft SQL Server, SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wattbook.model.around import Surroundings
from wattbook.sinks.sink import Sink, SinkSettings
from wattbook.sinks.sql_layout import parse_layout
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
        from wattbook.sinks.sql_address import parse_address  # and SQLAlchemy, which no form needs
        from wattbook.sinks.sql_append import SqlAppendSink
        from wattbook.sinks.sql_line import SqlLine
        from wattbook.sinks.sql_table import parse_table_name
        from wattbook.sinks.sql_upsert import SqlSink

        password = None if self.password is None else self.password.reveal()
        address = parse_address(self.url.reveal(), password, self.file, self.timeout * _LIMIT)
        layout = parse_layout(self.columns, around)
        table = parse_table_name(self.table)
        line = SqlLine(address)
        if self.append or not layout.identity:
            return SqlAppendSink(line, table, layout, f"{around.site}/{self.name}")
        return SqlSink(line, table, layout)
