"""A process that appends, sends late and again, corrects, imports and seals, until it is killed: see test_seal_kill.py.

Told are "+ instant value" (ms, energy) when a reading was acknowledged, "? instant value" before a correction is
handed in, and "! instant value" when it was acknowledged.
"""

from __future__ import annotations

import sys
from array import array
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Thread
from zoneinfo import ZoneInfo

from book_tools import START
from wattbook.model import Columns, Event, Reading, SystemClock
from wattbook.model.batch import to_ms
from wattbook.store import Book

ZONE = ZoneInfo("Europe/Prague")
METER = "main-a"
DAYS = 40  # the times that readings come for
_BURST = 130  # enough for an hour to be sealed by itself


def energy(at_ms: int, revision: int = 0) -> float:
    """What the meter said at an instant: a register that tells the instant."""
    return at_ms // 10_000 + revision / 10


def tell(at_ms: int, value: float) -> None:
    print("+", at_ms, value, flush=True)


def seal_always(book: Book, random: Random) -> None:
    """Seal as of changing times, so that hours are sealed first and days later."""
    while True:  # until killed
        book.seal(ZONE, START + timedelta(days=random.uniform(0, DAYS + 1)))


def append(book: Book, random: Random) -> None:
    """A burst of polls somewhere, some of which the book has already."""
    begin = START + timedelta(days=random.randrange(DAYS), hours=random.randrange(24))
    readings = []
    for number in range(_BURST):
        at = begin + timedelta(seconds=20 * number)
        readings.append(Reading(METER, at, {"active_energy_import": energy(to_ms(at)), "voltage": 230.1}))
    book.append(readings, urgent=True).result(30)
    for reading in readings:
        tell(to_ms(reading.at), reading.values["active_energy_import"])


def correct(book: Book, random: Random, revision: int) -> None:
    """One reading corrected, maybe in sealed time."""
    seconds = 3600 * random.randrange(24) + 20 * random.randrange(_BURST)
    at = START + timedelta(days=random.randrange(DAYS), seconds=seconds)
    value = energy(to_ms(at), revision)
    print("?", to_ms(at), value, flush=True)  # it may be written without being acknowledged
    reading = Reading(METER, at, {"active_energy_import": value})
    book.correct([reading], Event("reading.corrected", METER, at)).result(30)
    print("!", to_ms(at), value, flush=True)


def import_days(book: Book, random: Random) -> None:
    """Two days at once, that the book may have parts of."""
    begin_ms = to_ms(START) + random.randrange(DAYS) * 86_400_000 + 5_000
    at_ms = array("q", range(begin_ms, begin_ms + 2 * 86_400_000, 60_000))
    values = {"active_energy_import": array("d", map(energy, at_ms))}
    columns = Columns("", METER, at_ms, array("q", bytes(8 * len(at_ms))), values, array("B", bytes(len(at_ms))))
    book.import_columns(columns, ZONE)
    for instant in at_ms:
        tell(instant, energy(instant))


def main(path: str, seed: str, work: str) -> None:
    random = Random(int(seed))
    with Book.open(Path(path), clock=SystemClock()) as book:
        Thread(target=seal_always, args=(book, Random(random.random())), daemon=True).start()
        print("open", flush=True)
        revision = int(seed) * 100
        while True:  # until killed
            append(book, random)
            if work == "merge":
                revision += 1
                correct(book, random, revision % 1_000)
            elif work == "import":
                import_days(book, random)


if __name__ == "__main__":
    main(*sys.argv[1:])
