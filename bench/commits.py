"""Durable commits of the book against bare INSERTs of equal rows, in the same run (promise 4: 0.8 or better).

A tick is one poll of three meters, with the positions of four followers riding on it, acknowledged when it is synced.
Eight ticks are in flight, as several sources have them, so that a commit may carry more than one; `alone` is one caller
that waits for each tick before it hands in the next, which adds two changes of threads to every commit.

    python -m bench.commits [--ticks 5000] [--rounds 5] [--json]
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from bench.figures import Figure, show
from wattbook.model import Kept, Reading, SystemClock
from wattbook.store import Book
from wattbook.store.connection import connect_writer

METERS = ("main-a", "main-b", "generator")
FOLLOWERS = ("influx", "alerts", "ledger", "centre")
IN_FLIGHT = 8
SHARE_MIN = 0.8

Tick = Sequence[Reading]


def make_ticks(count: int) -> list[Tick]:
    """Polls as three PZEM-016 give them, 5 s apart."""
    start = SystemClock().now()
    return [
        [
            Reading(
                meter,
                start + timedelta(seconds=5 * number, milliseconds=300 * place),
                {
                    "voltage": (2300 + number % 40) / 10,
                    "current": (1500 + number % 900) / 1000,
                    "active_power": (3450 + number % 2000) / 10,
                    "active_energy_import": 25409587 + number,
                    "frequency": (499 + number % 3) / 10,
                    "power_factor": (95 + number % 6) / 100,
                },
            )
            for place, meter in enumerate(METERS)
        ]
        for number in range(count)
    ]


def bare_s(folder: Path, ticks: Sequence[Tick]) -> float:
    """Seconds for the same rows by bare INSERTs, one transaction a tick, with the same pragmas."""
    connection = connect_writer(folder / "bare.db")
    connection.execute(
        "CREATE TABLE hot (seq INTEGER PRIMARY KEY, meter INTEGER, at INTEGER, shape INTEGER, quality INTEGER,"
        " doubt BLOB, cells BLOB, UNIQUE (meter, at))"
    )
    cells = bytes(19)  # as long as the msgpack of these six values
    rows = [
        [(3 * number + place, place, 5000 * number + place, 1, 0, None, cells) for place in range(len(METERS))]
        for number in range(len(ticks))
    ]
    began_s = perf_counter()
    for tick in rows:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO hot VALUES (?, ?, ?, ?, ?, ?, ?)", tick)
        connection.execute("COMMIT")
    took_s = perf_counter() - began_s
    connection.close()
    return took_s


def book_s(folder: Path, ticks: Sequence[Tick], *, in_flight: int) -> tuple[float, int]:
    """Seconds until every tick is durable, with `in_flight` of them handed in ahead, and the commits it took."""
    with Book.open(folder / f"book-{in_flight}.db", clock=SystemClock()) as book:
        waiting: deque[Future[Kept]] = deque()
        began_s = perf_counter()
        for number, tick in enumerate(ticks):
            for follower in FOLLOWERS:
                book.acknowledge(follower, str(number))
            waiting.append(book.append(tick, fresh=True, urgent=True))
            if len(waiting) == in_flight:
                waiting.popleft().result()
        for future in waiting:
            future.result()
        took_s = perf_counter() - began_s
        _check(book, 3 * len(ticks))
        return took_s, book.statistics().commits


def _check(book: Book, count: int) -> None:
    assert book.statistics().readings == count
    with sqlite3.connect(book.path) as connection:
        assert connection.execute("SELECT count(*) FROM hot").fetchone() == (count,)
    connection.close()


def measure(ticks: Sequence[Tick], rounds: int) -> list[Figure]:
    """Medians of rounds in which the three take turns, so that a busy moment meets all of them."""
    bare, alone, together = list[float](), list[float](), list[float]()
    commits = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
            folder = Path(name)
            bare.append(len(ticks) / bare_s(folder, ticks))
            alone.append(len(ticks) / book_s(folder, ticks, in_flight=1)[0])
            took_s, commits = book_s(folder, ticks, in_flight=IN_FLIGHT)
            together.append(len(ticks) / took_s)
    bare_per_s, alone_per_s, together_per_s = map(statistics.median, (bare, alone, together))
    return [
        Figure("durable commits of the book / bare SQLite inserts", together_per_s / bare_per_s, at_least=SHARE_MIN),
        Figure(f"  the book, {IN_FLIGHT} ticks in flight (3 readings, 4 positions each)", together_per_s, "ticks/s"),
        Figure("  ticks in one of its commits", len(ticks) / commits),
        Figure("  bare inserts of the readings alone, a commit each", bare_per_s, "ticks/s"),
        Figure("  the book / bare, one caller who waits for each tick", alone_per_s / bare_per_s),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    options = parser.parse_args()
    show(measure(make_ticks(options.ticks), options.rounds), as_json=options.json)


if __name__ == "__main__":
    main()
