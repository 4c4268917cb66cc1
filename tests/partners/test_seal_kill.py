"""Promise 1 for sealed time: kill -9 while frames are made, merged, corrected and imported; 0 lost, 0 doubled."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Timer

import pytest

from book_tools import START, TORTURE
from sealer import DAYS, METER, ZONE
from wattbook.model import Span, SystemClock
from wattbook.store import Book, BookReader

pytestmark = pytest.mark.torture

KILLS = 100 if TORTURE else 4
_SEALER = Path(__file__).with_name("sealer.py")
_ALIVE_MAX_S = 0.6
_SPAN = Span(START - timedelta(days=2), START + timedelta(days=DAYS + 4))


@dataclass
class Told:
    """What the killed processes said: instant -> energy."""

    acknowledged: dict[int, float] = field(default_factory=dict)
    maybe: dict[int, set[float]] = field(default_factory=dict)  # corrections in flight at a kill
    count: int = 0

    def note(self, mark: str, at_ms: int, value: float) -> None:
        self.count += 1
        if mark == "+":  # of a reading that is there with another value the first stays
            self.acknowledged.setdefault(at_ms, value)
        elif mark == "?":
            self.maybe.setdefault(at_ms, set()).add(value)
        else:
            self.acknowledged[at_ms] = value
            del self.maybe[at_ms]

    def wrong(self, history: dict[int, float]) -> dict[int, float | None]:
        return {
            at_ms: history.get(at_ms)
            for at_ms, value in self.acknowledged.items()
            if history.get(at_ms) not in {value, *self.maybe.get(at_ms, ())}
        }


def run_until_killed(book: Path, seed: int, work: str, after_s: float, told: Told) -> None:
    """Let a process write until it is killed, and note what it says."""
    environment = os.environ | {"PYTHONPATH": str(_SEALER.parents[1])}
    process = subprocess.Popen(
        [sys.executable, _SEALER, book, str(seed), work], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    timer = Timer(after_s, process.kill)
    try:
        assert process.stdout.readline() == "open\n"
        timer.start()
        for line in process.stdout:  # ends with the process
            if not line.endswith("\n"):
                break
            mark, at_ms, value = line.split()
            told.note(mark, int(at_ms), float(value))
    finally:
        timer.cancel()
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()


@pytest.mark.parametrize("work", ["seal", "merge", "import"])
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, work: str) -> None:
    path = tmp_path / "wattbook.db"
    random = Random(20261128)
    told = Told()
    for seed in range(KILLS):
        run_until_killed(path, seed, work, random.uniform(0.05, _ALIVE_MAX_S), told)
    assert told.count > 100 * KILLS
    with Book.open(path, clock=SystemClock()) as book, BookReader(path) as reader:
        assert book.opened_with == ()
        for _ in range(2):  # as the kills left it, and sealed to the end
            check(book, reader, told)
            book.seal(ZONE, START + timedelta(days=DAYS + 10))
    assert frames(path) > min(KILLS, DAYS) // 2


def check(book: Book, reader: BookReader, told: Told) -> None:
    series = reader.range(METER, "active_energy_import", _SPAN)
    history = dict(zip(series.at_ms, series.values, strict=True))
    assert len(history) == len(series), "an instant is there twice"
    assert list(series.at_ms) == sorted(series.at_ms)
    assert not told.wrong(history)
    followed: dict[int, float] = {}
    numbers: set[int] = set()
    after = ""
    while len(batch := book.read(after, 1_000)):
        after = batch.upto
        for columns in batch.columns:
            assert numbers.isdisjoint(columns.seq), "a number is there twice"
            numbers.update(columns.seq)
            followed |= zip(columns.at_ms, columns.values["active_energy_import"], strict=True)
    assert followed == history


def frames(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM frame").fetchone()[0])
