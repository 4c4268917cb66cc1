"""Killed with -9 at any moment, files have every row once and no torn line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random
from threading import Timer

import pytest

from book_tools import TORTURE
from csv_appender import FIRST, METERS, STEP_MS
from foreign_csv import whole_rows
from wattbook.model.batch import to_ms

pytestmark = pytest.mark.torture

KILLS = 60 if TORTURE else 5
_APPENDER = Path(__file__).with_name("csv_appender.py")
_ALIVE_MAX_S = 0.3  # some ten to hundred writes


def run_until_killed(folder: Path, file: str, after_s: float) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_APPENDER.parents[1]), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, _APPENDER, folder, file], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    timer = Timer(after_s, process.kill)
    try:
        assert process.stdout.readline() == "open\n"
        timer.start()
        process.wait(timeout=60)
    finally:
        timer.cancel()
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()


@pytest.mark.parametrize("file", ["{meter}_{at:YYYY-MM-DD}.csv", "all.csv"])
def test_every_row_is_there_once_after_kills(file: str, tmp_path: Path) -> None:
    random = Random(20261128)
    for _ in range(KILLS):
        run_until_killed(tmp_path, file, random.uniform(0, _ALIVE_MAX_S))
    position, _ = json.loads((tmp_path / "position.json").read_text())
    rows = [row for path in (tmp_path / "csv").glob("*.csv") for row in whole_rows(path)]
    found = Counter((row["meter"], row["at"]) for row in rows)
    assert [key for key, count in found.items() if count > 1] == []
    for meter in METERS:
        numbers = sorted(number_of(at) for name, at in found if name == meter)
        assert numbers == list(range(len(numbers))) and len(numbers) >= position > KILLS
    assert all(float(row["voltage"]) == number_of(row["at"]) + 0.5 for row in rows)


def number_of(at: str) -> int:
    """The number of a row, which its voltage tells too."""
    return (to_ms(datetime.fromisoformat(at)) - to_ms(datetime.fromisoformat(FIRST))) // STEP_MS
