"""Single samples in any order -> readings: what one meter told at one instant comes together.

Dumps of databases hold one series after the other, so the values of an instant lie far apart. A reading has one
identity, so they must be joined before the book sees them. Samples beyond SAMPLES_MAX go to one temporary file for
each day, so memory holds one day at a time whatever the dump holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from wattbook.exchange.build import make_columns
from wattbook.exchange.day_files import DayFiles
from wattbook.exchange.instants import Instants
from wattbook.exchange.numbers import Values
from wattbook.exchange.tally import Tally
from wattbook.model import Columns

SAMPLES_MAX = 1_000_000  # in memory: 20 MB
ROWS_MAX = 20_000  # readings in one block, as the book gives them
_SINGLES_MAX = 10_000  # samples of one series that wait as Python numbers
_SAMPLE = np.dtype([("series", "<u4"), ("at", "<i8"), ("value", "<f8")])
_Samples = NDArray[np.void]


class Gather:
    """Takes samples of (meter, quantity); gives readings in order of time. Use it in a `with` block."""

    def __init__(self, tally: Tally, *, samples_max: int = SAMPLES_MAX) -> None:
        self._tally, self._samples_max = tally, samples_max
        self._series: dict[tuple[str, str], int] = {}
        self._held: list[_Samples] = []
        self._singles: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        self._count = 0
        self._files = DayFiles()

    def __enter__(self) -> Gather:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, meter: str, quantity: str, at_ms: Instants | Sequence[int], values: Values | Sequence[float]) -> None:
        """Take samples; absent ones are left out."""
        number = self._series.setdefault((meter, quantity), len(self._series))
        samples = np.empty(len(at_ms), _SAMPLE)
        samples["series"], samples["at"], samples["value"] = number, at_ms, values
        samples = samples[~np.isnan(samples["value"])]
        self._held.append(samples)
        self._count += len(samples)
        if self._count >= self._samples_max:
            self._spill()

    def add_one(self, meter: str, quantity: str, at_ms: int, value: float) -> None:
        """Take one sample."""
        at, values = self._singles.setdefault((meter, quantity), ([], []))
        at.append(at_ms)
        values.append(value)
        if len(at) >= _SINGLES_MAX:
            self._add_singles(meter, quantity)

    def _add_singles(self, meter: str, quantity: str) -> None:
        self.add(meter, quantity, *self._singles[meter, quantity])
        self._singles[meter, quantity] = [], []

    def columns(self) -> Iterator[Columns]:
        """Yield the readings, day by day where there were too many for memory."""
        for meter, quantity in self._singles:
            self._add_singles(meter, quantity)
        if self._files:
            self._spill()
            for day in self._files.days():
                yield from self._joined(np.concatenate(day))
        elif self._held:
            yield from self._joined(np.concatenate(self._held))

    def _spill(self) -> None:
        if not self._held:
            return
        self._files.add(np.concatenate(self._held))
        self._held, self._count = [], 0

    def _joined(self, samples: _Samples) -> Iterator[Columns]:
        """Meter by meter: samples are sorted by meter once, whatever their number."""
        meters = {name: code for code, name in enumerate(dict.fromkeys(meter for meter, _ in self._series))}
        code_of = np.array([meters[meter] for meter, _ in self._series], np.int64)
        codes = code_of[samples["series"]]
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(meters) + 1))
        for meter, code in meters.items():
            mine = samples[order[ends[code] : ends[code + 1]]]
            if len(mine):
                instants, place = np.unique(mine["at"], return_inverse=True)
                numbers = [number for (name, _), number in self._series.items() if name == meter]
                yield from self._blocks(meter, instants, place, mine, numbers)

    def _blocks(
        self, meter: str, instants: Instants, place: NDArray[np.intp], samples: _Samples, numbers: Sequence[int]
    ) -> Iterator[Columns]:
        names = list(self._series)
        table: dict[str, Values] = {}
        for number in numbers:
            column = np.full(len(instants), np.nan)
            own = samples["series"] == number
            # Backwards, so that of several values for one instant the first stays.
            column[place[own][::-1]] = samples["value"][own][::-1]
            doubles = int(own.sum()) - int((~np.isnan(column)).sum())
            if doubles:
                self._tally.note(f"{meter}, {names[number][1]}: an instant had several values; the first stays")
            table[names[number][1]] = column
        for first in range(0, len(instants), ROWS_MAX):
            rows = slice(first, first + ROWS_MAX)
            block = make_columns(meter, instants[rows], {name: column[rows] for name, column in table.items()})
            if block is not None:
                yield block
