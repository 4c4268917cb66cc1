"""Choose of a batch what a sink is to be sent: its meters, places, quantities, and values that are not in doubt."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from wattbook.model import Batch, Columns
from wattbook.model.around import Surroundings
from wattbook.model.batch import BEFORE_ALL_MS, GOOD_CODE, SUSPECT_CODE, to_ms
from wattbook.model.era import ERA_MS, ERA_SAID
from wattbook.model.place import lies_at
from wattbook.sinks import Rejected, SinkSettings

_OUTSIDE = f"its instant is of no year {ERA_SAID}"


@dataclass(slots=True)
class Selection:
    """What of every batch goes to one sink."""

    settings: SinkSettings
    around: Surroundings
    _meters: dict[tuple[str, str], bool] = field(default_factory=dict)
    _quantities: dict[str, bool] = field(default_factory=dict)

    def of(self, batch: Batch) -> Batch:
        """The batch without events, and without what is not wanted."""
        wanted = (self._chosen(columns) for columns in batch.columns if self._wants_meter(columns.site, columns.meter))
        return Batch(tuple(columns for columns in wanted if columns is not None and len(columns)), (), batch.upto)

    def _chosen(self, columns: Columns) -> Columns | None:
        if isinstance(self.settings.start, str) and self.settings.suspect and not self.settings.quantities:
            return columns
        columns = replace(
            columns, values={name: cells for name, cells in columns.values.items() if self._wants_quantity(name)}
        )
        if not self.settings.suspect:
            columns = _without_suspects(columns)
        return self._rows(columns)

    def _rows(self, columns: Columns) -> Columns | None:
        """The rows of its time that have any value left."""
        from_ms = BEFORE_ALL_MS if isinstance(self.settings.start, str) else to_ms(self.settings.start)
        rows = [
            row
            for row, at_ms in enumerate(columns.at_ms)
            if at_ms >= from_ms and any(not math.isnan(cells[row]) for cells in columns.values.values())
        ]
        return columns if len(rows) == len(columns) else columns.take(rows)

    def _wants_meter(self, site: str, meter: str) -> bool:
        known = self._meters.get((site, meter))
        if known is None:
            place = self.around.facts(meter).location
            known = self._meters[site, meter] = _fits(meter, self.settings.meters) and (
                not self.settings.locations or any(lies_at(place, each) for each in self.settings.locations)
            )
        return known

    def _wants_quantity(self, name: str) -> bool:
        known = self._quantities.get(name)
        if known is None:
            known = self._quantities[name] = _fits(name, self.settings.quantities)
        return known


def of_the_era(batch: Batch) -> tuple[Batch, Sequence[Rejected]]:
    """The readings that calendars can date, and the others, which no sink is given: books of old may hold some."""
    kept, others = [], []
    for columns in batch.columns:
        rows = [row for row, at_ms in enumerate(columns.at_ms) if at_ms in ERA_MS]
        if len(rows) < len(columns):
            outside = (at_ms for at_ms in columns.at_ms if at_ms not in ERA_MS)
            others += [Rejected(columns.meter, at_ms, _OUTSIDE, columns.site) for at_ms in outside]
            columns = columns.take(rows)
        kept.append(columns)
    return Batch(tuple(columns for columns in kept if len(columns)), (), batch.upto), others


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _without_suspects(columns: Columns) -> Columns:
    """The same rows, with nothing where a value is in doubt."""
    if SUSPECT_CODE not in columns.quality and not columns.doubt:
        return columns
    values: Mapping[str, array[float]] = {
        name: array("d", (cell if code == GOOD_CODE else math.nan for cell, code in zip(cells, codes, strict=True)))
        for name, cells in columns.values.items()
        for codes in (columns.codes(name),)
    }
    return replace(columns, values=values, quality=array("B", bytes(len(columns))), doubt={})
