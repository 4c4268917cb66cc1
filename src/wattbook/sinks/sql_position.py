"""Our position in a table beside the readings, moved in the same transaction as they are written."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, Text, insert, select, update
from sqlalchemy.dialects import mssql, mysql

TABLE = "wattbook_position"
_FOLLOWER_SIZE_MAX = 201  # a site, "/", a sink

# "A" and "a" are two followers; see sql_table.
_FOLLOWER = (
    String(_FOLLOWER_SIZE_MAX)
    .with_variant(mysql.VARCHAR(_FOLLOWER_SIZE_MAX, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    .with_variant(mssql.NVARCHAR(_FOLLOWER_SIZE_MAX, collation="Latin1_General_100_BIN2"), "mssql")
)
_ANY_TEXT = Text().with_variant(mssql.NVARCHAR(None), "mssql")


@dataclass(frozen=True, slots=True)
class Held:
    """Where we are. `writes` counts the batches: it tells whether one arrived whose answer was lost."""

    after: str
    bookmark: str
    writes: int


def position_table(schema: str | None) -> Table:
    """The table beside."""
    return Table(
        TABLE,
        MetaData(),
        Column("follower", _FOLLOWER, primary_key=True),
        Column("after", _ANY_TEXT, nullable=False),
        Column("bookmark", _ANY_TEXT, nullable=False),
        Column("writes", BigInteger, nullable=False),
        schema=schema,
    )


def read_position(connection: Connection, table: Table, follower: str) -> Held:
    """What is kept; zero writes = nothing yet."""
    columns = table.c
    row = connection.execute(
        select(columns.after, columns.bookmark, columns.writes).where(columns.follower == follower)
    ).first()
    if row is not None:
        return Held(row[0], row[1], row[2])
    connection.execute(insert(table).values(follower=follower, after="", bookmark="", writes=0))
    return Held("", "", 0)


def move_position(connection: Connection, table: Table, follower: str, before: Held, now: Held) -> bool:
    """Move it in the running transaction; False when it is no longer where we believed."""
    moved = connection.execute(
        update(table)
        .where(table.c.follower == follower, table.c.writes == before.writes)
        .values(after=now.after, bookmark=now.bookmark, writes=now.writes)
    )
    return moved.rowcount == 1
