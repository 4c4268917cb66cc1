"""A table of readings <-> a sealed frame and its pieces: compressed, checked, with summaries that answer unopened.

A frame holds all readings of one meter in a span; a piece one quantity of it. Numbers are compressed with pcodec
(Loncaric, "Pcodec: better compression for numerical sequences", 2025), bitmaps with zlib. A piece tells of its good
values first, last, least, most, sum, the longest distance between two of them and whether they ever fall, and carries
a grid of 15 minutes of UTC, which suits every zone: of a register its value at the end of each, of a gauge the
least, most, sum and count.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from pcodec import ChunkConfig, standalone

from wattbook.model import BookError, Kind
from wattbook.model.batch import GOOD_CODE, NO_DOUBT
from wattbook.model.vocabulary import known_kind
from wattbook.store.packing import divisor
from wattbook.store.table import Column, Table

if TYPE_CHECKING:
    from wattbook.store.table import Cells, Codes, Flags, Floats, Integers

GRID_MS = 900_000
FORGOTTEN = 0  # the codec of a piece of which only summary and grid are kept, and of a frame of only such pieces
IN_GRAINS, IN_MS = 1, 2  # the codec of a frame: its instants count 10 ms, or 1 ms
PCODEC = 1  # the codec of a piece
_GRAIN_MS = 10
_REGISTER_GRID_MIN = 300  # readings in a piece, from which a grid is read sooner than the readings
_GAUGE_GRID_MIN = 3_000
_SUM_MAX = 2**62  # of integer cells; beyond, and for floats, the sum is a float
_CRC_SIZE = 4
_CONFIG = ChunkConfig()


class Damaged(BookError):
    """What is stored is not what was written."""


ENDS = np.dtype(
    [
        ("to_at", "<i8"),
        ("first_at", "<i8"),
        ("last_at", "<i8"),
        ("first", "<f8"),
        ("last", "<f8"),
        ("gap", "<u4"),  # ms, the longest distance between two neighbours
        ("falls", "<u4"),  # how often a register is less than before
    ]
)

ENDS_STRUCT = struct.Struct("<qqqddII")  # the same, for one


@dataclass(frozen=True, slots=True)
class Piece:
    """A row of the table `piece`, but for the numbers of the rows it belongs to."""

    n: int
    exponent: int | None
    good: int
    ends: bytes | None  # ENDS, of the good values
    least: float | None  # a cell, as the next two
    most: float | None
    total: float | None
    grid: bytes | None
    present: bytes | None
    doubt: bytes | None
    codec: int
    data: bytes

    def crc(self, quantity: str) -> int:
        """The checksum over its name and all of it but the grid, which has one of its own."""
        return _crc((quantity, *replace(self, grid=None).fields()))

    def check_grid(self) -> None:
        """Raise Damaged when the grid is not what was written."""
        if self.grid is not None:
            _whole(self.grid)

    def fields(self) -> tuple[Any, ...]:
        """All of it, in the order of the table's columns."""
        return tuple(getattr(self, name) for name in FIELDS)


@dataclass(frozen=True, slots=True)
class Frame:
    """A row of the table `frame`, but for its number, its revision and those of the journal's numbers."""

    from_at: int
    to_at: int
    n: int
    at: bytes
    quality: bytes | None
    codec: int
    pieces: tuple[tuple[str, Piece], ...]  # quantity and what there is of it


FIELDS = tuple(field.name for field in fields(Piece))


def _crc(fields: Sequence[object]) -> int:
    return zlib.crc32(msgspec.msgpack.encode(fields))


def frame_crc(frame: Frame, seq_first: int, seq_last: int, seq: bytes, revision: int) -> int:
    """The checksum over a frame's own row."""
    return _crc(
        (
            frame.from_at,
            frame.to_at,
            frame.n,
            frame.at,
            frame.quality,
            frame.codec,
            seq_first,
            seq_last,
            seq,
            revision,
        )
    )


def make_frame(table: Table, from_at: int, to_at: int) -> Frame:
    """Seal the rows of a table, which all lie in the span. A day of 5-second readings costs some 0.5 ms a quantity."""
    since = table.at_ms - from_at
    in_grains = not (since % _GRAIN_MS).any()
    return Frame(
        from_at,
        to_at,
        len(table),
        _compress(since // _GRAIN_MS if in_grains else since),
        _pack(table.quality) if table.quality.any() else None,
        IN_GRAINS if in_grains else IN_MS,
        tuple((name, _make_piece(table, name, from_at, to_at)) for name in table.columns),
    )


def _make_piece(table: Table, name: str, from_at: int, to_at: int) -> Piece:
    column = table.columns[name]
    present = column.present
    good = table.codes(name) == GOOD_CODE
    if present is not None:
        good &= present
    at, cells = (table.at_ms, column.cells) if good.all() else (table.at_ms[good], column.cells[good])
    some = len(cells) > 0
    register = known_kind(name) is Kind.REGISTER
    return Piece(
        n=len(table) if present is None else int(present.sum()),
        exponent=column.exponent,
        good=len(cells),
        ends=_ends(at, cells, column.exponent, to_at, register=register) if some else None,
        least=cells.min().item() if some else None,
        most=cells.max().item() if some else None,
        total=_total(cells) if some else None,
        grid=_register_grid(at, cells, from_at, to_at) if register else _gauge_grid(at, cells, from_at),
        present=None if present is None else _pack(np.packbits(present)),
        doubt=None if column.doubt is None or (column.doubt == NO_DOUBT).all() else _pack(column.doubt),
        codec=PCODEC,
        data=_compress(column.cells if present is None else column.cells[present]),
    )


def _ends(at: Integers, cells: Cells, exponent: int | None, to_at: int, *, register: bool) -> bytes:
    divided_by = divisor(exponent)
    first, last = cells[0].item() / divided_by, cells[-1].item() / divided_by
    gap = int(np.diff(at).max(initial=0))
    falls = int((np.diff(cells) < 0).sum()) if register else 0
    return ENDS_STRUCT.pack(to_at, int(at[0]), int(at[-1]), first, last, gap, falls)


def _total(cells: Cells) -> float:
    if cells.dtype == np.int64 and int(np.abs(cells).max()) * len(cells) < _SUM_MAX:
        return int(cells.sum())
    return float(cells.sum(dtype=np.float64))


def forgotten(piece: Piece, at: Integers, cells: Cells, from_at: int, to_at: int, *, register: bool) -> Piece:
    """The same piece without its readings: hours and days are answered as before, from its quarters of an hour.

    `at` and `cells` are its good values, for a grid where it has none.
    """
    grid = piece.grid
    if grid is None and len(at):
        grid = _register_grid(at, cells, from_at, to_at, 1) if register else _gauge_grid(at, cells, from_at, 1)
    return replace(piece, grid=grid, present=None, doubt=None, codec=FORGOTTEN, data=b"")


@lru_cache(maxsize=4096)  # eleven years of days, which all meters share
def grid_edges(from_at: int, to_at: int) -> Integers:
    """The quarters of an hour strictly within a span."""
    return np.arange(from_at // GRID_MS + 1, -(-to_at // GRID_MS), dtype=np.int64) * GRID_MS


def _register_grid(
    at: Integers, cells: Cells, from_at: int, to_at: int, count_min: int = _REGISTER_GRID_MIN
) -> bytes | None:
    edges = grid_edges(from_at, to_at)
    if len(at) < count_min or not len(edges):
        return None
    place = np.searchsorted(at, edges, side="right") - 1
    return _checked(_compress(cells[np.maximum(place, 0)]))


def register_grid(grid: bytes) -> Cells:
    """The cell of a register at each of `grid_edges`; where there was no value yet, its first."""
    return _decompress(_whole(grid))


def _gauge_grid(at: Integers, cells: Cells, from_at: int, count_min: int = _GAUGE_GRID_MIN) -> bytes | None:
    if len(at) < count_min or (cells.dtype == np.int64 and isinstance(_total(cells), float)):
        return None
    slot = at // GRID_MS - from_at // GRID_MS
    filled, starts, count = np.unique(slot, return_index=True, return_counts=True)
    least = np.minimum.reduceat(cells, starts)
    most = np.maximum.reduceat(cells, starts)
    total = np.add.reduceat(cells, starts)
    parts = (filled, count, least, most - least, total - least * count)
    if cells.dtype != np.int64:  # differences of floats do not come back exactly
        parts = (filled, count, least, most, total)
    return _checked(msgspec.msgpack.encode([_compress(part) for part in parts]))


def gauge_grid(grid: bytes, from_at: int, exponent: int | None) -> tuple[Integers, Integers, Floats, Floats, Floats]:
    """Start, count, least, most and sum (cells) of each quarter of an hour that has good values."""
    slot, count, least, most, total = map(_decompress, msgspec.msgpack.decode(_whole(grid), type=list[bytes]))
    if exponent is not None:
        most, total = least + most, total + least * count
    return (from_at // GRID_MS + slot) * GRID_MS, count, least, most, total


def _checked(grid: bytes) -> bytes:
    """A grid with a checksum of its own: it is read without the rest of its piece."""
    return zlib.crc32(grid).to_bytes(_CRC_SIZE, "big") + grid


def _whole(grid: bytes) -> bytes:
    if zlib.crc32(grid[_CRC_SIZE:]) != int.from_bytes(grid[:_CRC_SIZE], "big"):
        raise Damaged("the checksum of a grid differs")
    return grid[_CRC_SIZE:]


def open_at(blob: bytes, from_at: int, codec: int) -> Integers:
    """The instants of a frame."""
    if codec not in (IN_GRAINS, IN_MS):
        raise BookError(f"a frame is written in a way (codec {codec}) this wattbook does not know; use a newer one")
    return from_at + _decompress(blob) * (_GRAIN_MS if codec == IN_GRAINS else 1)


def open_codes(blob: bytes | None, n: int) -> Codes:
    """The qualities of a frame's rows."""
    return np.zeros(n, np.uint8) if blob is None else np.frombuffer(zlib.decompress(blob), np.uint8)


def open_column(
    n: int, exponent: int | None, codec: int, present: bytes | None, doubt: bytes | None, data: bytes
) -> Column:
    """A piece as a column of the `n` rows of its frame."""
    if codec != PCODEC:
        raise BookError(f"a piece is written in a way (codec {codec}) this wattbook does not know; use a newer one")
    codes = None if doubt is None else np.frombuffer(zlib.decompress(doubt), np.uint8)
    known = _decompress(data)
    if present is None:
        return Column(exponent, known, None, codes)
    flags: Flags = np.unpackbits(np.frombuffer(zlib.decompress(present), np.uint8), count=n).astype(np.bool_)
    cells = np.zeros(n, known.dtype)
    cells[flags] = known
    return Column(exponent, cells, flags, codes)


def seq_blob(seq: Integers) -> bytes:
    """The journal's numbers; empty when each is one more than the one before."""
    return b"" if (np.diff(seq) == 1).all() else _compress(seq)


def open_seq(blob: bytes, n: int, seq_first: int) -> Integers:
    """The numbers of a frame's rows."""
    return _decompress(blob) if blob else np.arange(seq_first, seq_first + n, dtype=np.int64)


def _compress(numbers: Cells) -> bytes:
    return bytes(standalone.simple_compress(np.ascontiguousarray(numbers), _CONFIG))


def _decompress(blob: bytes) -> Cells:
    numbers: Cells = standalone.simple_decompress(blob)
    return numbers


def _pack(codes: Codes) -> bytes:
    return zlib.compress(codes.tobytes(), 9)
