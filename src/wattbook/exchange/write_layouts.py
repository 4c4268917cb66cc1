"""Readings in the files of the seeds' own loggers: one file a local day."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from wattbook.codecs.layouts import LECTOR_CODES, LECTOR_TIME, RX380_COLUMNS, RX380_TIME, Code
from wattbook.exchange.local_time import instants_of, local_seconds
from wattbook.exchange.write_csv import number_texts
from wattbook.model import Columns, ConfigError, quantity
from wattbook.model.vocabulary import unit_factor

LAYOUTS = ("plain", "rx380", "lector")


def write_rx380(folder: Path, blocks: Iterable[Columns], zone: ZoneInfo) -> int:
    """Write rx380_data_YYYY-MM-DD.csv of one meter; returns how many files. Blocks rise in time.

    Raises ConfigError for a second meter: the layout has no column for its name.
    """
    header = [RX380_TIME, *RX380_COLUMNS]
    days = _Days(folder, "rx380_data_{day}.csv", lambda file: csv.writer(file).writerow(header))
    meters: set[str] = set()
    with days:
        for block in blocks:
            meters.add(block.meter)
            if len(meters) > 1:
                raise ConfigError(f"the layout rx380 is of one meter; name it: {' or '.join(sorted(meters))}")
            times = local_seconds(instants_of(block), zone)
            columns = [number_texts(block.values.get(name), len(times)) for name in RX380_COLUMNS.values()]
            for day, rows in _by_day(times):
                shown = [time.replace("T", " ") for time in times[rows]]
                csv.writer(days.of(day)).writerows(zip(shown, *(cells[rows] for cells in columns), strict=True))
    return days.count


def write_lector(folder: Path, blocks: Iterable[Columns], quantities: Sequence[str], zone: ZoneInfo) -> int:
    """Write <meter>/YYYYMMDD.txt; returns how many files. Blocks come meter by meter and rise in time.

    Codes of which no reading has a value are left out. Where one value is absent its place is blank, never zero.
    """
    codes = [code for code in LECTOR_CODES if any(name in quantities for name in code.quantities)]
    if not codes:
        raise ConfigError("none of these meters has a quantity that Lector has a code for")
    header = "".join(f"{code.name}{place}\t" for code in codes for place in range(len(code.quantities)))
    count, meter, days = 0, "", _Days(folder, "", lambda file: None)
    try:
        for block in blocks:
            if block.meter != meter:
                days.close()
                count, meter = count + days.count, block.meter
                days = _Days(folder / folder_name(meter), "{day}.txt", lambda f: f.write(f"{LECTOR_TIME}\t{header}\n"))
            times = local_seconds(instants_of(block), zone)
            lines = [
                f"{time[11:]}\t{''.join(cells)}\n"
                for time, *cells in zip(times, *_lector_cells(block, codes), strict=True)
            ]
            for day, rows in _by_day(times):
                days.of(day.replace("-", "")).writelines(lines[rows])
    finally:
        days.close()
    return count + days.count


def _lector_cells(block: Columns, codes: Sequence[Code]) -> Iterator[list[str]]:
    for code in codes:
        for name in code.quantities:
            divisor = float(unit_factor(code.unit, quantity(name).unit))
            values = block.values.get(name)
            if values is None:
                yield [f"{'':9}\t"] * len(block)
            else:
                yield [f"{'':9}\t" if value != value else f"{value / divisor:9.2f}\t" for value in values]


def folder_name(meter: str) -> str:
    """A meter's name as a folder inside another: it may not lead out of it."""
    return meter.replace("\\", "_") if meter.strip(".") else "_" * len(meter)


def _by_day(times: Sequence[str]) -> Iterator[tuple[str, slice]]:
    """The local days of rising times, and where each begins and ends."""
    first = 0
    while first < len(times):
        day = times[first][:10]
        end = first + 1
        while end < len(times) and times[end][:10] == day:
            end += 1
        yield day, slice(first, end)
        first = end


class _Days:
    """The file of the day being written."""

    def __init__(self, folder: Path, name: str, begin: Callable[[TextIO], object]) -> None:
        self._folder, self._name, self._begin = folder, name, begin
        self._day = ""
        self._begun: set[str] = set()
        self._file: TextIO | None = None

    @property
    def count(self) -> int:
        """How many files were written."""
        return len(self._begun)

    def of(self, day: str) -> TextIO:
        """The file of a day, begun with its header."""
        if self._file is None or day != self._day:
            self.close()
            self._folder.mkdir(parents=True, exist_ok=True)
            begun = day in self._begun
            path = self._folder / self._name.format(day=day)
            self._file = path.open("a" if begun else "w", encoding="utf-8", newline="")
            self._day = day
            if not begun:
                self._begun.add(day)
                self._begin(self._file)
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> _Days:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()
