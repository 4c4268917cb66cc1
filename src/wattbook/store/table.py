"""Readings of one meter as columns of exact cells: what frames are made of, and what they give back.

Loaded only where sealed time is read or written: numpy takes 17 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from wattbook.model import BookError
from wattbook.model.batch import ABSENT, NO_DOUBT, Columns
from wattbook.store.packing import DECIMALS_MAX, WHOLE_MAX, Shape, decode_cells, decode_doubt, divisor

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Cells = NDArray[Any]  # int64 under an exponent, else float64

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]
    Flags = NDArray[np.bool_]

HotRow = tuple[int, int, int, int, bytes | None, bytes]  # seq, at, shape, quality, doubt, cells


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One quantity of a table, a cell for each row."""

    exponent: int | None  # value = cell / 10**-exponent; None = the cell is the value
    cells: Cells  # 0 where absent
    present: Flags | None = None  # None = in every row
    doubt: Codes | None = None  # NO_DOUBT where the value is as good as its reading; None = everywhere

    def values(self) -> Floats:
        """The values, NaN where absent."""
        scaled = self.cells if self.exponent is None else self.cells / divisor(self.exponent)
        return scaled.astype(np.float64) if self.present is None else np.where(self.present, scaled, np.nan)

    def codes(self, quality: Codes) -> Codes:
        """The quality of each value, where `quality` is that of the readings."""
        return quality if self.doubt is None else np.where(self.doubt == NO_DOUBT, quality, self.doubt)

    def here(self) -> bool:
        """Whether any row has a value."""
        return self.present is None or bool(self.present.any())

    def take(self, rows: Flags | Integers | slice) -> Column:
        """Some of the rows."""
        present = None if self.present is None else self.present[rows]
        doubt = None if self.doubt is None else self.doubt[rows]
        return Column(self.exponent, self.cells[rows], present, doubt)

    def finer(self, exponent: int | None) -> Column:
        """The same values under another exponent, one that `common_exponent` found fit."""
        if exponent == self.exponent:
            return self
        if exponent is None:
            assert self.exponent is not None
            return replace(self, exponent=None, cells=self.cells / divisor(self.exponent))
        assert self.exponent is not None
        return replace(self, exponent=exponent, cells=self.cells * 10 ** (self.exponent - exponent))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Readings of one meter in order of time."""

    at_ms: Integers
    seq: Integers
    quality: Codes
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.at_ms)

    def take(self, rows: Flags | Integers | slice) -> Table:
        """Some of the rows, in their order; quantities that none of them has are left out."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        kept = {name: each for name, each in columns.items() if each.here()}
        return Table(self.at_ms[rows], self.seq[rows], self.quality[rows], kept)

    def telling(self) -> Table:
        """The rows that have a value."""
        flags = [_everywhere(column.present, len(self)) for column in self.columns.values()]
        return self.take(np.any(flags, axis=0) if flags else np.zeros(len(self), np.bool_))

    def codes(self, name: str) -> Codes:
        """The quality of each value of a quantity."""
        return self.columns[name].codes(self.quality)

    def to_columns(self, site: str, meter: str) -> Columns:
        """The rows as the journal hands them on; of plain buffers."""
        return Columns(
            site,
            meter,
            array("q", self.at_ms.tobytes()),
            array("q", self.seq.tobytes()),
            {name: array("d", column.values().tobytes()) for name, column in self.columns.items()},
            array("B", self.quality.tobytes()),
            {
                name: array("B", column.doubt.tobytes())
                for name, column in self.columns.items()
                if column.doubt is not None
            },
        )


def empty_table() -> Table:
    """No row at all."""
    return Table(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8), {})


def table_of_hot(rows: Sequence[HotRow], shapes: Mapping[int, Shape]) -> Table:
    """Hot rows of one meter, in any order, as a table in order of time."""
    if not rows:
        return empty_table()
    by_shape: dict[int, list[HotRow]] = {}
    for row in rows:
        by_shape.setdefault(row[2], []).append(row)
    return merged([_of_one_shape(alike, shapes[shape_id]) for shape_id, alike in by_shape.items()])


def _of_one_shape(rows: Sequence[HotRow], shape: Shape) -> Table:
    seqs, instants, _, qualities, doubts, packed = zip(*rows, strict=True)
    cells = zip(*map(decode_cells, packed), strict=True)
    columns = {
        name: Column(exponent, np.array(column, np.float64 if exponent is None else np.int64))
        for (name, exponent), column in zip(shape, cells, strict=True)
    }
    names = [name for name, _ in shape]
    for place, codes in _doubts(doubts).items():
        columns[names[place]] = replace(columns[names[place]], doubt=codes)
    return Table(np.array(instants, np.int64), np.array(seqs, np.int64), np.array(qualities, np.uint8), columns)


def _doubts(packed: Sequence[bytes | None]) -> dict[int, Codes]:
    """Place of the quantity -> codes of all rows."""
    found: dict[int, Codes] = {}
    for row, doubt in enumerate(packed):
        if doubt:
            for place, code in decode_doubt(doubt).items():
                found.setdefault(place, np.full(len(packed), NO_DOUBT, np.uint8))[row] = code
    return found


def table_of_columns(columns: Columns) -> Table:
    """Columns in any order of time as a table in that order, those of one instant in the order in which they came.

    Raises BookError on what is not a finite number.
    """
    order = np.argsort(np.frombuffer(columns.at_ms, np.int64), kind="stable")
    made = {}
    for name, values in columns.values.items():
        doubt = columns.doubt.get(name)
        codes = None if doubt is None else np.frombuffer(doubt, np.uint8)[order]
        made[name] = _column_of(np.frombuffer(values, np.float64)[order], codes, name)
    return Table(
        np.frombuffer(columns.at_ms, np.int64)[order],
        np.frombuffer(columns.seq, np.int64)[order] if len(columns.seq) else np.zeros(len(order), np.int64),
        np.frombuffer(columns.quality, np.uint8)[order],
        {name: column for name, column in made.items() if column.here()},
    )


def without_twins(table: Table) -> tuple[Table, int, int]:
    """The first row of each instant, and of the others how many hold the same values as it, how many do not."""
    first = np.concatenate(([True], table.at_ms[1:] != table.at_ms[:-1]))[: len(table)]
    if bool(first.all()):
        return table, 0, 0
    stays = np.flatnonzero(first)[np.cumsum(first) - 1]  # of each row the first of its instant
    same = int(same_values(table.take(~first), table.take(stays[~first])).sum())
    return table.take(first), same, int((~first).sum()) - same


def _column_of(values: Floats, doubt: Codes | None, name: str) -> Column:
    absent = np.isnan(values)
    present = None if not absent.any() else ~absent
    known = values if present is None else np.where(absent, 0.0, values)
    if not np.isfinite(known).all():
        raise BookError(f"{name} is not a finite number; only those can be written down")
    for exponent in range(0, -DECIMALS_MAX - 1, -1):
        scaled = np.rint(known * 10.0**-exponent)
        if np.abs(scaled).max(initial=0.0) > WHOLE_MAX:
            break
        if (scaled / 10**-exponent == known).all():
            return Column(exponent, scaled.astype(np.int64), present, doubt)
    return Column(None, known + 0.0, present, doubt)  # minus zero becomes zero


def merged(tables: Sequence[Table]) -> Table:
    """All rows of these tables in order of time; at the same instant the row of the last table that has it."""
    tables = [table for table in tables if len(table)]
    if len(tables) == 1 and _rising(tables[0].at_ms):
        return tables[0]
    if not tables:
        return empty_table()
    at = np.concatenate([table.at_ms for table in tables])
    order = np.argsort(at, kind="stable")
    at = at[order]
    order = order[np.concatenate((at[1:] != at[:-1], [True]))]
    names = dict.fromkeys(name for table in tables for name in table.columns)
    return Table(
        np.concatenate([table.at_ms for table in tables])[order],
        np.concatenate([table.seq for table in tables])[order],
        np.concatenate([table.quality for table in tables])[order],
        {name: column for name in names if (column := _joined(tables, name).take(order)).here()},
    )


def _rising(at: Integers) -> bool:
    return bool((at[1:] > at[:-1]).all())


def _joined(tables: Sequence[Table], name: str) -> Column:
    """One quantity of all the tables, one after the other."""
    parts = [table.columns.get(name) for table in tables]
    exponent = common_exponent([part for part in parts if part is not None])
    kind = np.float64 if exponent is None else np.int64
    sizes = [len(table) for table in tables]
    cells = [
        np.zeros(size, kind) if part is None else part.finer(exponent).cells
        for part, size in zip(parts, sizes, strict=True)
    ]
    present = [
        np.zeros(size, np.bool_) if part is None else _everywhere(part.present, size)
        for part, size in zip(parts, sizes, strict=True)
    ]
    doubt = [
        np.full(size, NO_DOUBT, np.uint8) if part is None or part.doubt is None else part.doubt
        for part, size in zip(parts, sizes, strict=True)
    ]
    everywhere = all(flags.all() for flags in present)
    doubted = any(part is not None and part.doubt is not None for part in parts)
    return Column(
        exponent,
        np.concatenate(cells),
        None if everywhere else np.concatenate(present),
        np.concatenate(doubt) if doubted else None,
    )


def _everywhere(present: Flags | None, size: int) -> Flags:
    return np.ones(size, np.bool_) if present is None else present


def common_exponent(columns: Sequence[Column]) -> int | None:
    """The finest exponent of these columns if all their values are exact under it; None = floats are needed."""
    exponents = [column.exponent for column in columns]
    if any(exponent is None for exponent in exponents):
        return None
    finest = min(exponent for exponent in exponents if exponent is not None)
    for column in columns:
        assert column.exponent is not None
        most = int(np.abs(column.cells).max(initial=0))
        if most * 10 ** (column.exponent - finest) > WHOLE_MAX:
            return None
    return finest


def same_values(first: Table, second: Table) -> Flags:
    """Whether each row of two tables of as many rows holds the same values."""
    same = np.ones(len(first), np.bool_)
    for name in {*first.columns, *second.columns}:
        values = [
            table.columns[name].values() if name in table.columns else np.full(len(first), ABSENT)
            for table in (first, second)
        ]
        same &= (values[0] == values[1]) | (np.isnan(values[0]) & np.isnan(values[1]))
    return same
