"""Promise 1: an acknowledged reading survives kill -9, and is in the book once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from threading import Timer

import pytest

from book_tools import TORTURE
from wattbook.model import SystemClock
from wattbook.store import Book

pytestmark = pytest.mark.torture

KILLS = 1_000 if TORTURE else 20
_APPENDER = Path(__file__).with_name("appender.py")
_ALIVE_MAX_S = 0.15  # some hundred appends


def run_until_killed(book: Path, first: int, after_s: float) -> dict[int, tuple[int, ...]]:
    """Let a process append until it is killed; return what it said was acknowledged: number -> the book's numbers."""
    environment = os.environ | {"PYTHONPATH": str(_APPENDER.parents[1])}
    process = subprocess.Popen(
        [sys.executable, _APPENDER, book, str(first)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    acknowledged = {}
    timer = Timer(after_s, process.kill)
    try:
        assert process.stdout.readline() == "open\n"
        timer.start()
        for line in process.stdout:  # ends with the process
            if line.endswith("\n"):
                number, *seqs = map(int, line.split())
                acknowledged[number] = tuple(seqs)
    finally:
        timer.cancel()
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()
    return acknowledged


def test_every_acknowledged_reading_is_there_once_after_kills(tmp_path: Path) -> None:
    path = tmp_path / "wattbook.db"
    random = Random(20261121)
    expected: dict[int, int] = {}  # the book's number -> number of the poll
    first = 0
    for _ in range(KILLS):
        acknowledged = run_until_killed(path, first, random.uniform(0, _ALIVE_MAX_S))
        for number, seqs in acknowledged.items():
            expected |= {seq: 3 * number + place for place, seq in enumerate(seqs)}
        first = max([first, *acknowledged]) + 10  # beyond what was in flight
    assert len(expected) > KILLS
    with Book.open(path, clock=SystemClock()) as book:
        assert book.opened_with == ()
        found: dict[int, int] = {}
        after = ""
        while len(batch := book.read(after, 5_000)):
            after = batch.upto
            for columns in batch.columns:
                energies = columns.values["active_energy_import"]
                found |= {seq: int(energy) - 25_409_000 for seq, energy in zip(columns.seq, energies, strict=True)}
    assert expected.items() <= found.items()
    assert [poll for poll, count in Counter(found.values()).items() if count > 1] == []
