"""Batches as a follower gives them to the sinks of streams."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from wattbook.model import Batch, Columns

AT_MS = 1_795_222_923_000  # 2026-11-21T01:02:03Z


def columns(meter: str, values: Mapping[str, Sequence[float]], *, at_ms: int = AT_MS, site: str = "") -> Columns:
    """Rows of one meter, a second apart."""
    rows = len(next(iter(values.values())))
    return Columns(
        site,
        meter,
        array("q", range(at_ms, at_ms + 1000 * rows, 1000)),
        array("q", range(1, rows + 1)),
        {name: array("d", cells) for name, cells in values.items()},
        array("B", [0] * rows),
    )


def batch(*parts: Columns) -> Batch:
    return Batch(parts, (), "upto")


def house(rows: int, *, meters: int = 10, at_ms: int = AT_MS) -> Batch:
    """`rows` readings of each of the meters m0 …; each energy is told apart from all others."""
    return batch(
        *(
            columns(
                f"m{meter}",
                {
                    "active_energy_import": [meter * 1e6 + row for row in range(rows)],
                    "voltage": [230.1] * rows,
                },
                at_ms=at_ms,
            )
            for meter in range(meters)
        )
    )


def rows_of(given: Batch) -> list[tuple[str, int, float]]:
    """Meter, instant and energy of everything in a batch, sorted."""
    return sorted(
        (part.meter, at_ms, energy)
        for part in given.columns
        for at_ms, energy in zip(part.at_ms, part.values["active_energy_import"], strict=True)
    )
