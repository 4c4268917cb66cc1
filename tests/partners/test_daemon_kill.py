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
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from running import daemon, post, simulated, write_house
from wattbook.model.batch import to_ms
from wattbook.store import BookReader

TORTURE = bool(os.environ.get("WATTBOOK_TORTURE"))
KILLS = int(os.environ.get("WATTBOOK_KILLS", 1000)) if TORTURE else 8
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
        time.sleep(0.01)


def _rows(book: Path, after: str) -> tuple[dict[int, tuple[str, int]], str]:
    """Number -> (meter, instant) of what can be read now after a position, and the position reached."""
    with BookReader(book) as reader:
        batch = reader.read(after, 10**9)
    rows = {
        seq: (columns.meter, at)
        for columns in batch.columns
        for seq, at in zip(columns.seq, columns.at_ms, strict=True)
    }
    return rows, batch.upto


@pytest.mark.torture
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    seed = int(os.environ.get("WATTBOOK_SEED", random.randrange(10**6)))
    chance, log = random.Random(seed), tmp_path / "run.log"
    config, book = write_house(tmp_path), tmp_path / "wattbook.db"
    acknowledged: list[int] = []
    read: dict[int, tuple[str, int]] = {}  # what could be read just before the kill
    checked = ""  # the position up to which this was found again after it
    with simulated(tmp_path, config):
        for kill in range(KILLS):
            with daemon(config, log) as (url, process):
                found, upto = _rows(book, checked)
                assert read.items() <= found.items(), f"kill {kill}, seed {seed}: readings were lost"
                checked = upto
                pusher = threading.Thread(target=_push_until_it_dies, args=(url, acknowledged, chance.randrange(1, 30)))
                pusher.start()
                time.sleep(chance.uniform(0.0, 0.5))  # any moment: in a commit, in a poll, in an answer
                read, _ = _rows(book, checked)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                pusher.join()
    assert read.items() <= _rows(book, checked)[0].items(), f"seed {seed}: readings were lost"
    numbers: Counter[int] = Counter()
    polled = 0
    with BookReader(book) as reader:
        for columns in reader.read("", 10**9).columns:
            if columns.meter != "pushed":
                polled += len(columns)
                continue
            numbers.update(map(int, columns.values["pulse_count"]))
            instants = [to_ms(EPOCH + timedelta(seconds=value)) for value in columns.values["pulse_count"]]
            assert list(columns.at_ms) == instants, f"seed {seed}: a value stands at another's instant"
    assert max(numbers.values()) == 1, f"seed {seed}: a reading stands twice"
    lost = [number for number in acknowledged if number not in numbers]
    assert not lost, f"seed {seed}: {len(lost)} acknowledged readings are not in the book"
    assert len(acknowledged) > KILLS, "hardly anything was acknowledged: nothing is shown"
    assert polled > KILLS, "the lines were not read between the kills"
    with closing(sqlite3.connect(book)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    print(
        f"{KILLS} kills, {len(acknowledged)} acknowledged and {polled} polled readings: 0 lost, 0 doubled, seed {seed}"
    )
