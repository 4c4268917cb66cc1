"""Batches for sinks, told shortly."""

from array import array
from collections.abc import Mapping, Sequence

from wattbook.model import Batch, Columns
from wattbook.model.batch import ABSENT, GOOD_CODE

Row = tuple[int, Mapping[str, float]]  # milliseconds since 1970, values


def columns(meter: str, *rows: Row, site: str = "", seq: int = 1) -> Columns:
    """Readings of a meter, all good."""
    names = sorted({name for _, values in rows for name in values})
    return Columns(
        site,
        meter,
        array("q", [at_ms for at_ms, _ in rows]),
        array("q", range(seq, seq + len(rows))),
        {name: array("d", [values.get(name, ABSENT) for _, values in rows]) for name in names},
        array("B", [GOOD_CODE] * len(rows)),
    )


def batch(*parts: Columns, upto: str = "1") -> Batch:
    return Batch(parts, (), upto)


def many(meters: int, rows: int, values: Sequence[str], *, step_ms: int = 5_000) -> Batch:
    """A backlog: `rows` readings of each meter, every value different."""
    return batch(
        *(
            columns(f"m{number}", *((row * step_ms, _values(number, row, values)) for row in range(rows)))
            for number in range(meters)
        )
    )


def _values(number: int, row: int, names: Sequence[str]) -> Mapping[str, float]:
    return {name: number * 1000.0 + row + place / 8 for place, name in enumerate(names)}
