"""Books in folders of their own, filled with the readings of a plant."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench.meter_data import ZONE, Plant
from wattbook.model import Columns, Reading, SystemClock
from wattbook.store import Book


@contextmanager
def folder() -> Iterator[Path]:
    """An empty one on the disk of the working directory: /tmp may be memory."""
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
        yield Path(name)


def import_plant(path: Path, plant: Plant) -> float:
    """Import all of it; return samples a second."""
    took_s = 0.0
    with Book.open(path, clock=SystemClock()) as book:
        for columns in plant.columns():
            began_s = perf_counter()
            kept = book.import_columns(columns, ZONE)
            took_s += perf_counter() - began_s
            assert kept.new == plant.rows
    return plant.samples / took_s


def size(path: Path) -> int:
    """The whole file and its log, after the checkpoint of its close."""
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def readings_of(columns: Columns, first: int, last: int) -> list[Reading]:
    """Rows from `first` to before `last`."""
    return list(columns.cut(slice(first, last)).readings())
