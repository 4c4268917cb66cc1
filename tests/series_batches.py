"""Batches for tests of sinks."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from math import nan

from wattbook.model import Batch, Columns

AT_MS = 1_795_222_800_000  # 2026-11-21T01:00:00Z


def columns(
    meter: str,
    values: Mapping[str, Sequence[float | None]],
    *,
    at_ms: int = AT_MS,
    step_ms: int = 5_000,
    site: str = "",
) -> Columns:
    """Rows of a meter, one every `step_ms`; None = absent."""
    rows = len(next(iter(values.values())))
    filled = {name: array("d", [nan if cell is None else cell for cell in cells]) for name, cells in values.items()}
    instants = array("q", range(at_ms, at_ms + rows * step_ms, step_ms) if step_ms else [at_ms] * rows)
    return Columns(site, meter, instants, array("q", range(1, rows + 1)), filled, array("B", bytes(rows)))


def batch(*of_meters: Columns) -> Batch:
    return Batch(of_meters, (), str(sum(map(len, of_meters))))
