"""What sealing costs: the file of a life, the wait of others for their commits, memory.

python -m bench.sealing [--days 30]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from bench.book_files import folder, readings_of, size
from bench.figures import Figure, parse, progress, show
from bench.meter_data import MONTH, ZONE, Plant
from wattbook.model import Reading, SystemClock
from wattbook.store import Book

LATE = timedelta(hours=1)
DAYS_BUSY = 4  # sealed while somebody commits
ROUNDS = 5
PASS_S = 300  # the daemon looks once a minute; five times as seldom the file is 1 % larger, and the bench quicker
LATE_EVERY = 3  # passes; the daemon's are 15 of a minute each
SWITCH_S = 0.00005  # as in the daemon (decision 4)
BYTES_MAX, WAIT_MS_MAX, MEMORY_MB_MAX = 0.55, 50.0, 120.0


def as_lived(plant: Plant) -> Figure:
    """Bytes a sample of a book that got it poll by poll in simulated time, and sealed hours and days as they passed.

    Free pages and all. A commit takes the polls between two passes: one for each poll makes the same file.
    """
    progress(f"{plant.samples / 1e6:.1f} M samples as lived")
    meters, between = list(plant.columns()), PASS_S // plant.every_s
    with folder() as place:
        path = place / "lived.db"
        with Book.open(path, clock=SystemClock()) as book:
            for number, first in enumerate(range(0, plant.rows, between)):
                polls = [readings_of(columns, first, first + between) for columns in meters]
                for poll in zip(*polls, strict=True):
                    book.append(poll)
                book.append([], urgent=True).result()
                book.seal(ZONE, polls[0][-1].at, late=number % LATE_EVERY == 0)
            book.seal(ZONE, plant.span.end + LATE)
        few = plant.days < MONTH.days  # they do not pay for what every file has
        return Figure(
            f"  as lived: {plant.days} days appended, hours sealed, then days",
            size(path) / plant.samples,
            "B",
            at_most=None if few else BYTES_MAX,
        )


def while_sealing(plant: Plant) -> list[Figure]:
    """The longest that a caller waits for a commit while days are sealed, beside the same while nothing is.

    Of several rounds: the longest of one was seen to differ by three times.
    """
    progress("commits while days are sealed")
    sys.setswitchinterval(SWITCH_S)
    rounds = [_round(replace(plant, days=min(plant.days, DAYS_BUSY))) for _ in range(ROUNDS)]
    quiet_ms, busy_ms = (max(found) for found in zip(*rounds, strict=True))
    what = f"longest wait for a commit while days of 5 s are sealed, of {ROUNDS} rounds"
    return [
        Figure(what, busy_ms, "ms", at_most=WAIT_MS_MAX),
        Figure("  the same while nothing is sealed", quiet_ms, "ms"),
    ]


def _round(plant: Plant) -> tuple[float, float]:
    """The longest waits in ms while nothing is sealed, and while all of it is."""
    with folder() as place, Book.open(place / "busy.db", clock=SystemClock()) as book:
        _append(book, plant, at_once=5_000)
        quiet_ms = _longest_commit(book, lambda: threading.Event().wait(2.0))
        return quiet_ms, _longest_commit(book, lambda: _seal_all(book, plant))


def _seal_all(book: Book, plant: Plant) -> None:
    frames = book.seal(ZONE, plant.span.end + LATE).frames
    assert frames >= plant.meters * plant.days, f"only {frames} frames were sealed"


def _append(book: Book, plant: Plant, *, at_once: int) -> None:
    for columns in plant.columns():
        for first in range(0, plant.rows, at_once):
            book.append(readings_of(columns, first, first + at_once), urgent=True).result()


def _longest_commit(book: Book, meanwhile: Callable[[], object]) -> float:
    """The longest wait in ms of a thread that appends one urgent reading after another; at least 20 of them."""
    ended, took = threading.Event(), list[float]()

    def commit() -> None:
        clock = SystemClock()
        while not ended.is_set():
            began_s = perf_counter()
            book.append([Reading("other", clock.now(), {"voltage": 230.0})], fresh=True, urgent=True).result()
            took.append(perf_counter() - began_s)

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        meanwhile()
        assert thread.is_alive(), "the thread that commits has failed; its words are on standard error"
    finally:
        ended.set()
        thread.join()
    assert len(took) >= 20, f"{len(took)} commits tell nothing"
    return max(took) * 1000


def memory(days: int) -> list[Figure]:
    """Of a process that has loaded what the daemon has, while it seals: in one of its own."""
    progress("memory while days are sealed")
    done = subprocess.run(
        [sys.executable, "-m", "bench.sealing", "--memory-of", str(days), "--json"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return parse(done.stdout)


def memory_here(days: int) -> Figure:
    """The most that this process held when it has appended and sealed so many days."""
    import wattbook.api.app
    import wattbook.daemon  # noqa: F401 - for its weight

    with folder() as place, Book.open(place / "memory.db", clock=SystemClock()) as book:
        for number in range(days):
            day = replace(MONTH, start=MONTH.start + timedelta(days=number), days=1)
            _append(book, day, at_once=500)
            book.seal(ZONE, day.span.end + LATE)
    return Figure("memory of the daemon's modules while sealing", _most_mb(), "MB", at_most=MEMORY_MB_MAX)


def _most_mb() -> float:
    """VmHWM of this process, in MB of 1,000,000 bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (kb,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kb * 1024 / 1e6


def measure(days: int) -> list[Figure]:
    """All of it."""
    plant = replace(MONTH, days=days)
    return [as_lived(plant), *while_sealing(plant), *memory(2)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=MONTH.days)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args()
    found = [memory_here(given.memory_of)] if given.memory_of else measure(given.days)
    show(found, as_json=given.json)


if __name__ == "__main__":
    main()
