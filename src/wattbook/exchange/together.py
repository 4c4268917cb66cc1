"""Blocks of readings in any order -> what all of them tell of one instant comes together.

Files of one meter may hold different quantities of the same instants, and the book knows a reading by its instant: it
would take the second file for a contradiction. Readings beyond `held_max` wait on the disk, sorted by day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from wattbook.codecs.reading_json import VALUES_MAX
from wattbook.exchange.build import joined, make_columns
from wattbook.exchange.day_files import DayFiles
from wattbook.exchange.numbers import Values
from wattbook.model import Columns


@dataclass(frozen=True, slots=True)
class Joined:
    """Readings of one meter, no instant twice, and how many rows beside them told the same or something else."""

    columns: Columns
    same: int = 0
    conflicts: int = 0

    def __len__(self) -> int:
        return len(self.columns) + self.same + self.conflicts


class Together:
    """Takes blocks; gives readings of whole days, so that the book writes each of them once. Use it in a `with`."""

    def __init__(self, *, held_max: int) -> None:
        self._held_max = held_max
        self._waiting: dict[str, list[Columns]] = {}
        self._held = 0
        self._numbers: dict[str, int] = {}  # of each meter on the disk
        self._files = DayFiles()

    def __enter__(self) -> Together:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, block: Columns) -> None:
        """Take readings, none of whose values is in doubt. Raises ConfigError when there is no room for them."""
        self._waiting.setdefault(block.meter, []).append(block)
        self._held += len(block)
        if self._held >= self._held_max:
            self._spill()

    def readings(self) -> Iterator[Joined]:
        """Yield all of it, meter by meter."""
        if not self._files:
            yield from map(one_each, self._waiting.values())
            return
        self._spill()
        for meter, number in self._numbers.items():
            part: list[Columns] = []
            for day in self._files.days(number):
                part += [_columns(meter, rows) for rows in day]
                if sum(map(len, part)) >= self._held_max:
                    yield one_each(part)
                    part = []
            if part:
                yield one_each(part)

    def _spill(self) -> None:
        for meter, blocks in self._waiting.items():
            self._files.add(_rows(joined(blocks)), self._numbers.setdefault(meter, len(self._numbers)))
        self._waiting, self._held = {}, 0


def _rows(columns: Columns) -> NDArray[np.void]:
    rows = np.empty(len(columns), [("at", "<i8"), *((name, "<f8") for name in columns.values)])
    rows["at"] = columns.at_ms
    for name, cells in columns.values.items():
        rows[name] = cells
    return rows


def _columns(meter: str, rows: NDArray[np.void]) -> Columns:
    names = (rows.dtype.names or ())[1:]
    columns = make_columns(meter, rows["at"], {name: rows[name] for name in names})
    assert columns is not None, "every row has a value"
    return columns


def one_each(blocks: Sequence[Columns]) -> Joined:
    """Blocks of one meter as one, in which the rows of an instant are one reading.

    A row with another value than the first one of its instant and quantity is a conflict, and left out as a whole; so
    is one with which its reading would have more values than a reading holds.
    """
    columns = joined(blocks)
    at = np.frombuffer(columns.at_ms, np.int64)
    if bool((at[1:] > at[:-1]).all()):  # nearly always
        return Joined(columns)
    order = np.argsort(at, kind="stable")
    at = at[order]
    first = np.concatenate(([True], at[1:] != at[:-1]))
    reading = np.cumsum(first) - 1  # of each row
    values = {name: np.frombuffer(cells)[order] for name, cells in columns.values.items()}
    kept = np.ones(len(at), bool)
    for cells in values.values():
        told = _first_told(cells, reading)
        kept &= np.isnan(cells) | (cells == _laid(cells, reading, told)[reading])
    if len(values) > VALUES_MAX:
        _leave_out_beyond(values, reading, kept)
    used, merged = np.zeros(len(at), bool), {}
    for name, cells in values.items():
        told = _first_told(np.where(kept, cells, np.nan), reading)
        used[told] = True
        merged[name] = _laid(cells, reading, told)
    made = make_columns(columns.meter, at[first], merged)
    assert made is not None, "every row has a value"
    return Joined(made, same=int((kept & ~used).sum()), conflicts=int((~kept).sum()))


def _leave_out_beyond(values: Mapping[str, Values], reading: NDArray[np.int64], kept: NDArray[np.bool_]) -> None:
    """Clear what is `kept` of rows with which their reading would have more than VALUES_MAX values."""
    told = ~np.isnan(np.stack(list(values.values())))
    known = np.zeros(len(values), bool)
    before = -1
    for row in np.flatnonzero(kept).tolist():
        if reading[row] != before:
            known, before = told[:, row], reading[row]
        elif int((more := known | told[:, row]).sum()) <= VALUES_MAX:
            known = more
        else:
            kept[row] = False


def _first_told(cells: Values, reading: NDArray[np.int64]) -> NDArray[np.intp]:
    """The rows that are the first of their reading to have a value."""
    known = np.flatnonzero(~np.isnan(cells))
    return known[np.diff(reading[known], prepend=-1) > 0]


def _laid(cells: Values, reading: NDArray[np.int64], rows: NDArray[np.intp]) -> Values:
    """The values of these rows, one a reading, NaN where none of them is of it."""
    laid = np.full(int(reading[-1]) + 1, np.nan)
    laid[reading[rows]] = cells[rows]
    return laid
