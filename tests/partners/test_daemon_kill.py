"""kill -9 at random moments: what was acknowledged, or could be read from the book, is in the book once."""

import http.client
import json
import os
import random
import signal
import sqlite3
import threading
import time
import urllib.error
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from running import daemon, post, simulated, write_house
from wattbook.store import BookReader

TORTURE = bool(os.environ.get("WATTBOOK_TORTURE"))
KILLS = 1000 if TORTURE else 20
NUMBERS = count()
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def _push(url: str, numbers: list[int]) -> None:
    """Send readings that cannot be mistaken for others."""
    readings = [
        {
            "meter": "pushed",
            "at": (EPOCH + timedelta(seconds=number)).isoformat(),
            "values": {"pulse_count": number},
        }
        for number in numbers
    ]
    post(url + "api/v1/readings", json.dumps(readings).encode())


def _push_until_it_dies(url: str, acknowledged: list[int], size: int) -> None:
    """Send reading after reading; what was answered is acknowledged."""
    while True:
        numbers = [next(NUMBERS) for _ in range(size)]
        try:
            _push(url, numbers)
        except urllib.error.HTTPError:
            raise  # an answer, and a wrong one
        except (OSError, http.client.HTTPException):
            return  # it died before it could answer
        acknowledged += numbers


def _rows(book: Path) -> dict[int, tuple[str, int]]:
    """Number -> (meter, instant) of everything that stands in the book now."""
    with BookReader(book) as reader:
        return {
            seq: (columns.meter, at)
            for columns in reader.read("", 10**9).columns
            for seq, at in zip(columns.seq, columns.at_ms, strict=True)
        }


@pytest.mark.torture
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    seed = int(os.environ.get("WATTBOOK_SEED", random.randrange(10**6)))
    chance, log = random.Random(seed), tmp_path / "run.log"
    config, book = write_house(tmp_path), tmp_path / "wattbook.db"
    acknowledged: list[int] = []
    before: dict[int, tuple[str, int]] = {}
    with simulated(tmp_path, config):
        for kill in range(KILLS):
            with daemon(config, log) as (url, process):
                assert before.items() <= _rows(book).items(), f"kill {kill}, seed {seed}: readings were lost"
                pusher = threading.Thread(
                    target=_push_until_it_dies, args=(url, acknowledged, chance.randrange(1, 100))
                )
                pusher.start()
                time.sleep(chance.uniform(0.0, 0.5))  # any moment: in a commit, in a poll, in an answer
                before = _rows(book)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                pusher.join()
    after = _rows(book)
    assert before.items() <= after.items(), f"seed {seed}: readings were lost"
    with BookReader(book) as reader:
        pushed = [r for r in reader.read("", 10**9).readings() if r.meter == "pushed"]
    numbers = Counter(int(reading.values["pulse_count"]) for reading in pushed)
    assert max(numbers.values()) == 1, f"seed {seed}: a reading stands twice"
    assert all(reading.at == EPOCH + timedelta(seconds=reading.values["pulse_count"]) for reading in pushed)
    lost = [number for number in acknowledged if number not in numbers]
    assert not lost, f"seed {seed}: {len(lost)} acknowledged readings are not in the book"
    assert len(acknowledged) > KILLS, "hardly anything was acknowledged: nothing is shown"
    polled_rows = sum(meter != "pushed" for meter, _ in after.values())
    assert polled_rows > KILLS, "the lines were not read between the kills"
    with sqlite3.connect(book) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    print(f"{KILLS} kills, {len(acknowledged)} pushed and {polled_rows} polled readings: 0 lost, 0 doubled")
