"""Sealed frames as they lie in the book -> tables. Loaded only where there is sealed time to read."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from wattbook.model.batch import from_ms
from wattbook.store import frames
from wattbook.store.frames import FIELDS, Damaged, Frame, Piece
from wattbook.store.table import Column, Table, empty_table

if TYPE_CHECKING:
    from wattbook.store.table import Cells, Codes, Floats, Integers

T = TypeVar("T")

LENGTH_MAX_MS = 2 * 86_400_000  # no frame is longer than a local day, and that has at most 26 hours
_TOLD_MAX = 1_000
_told: set[str] = set()  # damages, so that each is logged once
_log = logging.getLogger("wattbook.book")
_HEAD = (
    "SELECT id, meter, from_at, to_at, n, seq_first, seq_last, revision, codec, crc,"
    " (SELECT name FROM meter WHERE meter.id = frame.meter) FROM frame"
)
_PIECE = ", ".join(FIELDS)


@dataclass(frozen=True, slots=True)
class Head:
    """A frame's row without its columns. Codec FORGOTTEN: its readings are not kept any more."""

    id: int
    meter: int
    from_at: int
    to_at: int
    n: int
    seq_first: int
    seq_last: int
    revision: int
    codec: int
    crc: int
    name: str | None = None  # of the meter; None = lost


def heads_between(connection: sqlite3.Connection, meter_id: int, from_ms: int, to_ms: int) -> list[Head]:
    """The frames of a meter that overlap a span, in order of time."""
    rows = connection.execute(
        f"{_HEAD} WHERE meter = ? AND from_at > ? AND from_at < ? AND to_at > ? ORDER BY from_at",
        (meter_id, from_ms - LENGTH_MAX_MS, to_ms, from_ms),
    )
    return [Head(*row) for row in rows]


def head_at(connection: sqlite3.Connection, meter_id: int, at_ms: int) -> Head | None:
    """The frame that an instant lies in."""
    found = heads_between(connection, meter_id, at_ms, at_ms + 1)
    return found[0] if found else None


def head_of(connection: sqlite3.Connection, frame_id: int) -> Head:
    """A frame by its number."""
    return Head(*connection.execute(f"{_HEAD} WHERE id = ?", (frame_id,)).fetchone())


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a frame's row holds for all its quantities, as stored, its checksum compared."""

    head: Head
    at: bytes
    seq: bytes
    quality: bytes | None

    def instants(self) -> Integers:
        """The instants of the rows."""
        return self._open("instants", lambda: frames.open_at(self.at, self.head.from_at, self.head.codec))

    def numbers(self) -> Integers:
        """The journal's numbers of the rows."""
        return self._open("numbers", lambda: frames.open_seq(self.seq, self.head.n, self.head.seq_first))

    def qualities(self) -> Codes:
        """The qualities of the rows."""
        return self._open("qualities", lambda: frames.open_codes(self.quality, self.head.n))

    def _open(self, what: str, opening: Callable[[], Cells]) -> Cells:
        return _opened(self.head, f"its {what}", lambda: _of_length(opening(), self.head))


def _stored(connection: sqlite3.Connection, head: Head) -> _Stored:
    at, seq, quality = connection.execute("SELECT at, seq, quality FROM frame WHERE id = ?", (head.id,)).fetchone()
    frame = Frame(head.from_at, head.to_at, head.n, at, quality, head.codec, ())
    if frames.frame_crc(frame, head.seq_first, head.seq_last, seq, head.revision) != head.crc:
        raise damaged(head, "the checksum of its instants and numbers differs")
    return _Stored(head, at, seq, quality)


def open_instants(connection: sqlite3.Connection, head: Head) -> Integers:
    """The instants of a frame. Raises Damaged."""
    return _stored(connection, head).instants()


def open_seq(connection: sqlite3.Connection, head: Head) -> Integers:
    """The journal's numbers of a frame's rows. Raises Damaged."""
    return _stored(connection, head).numbers()


def pieces_of(connection: sqlite3.Connection, frame_id: int) -> Iterator[tuple[int, str | None, int, Piece]]:
    """Yield number, quantity (None = its name is lost), checksum and content of all pieces of a frame."""
    rows = connection.execute(
        f"SELECT piece.id, name, crc, {_PIECE} FROM piece LEFT JOIN quantity ON quantity.id = piece.quantity"  # noqa: S608 - our own
        " WHERE frame = ? ORDER BY piece.id",
        (frame_id,),
    )
    for row_id, name, crc, *fields in rows:
        yield row_id, name, crc, Piece(*fields)


def forgotten_in(connection: sqlite3.Connection, head: Head) -> frozenset[str]:
    """The quantities of a frame whose readings are not kept any more."""
    rows = connection.execute(
        "SELECT name FROM piece JOIN quantity ON quantity.id = piece.quantity WHERE frame = ? AND codec = 0",
        (head.id,),
    )
    return frozenset(name for (name,) in rows)


def open_table(connection: sqlite3.Connection, head: Head) -> Table:
    """A whole frame; no row of one whose readings are not kept. Raises Damaged with the meter's name and the day."""
    if head.codec == frames.FORGOTTEN:
        return empty_table()
    columns = {}
    for _, name, crc, piece in pieces_of(connection, head.id):
        if piece.codec != frames.FORGOTTEN:
            check(head, name, crc, piece)
            columns[name or ""] = _column(head, name or "", piece)
    stored = _stored(connection, head)
    return Table(stored.instants(), stored.numbers(), stored.qualities(), columns)


def left_of(connection: sqlite3.Connection, head: Head) -> Table:
    """The readings of a frame that tell anything: of some, all may have been forgotten. Raises Damaged."""
    table = open_table(connection, head)
    return table.telling() if forgotten_in(connection, head) else table


def open_samples(connection: sqlite3.Connection, head: Head, quantity: str) -> tuple[Integers, Floats, Codes] | None:
    """Instants, values and qualities of one quantity of a frame; None = it has none (any more). Raises Damaged."""
    row = connection.execute(
        f"SELECT crc, {_PIECE} FROM piece"  # noqa: S608 - our own names
        " WHERE frame = ? AND quantity = (SELECT id FROM quantity WHERE name = ?)",
        (head.id, quantity),
    ).fetchone()
    if row is None or (piece := Piece(*row[1:])).codec == frames.FORGOTTEN:
        return None
    check(head, quantity, row[0], piece)
    column, stored = _column(head, quantity, piece), _stored(connection, head)
    at, values = stored.instants(), column.values()
    codes = column.codes(stored.qualities())
    if column.present is None:
        return at, values, codes
    return at[column.present], values[column.present], codes[column.present]


def last_row(connection: sqlite3.Connection, meter_id: int, after_ms: int, by_ms: int) -> Table | None:
    """The latest row of a meter up to `by_ms`, if it is later than `after_ms`. Damaged frames are left out."""
    frame_ids = connection.execute(
        "SELECT id FROM frame WHERE meter = ? AND from_at <= ? AND codec <> 0 ORDER BY from_at DESC", (meter_id, by_ms)
    )
    for (frame_id,) in frame_ids:
        head = head_of(connection, frame_id)
        if head.to_at <= after_ms:
            return None
        table = readable(partial(left_of, connection, head))
        if table is not None and (until := table.take(table.at_ms <= by_ms)).at_ms.max(initial=after_ms) > after_ms:
            return until.take(slice(-1, None))
    return None


def tables_after(connection: sqlite3.Connection, seq: int, limit: int) -> tuple[list[tuple[int, Table]], int | None]:
    """Meter and rows of frames with the lowest `limit` numbers above `seq`, and the last of these; None = all of them.

    Only as many frames are opened as that takes; their rows are in order of time. Damaged ones are left out.
    """
    found: list[tuple[Head, Integers]] = []
    numbers = np.zeros(0, np.int64)
    heads = connection.execute(
        "SELECT seq_first, id FROM frame WHERE seq_last > ? AND codec <> 0 ORDER BY seq_first", (seq,)
    )
    for seq_first, frame_id in heads:
        if len(numbers) >= limit and seq_first > numbers.max():
            break
        head = head_of(connection, frame_id)
        its = readable(partial(open_seq, connection, head))
        if its is None:
            continue
        found.append((head, its))
        numbers = np.concatenate((numbers, its[its > seq]))
        if len(numbers) > limit:
            numbers = np.partition(numbers, limit - 1)[:limit]
    last = numbers.max(initial=seq)
    tables = []
    for head, its in found:
        wanted = (its > seq) & (its <= last)
        table = readable(partial(open_table, connection, head)) if wanted.any() else None
        if table is not None:
            tables.append((head.meter, table.take(wanted)))
    return tables, int(last) if len(numbers) >= limit else None


def readable(opening: Callable[[], T]) -> T | None:
    """What can be read; None = it is damaged, which is logged once, so that everything else stays readable."""
    try:
        return opening()
    except Damaged as error:
        tell(error)
        return None


def tell(error: Damaged) -> None:
    """Log a damage, once in the life of this process."""
    if str(error) not in _told and len(_told) < _TOLD_MAX:
        _told.add(str(error))
        _log.error("a part of the book is damaged: %s; `wattbook verify` tells all of it", error)


def check(head: Head, quantity: str | None, crc: int, piece: Piece) -> None:
    """Raise Damaged when a piece is not what was written."""
    if quantity is None:
        raise damaged(head, "the name of a quantity is lost")
    if piece.crc(quantity) != crc:
        raise damaged(head, f"the checksum of {quantity} differs")


def _column(head: Head, quantity: str, piece: Piece) -> Column:
    return _opened(
        head,
        quantity,
        lambda: frames.open_column(head.n, piece.exponent, piece.codec, piece.present, piece.doubt, piece.data),
    )


def quantity_id(connection: sqlite3.Connection, name: str) -> int:
    """The number of a quantity; 0 = nothing is sealed of it."""
    row = connection.execute("SELECT id FROM quantity WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def _of_length(numbers: Cells, head: Head) -> Cells:
    if len(numbers) != head.n:
        raise ValueError(f"{len(numbers)} rows of {head.n}")
    return numbers


def _opened(head: Head, what: str, opening: Callable[[], T]) -> T:
    try:
        return opening()
    except Damaged:
        raise
    except Exception as error:
        raise damaged(head, f"{what} cannot be opened: {error}") from error


def damaged_grid(connection: sqlite3.Connection, meter_id: int, from_at: int, error: Damaged) -> Damaged:
    """The same damage with the meter and day it lies in."""
    head = head_at(connection, meter_id, from_at)
    return error if head is None else damaged(head, str(error))


def damaged(head: Head, reason: str) -> Damaged:
    """A damage in a frame, in words that name its meter and beginning."""
    return Damaged(f"{head.name or head.meter}, frame of {from_ms(head.from_at):%Y-%m-%d %H:%M} UTC: {reason}")
