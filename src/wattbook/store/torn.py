"""Rows that hold what cannot be read: SQLite's own check looks at pages and trees, not into what the rows say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from time import monotonic
from typing import Any

import msgspec

from wattbook.model.batch import QUALITY_OF, from_ms
from wattbook.store.life import LIFE
from wattbook.store.packing import is_whole, parse_shape

AT_ONCE = 10_000  # rows looked at in one transaction: some 20 ms
# As blobs: text that is no UTF-8 would be an error of the whole statement.
_SHAPES = "SELECT id, CAST(cells AS BLOB) FROM shape"
_EVENT = "SELECT seq, at, CAST(kind AS BLOB), CAST(body AS BLOB) FROM event WHERE"
_LIVES = f"{_EVENT} kind IN ({', '.join('?' * len(LIFE))})"
_ROWS = {
    "event": f"{_EVENT} seq > ? ORDER BY seq LIMIT ?",
    "hot": "SELECT seq, at, shape, quality, CAST(doubt AS BLOB), CAST(cells AS BLOB) FROM hot"
    " WHERE seq > ? ORDER BY seq LIMIT ?",
}
_decode_body = msgspec.json.Decoder(dict[str, Any]).decode

Lengths = Mapping[int, int]  # shape -> how many quantities it has


def shapes(connection: sqlite3.Connection) -> tuple[Lengths, list[int]]:
    """The lengths of the shapes that can be read, and the numbers of the others."""
    lengths, torn = {}, []
    for shape_id, cells in connection.execute(_SHAPES):
        try:
            lengths[shape_id] = len(parse_shape(cells))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            torn.append(shape_id)
    return lengths, torn


def torn_after(connection: sqlite3.Connection, table: str, seq: int, lengths: Lengths) -> tuple[list[int], int | None]:
    """Which of the next rows of "event" or "hot" cannot be read, and the number to go on after; None = at the end."""
    rows = connection.execute(_ROWS[table], (seq, AT_ONCE)).fetchall()
    if table == "event":
        torn = [row[0] for row in rows if not _is_event(*row[1:])]
    else:
        torn = [row[0] for row in rows if not _is_reading(lengths, *row[1:])]
    return torn, rows[-1][0] if len(rows) == AT_ONCE else None


def torn_rows(connection: sqlite3.Connection, table: str, lengths: Lengths) -> Iterator[int]:
    """The numbers of all rows of "event" or "hot" that cannot be read."""
    seq: int | None = 0
    while seq is not None:  # ends: each turn moves on
        torn, seq = torn_after(connection, table, seq, lengths)
        yield from torn


def first_torn(connection: sqlite3.Connection, *, within_s: float) -> str:
    """What cannot be read, in words; "" = nothing was found.

    Always looked at is what every start reads: shapes, and events of meters' lives; the rest as far as the time goes.
    """
    lengths, torn = shapes(connection)
    if torn:
        return f"shape {torn[0]} cannot be read"
    for seq, *its in connection.execute(_LIVES, LIFE):
        if not _is_event(*its):
            return f"event {seq} cannot be read"
    ends_s = monotonic() + within_s
    for table, what in (("event", "event"), ("hot", "reading")):
        after: int | None = 0
        while after is not None and monotonic() < ends_s:
            torn, after = torn_after(connection, table, after, lengths)
            if torn:
                return f"{what} {torn[0]} cannot be read"
    return ""


def _is_reading(lengths: Lengths, at: object, shape: int, quality: int, doubt: object, cells: object) -> bool:
    return _is_instant(at) and quality in QUALITY_OF and shape in lengths and is_whole(cells, doubt, lengths[shape])


def _is_event(at: object, kind: bytes, body: bytes) -> bool:
    try:
        kind_name, since = kind.decode(), _decode_body(body).get("from")
        if since is not None and kind_name.startswith("meter."):
            datetime.fromisoformat(since)
    except (msgspec.MsgspecError, TypeError, ValueError):
        return False
    return _is_instant(at)


def _is_instant(at: object) -> bool:
    try:
        from_ms(at)  # type: ignore[arg-type]  # a damaged row may hold anything
    except (TypeError, OverflowError):
        return False
    return True
