"""Numpy arrays -> the `Columns` that the book takes."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wattbook.exchange.instants import Instants
from wattbook.exchange.numbers import Values
from wattbook.model import Columns
from wattbook.model.batch import ABSENT


def make_columns(meter: str, at_ms: Instants, values: Mapping[str, Values]) -> Columns | None:
    """Readings of one meter, without rows and quantities that hold nothing; None when nothing is left."""
    filled = {name: cells for name, cells in values.items() if not bool(np.isnan(cells).all())}
    if not filled:
        return None
    present = ~np.isnan(next(iter(filled.values()))) if len(filled) == 1 else _any_present(filled)
    if not bool(present.all()):
        at_ms = at_ms[present]
        filled = {name: cells[present] for name, cells in filled.items()}
    size = len(at_ms)
    return Columns(
        site="",
        meter=meter,
        at_ms=_packed("q", at_ms, np.int64),
        seq=array("q", bytes(8 * size)),
        values={name: _packed_floats(cells) for name, cells in filled.items()},
        quality=array("B", bytes(size)),
    )


def _any_present(values: Mapping[str, Values]) -> NDArray[np.bool_]:
    present = np.zeros(len(next(iter(values.values()))), bool)
    for cells in values.values():
        present |= ~np.isnan(cells)
    return present


def _packed(code: str, cells: Instants, kind: type[np.int64]) -> array[int]:
    packed: array[int] = array(code)
    packed.frombytes(np.ascontiguousarray(cells, kind).tobytes())
    return packed


def _packed_floats(cells: Values) -> array[float]:
    packed = array("d")
    packed.frombytes(np.ascontiguousarray(cells, np.float64).tobytes())
    return packed


def joined(blocks: Sequence[Columns]) -> Columns:
    """Blocks of one meter, one after the other, none of whose values is in doubt."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    at_ms, quality = array("q"), array("B")
    values: dict[str, array[float]] = {name: array("d") for block in blocks for name in block.values}
    for block in blocks:
        at_ms.extend(block.at_ms)
        quality.extend(block.quality)
        absent = array("d", [ABSENT]) * len(block)
        for name, cells in values.items():
            cells.extend(block.values.get(name, absent))
    return Columns(first.site, first.meter, at_ms, array("q", bytes(8 * len(at_ms))), values, quality)
