"""Cells of many readings at once: a reading alone costs 1.3 µs to pack, among many of its form a third of that."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wattbook.model import Quality, Readings
from wattbook.model.batch import GOOD_CODE, QUALITY_CODES
from wattbook.model.readings import ALIKE_MIN, Alike
from wattbook.store.packing import WHOLE_MAX, Form, Packer, encode_cells


@dataclass(frozen=True, slots=True)
class Packed:
    """What of a body can be written as it is. A row for each reading."""

    shape_ids: list[int]
    qualities: list[int]  # QUALITY_CODES
    cells: list[bytes | None]  # None = it is to be looked at alone: of a new form, doubted, or without many like it

    def put(self, shape_id: int, places: Sequence[int], cells: Sequence[bytes | None]) -> None:
        """Fill in the cells of these places."""
        if len(places) == len(self.cells):
            self.shape_ids[:], self.cells[:] = [shape_id] * len(places), cells
            return
        for place, its in zip(places, cells, strict=True):
            self.shape_ids[place], self.cells[place] = shape_id, its


def pack_readings(readings: Readings, packers: Sequence[Packer]) -> Packed:
    """Pack a body; `packers` are those of each reading's meter."""
    rows = len(readings)
    packed = Packed([0] * rows, [GOOD_CODE] * rows, [None] * rows)
    if readings.quality.count(Quality.GOOD) < rows:
        packed.qualities[:] = [QUALITY_CODES[quality] for quality in readings.quality]
    for alike in readings.alike():
        for form, places, table in _by_shape(alike, packers):
            packed.put(form.shape_id, places, pack_alike(table, form.divisors))
    if any(readings.doubt):
        for place, doubt in enumerate(readings.doubt):
            packed.cells[place] = None if doubt else packed.cells[place]
    return packed


def _by_shape(alike: Alike, packers: Sequence[Packer]) -> Iterator[tuple[Form, Sequence[int], array[float]]]:
    """Yield what is written in one way: form, places and values. Most meters of one make have one shape."""
    if alike.table is None or not alike.names:
        return
    its = [packers[place] for place in alike.places]
    forms = {packer: packer.known(alike.names) for packer in set(its)}
    known = {form.shape_id: form for form in forms.values() if form and form.shape_id}
    if len(known) == 1 and all(form and form.shape_id for form in forms.values()):
        (only,) = known.values()
        yield only, alike.places, alike.table
        return
    values = np.frombuffer(alike.table).reshape(len(its), -1)
    for shape_id, form in known.items():
        rows = [row for row, packer in enumerate(its) if (of := forms[packer]) and of.shape_id == shape_id]
        if len(rows) >= ALIKE_MIN:
            yield form, [alike.places[row] for row in rows], array("d", values[rows].tobytes())


def pack_alike(table: array[float], divisors: Sequence[int | None]) -> list[bytes | None]:
    """The cells of readings with as many values as divisors, in this order, row after row; None = needs another form.

    Only what becomes small integers is packed here; floats, and what cannot be written at all, are left to `Packer`.
    """
    rows = len(table) // len(divisors)
    if None in divisors:
        return [None] * rows
    told, scale = np.frombuffer(table).reshape(rows, len(divisors)), np.array(divisors, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = told * scale
        whole = np.rint(scaled)
        # Below, not at the limit: an integer one beyond it has been rounded to it.
        exact = ((whole / scale == told) & (np.abs(scaled) < WHOLE_MAX)).all(axis=1)
    if exact.all():  # nearly always
        return list(map(encode_cells, whole.astype(np.int64).tolist()))
    whole[~exact] = 0
    cells = map(encode_cells, whole.astype(np.int64).tolist())
    return [each if fits else None for each, fits in zip(cells, exact.tolist(), strict=True)]
