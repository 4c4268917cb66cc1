"""CSV of readings, one row an instant: by blocks into columns, a bad row found by halving its block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wattbook.codecs.reading_json import VALUES_MAX
from wattbook.exchange.build import make_columns
from wattbook.exchange.csv_rows import Rows, read_rows
from wattbook.exchange.instants import BadCell, InstantReader, Instants
from wattbook.exchange.intake import Intake
from wattbook.exchange.mapping import Target
from wattbook.exchange.numbers import Values, read_numbers
from wattbook.model import Columns

_Cells = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the columns of a table become readings."""

    delimiter: str
    width: int  # cells in a row
    time: tuple[int, ...]  # the columns that hold the time, joined by a blank
    time_form: str
    targets: Mapping[int, Target]  # column -> what it holds
    meter: int | None = None  # the column that names the meter
    meter_default: str = ""  # of targets without a meter, where no column names it
    comma: bool = False  # "12,5" is twelve and a half
    foreign: bool = True  # words such as "null" are absent values
    day: str = ""  # put before the time: the date that the file's name tells
    spare: frozenset[int] = field(
        default_factory=frozenset
    )  # widths that are taken too, their cells beyond `width` cut


class TableReader:
    """Reads one table by its plan."""

    def __init__(self, plan: Plan, intake: Intake) -> None:
        self._plan, self._intake, self._tally = plan, intake, intake.tally
        self._instants = InstantReader(plan.time_form, intake.zone, intake.tally, latest_ms=intake.latest_ms)
        self._known: dict[str, str] = {}  # a name in the file -> our meter; "" = none

    def read(self, path: Path) -> Iterator[Columns]:
        """Yield blocks of readings; bad rows are counted and left out."""
        for rows in read_rows(path, self._plan.delimiter, self._tally, self._intake.seen):
            yield from self._understood(self._of_right_width(rows))

    def _of_right_width(self, rows: Rows) -> Rows:
        width = self._plan.width
        if all(len(row) == width for row in rows.cells):
            return rows
        numbers, cells = [], []
        for number, row in zip(rows.numbers, rows.cells, strict=True):
            if len(row) == width or len(row) in self._plan.spare:
                numbers.append(number)
                cells.append(row[:width])
            else:
                self._tally.reject(number, f"{len(row)} cells where the first line has {width}")
        return Rows(numbers, cells)

    def _understood(self, rows: Rows) -> Iterator[Columns]:
        if not rows.cells:
            return
        try:
            blocks = self._block(rows)
        except BadCell as error:
            if len(rows.cells) == 1:
                self._tally.reject(rows.numbers[0], str(error))
                return
            half = len(rows.cells) // 2
            yield from self._understood(Rows(rows.numbers[:half], rows.cells[:half]))
            yield from self._understood(Rows(rows.numbers[half:], rows.cells[half:]))
            return
        yield from blocks

    def _block(self, rows: Rows) -> list[Columns]:
        """All rows at once. Raises BadCell when any is bad, having counted nothing."""
        plan = self._plan
        columns: _Cells = list(zip(*rows.cells, strict=True))
        values = {
            place: read_numbers(columns[place], target, comma=plan.comma, foreign=plan.foreign)
            for place, target in plan.targets.items()
        }
        empty = self._empty(values, len(rows.cells))
        if not plan.foreign and bool(empty.any()):
            raise BadCell("no value at all")
        self._check_sizes(values)
        meters = columns[plan.meter] if plan.meter is not None else None
        at_ms = self._instants.read(self._times(columns), meters)
        return self._by_meter(rows, at_ms, values, meters)

    @staticmethod
    def _empty(values: Mapping[int, Values], size: int) -> NDArray[np.bool_]:
        empty = np.ones(size, bool)
        for cells in values.values():
            empty &= np.isnan(cells)
        return empty

    def _check_sizes(self, values: Mapping[int, Values]) -> None:
        """Raise BadCell when a row tells more of one meter than a reading holds."""
        of_meters = [own.values() for own in self._places().values()] if self._plan.meter is None else [values.keys()]
        for places in of_meters:
            if len(places) > VALUES_MAX:
                told = (~np.isnan([values[place] for place in places])).sum(axis=0)
                if int(told.max()) > VALUES_MAX:
                    raise BadCell(f"more than {VALUES_MAX} values in one reading")

    def _times(self, columns: _Cells) -> Sequence[str]:
        plan = self._plan
        if len(plan.time) == 1 and not plan.day:
            return columns[plan.time[0]]
        parts = zip(*(columns[place] for place in plan.time), strict=True)
        before = f"{plan.day} " if plan.day else ""
        return [before + " ".join(cell.strip() for cell in cells) for cells in parts]

    def _by_meter(
        self, rows: Rows, at_ms: Instants, values: Mapping[int, Values], meters: Sequence[str] | None
    ) -> list[Columns]:
        found: list[Columns | None] = []
        if meters is None:
            for meter, places in self._places().items():
                found.append(make_columns(meter, at_ms, {name: values[place] for name, place in places.items()}))
        else:
            places = {target.quantity: place for place, target in self._plan.targets.items()}
            for meter, own in self._rows_of(rows, meters).items():
                every = len(own) == len(at_ms)
                cells = {name: values[at] if every else values[at][own] for name, at in places.items()}
                found.append(make_columns(meter, at_ms if every else at_ms[own], cells))
        return [columns for columns in found if columns is not None]

    def _places(self) -> dict[str, dict[str, int]]:
        """Meter -> quantity -> column, where columns tell the meter."""
        places: dict[str, dict[str, int]] = {}
        for place, target in self._plan.targets.items():
            places.setdefault(target.meter or self._plan.meter_default, {})[target.quantity] = place
        return places

    def _rows_of(self, rows: Rows, meters: Sequence[str]) -> dict[str, Instants]:
        """Our meter -> its rows; those of unknown meters are counted as bad."""
        names = dict.fromkeys(meters)
        if len(names) == 1 and (meter := self._our(meters[0])):
            return {meter: np.arange(len(meters))}
        numbers = {name: number for number, name in enumerate(names)}
        codes = np.fromiter(map(numbers.__getitem__, meters), np.int64, len(meters))
        found: dict[str, list[Instants]] = {}
        for name, number in numbers.items():
            own = np.flatnonzero(codes == number)
            if meter := self._our(name):
                found.setdefault(meter, []).append(own)
                continue
            for row in own.tolist():
                self._tally.reject(rows.numbers[row], self._intake.meters.unknown(name))
        return {meter: np.sort(np.concatenate(parts)) for meter, parts in found.items()}

    def _our(self, name: str) -> str:
        if name not in self._known:
            meant = self._intake.wishes.meter(name.strip())
            self._known[name] = meant if meant in self._intake.meters else ""
        return self._known[name]
