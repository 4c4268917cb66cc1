"""Batches for tests of sinks, told row by row."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import nan

from wattbook.model import Batch, Columns
from wattbook.model.batch import to_ms

Row = tuple[str, Mapping[str, float]]  # ISO instant, values


def columns(meter: str, *rows: Row, site: str = "") -> Columns:
    """Readings of one meter."""
    names = dict.fromkeys(name for _, values in rows for name in values)
    return Columns(
        site,
        meter,
        array("q", [to_ms(datetime.fromisoformat(at)) for at, _ in rows]),
        array("q", range(1, len(rows) + 1)),
        {name: array("d", [values.get(name, nan) for _, values in rows]) for name in names},
        array("B", [0] * len(rows)),
    )


def batch(*parts: Columns, upto: str = "1") -> Batch:
    return Batch(parts, (), upto)


def one(meter: str, at: str, **values: float) -> Batch:
    """A batch of one reading."""
    return batch(columns(meter, (at, values)))


def every(meter: str, first: str, count: int, *, step_ms: int = 1000, names: Sequence[str] = ("voltage",)) -> Columns:
    """Many readings of one meter, whose values tell their number."""
    start = to_ms(datetime.fromisoformat(first))
    return Columns(
        "",
        meter,
        array("q", range(start, start + count * step_ms, step_ms)),
        array("q", range(1, count + 1)),
        {name: array("d", [float(number) + 0.5 for number in range(count)]) for name in names},
        array("B", [0] * count),
    )
