"""What the tests of the book share: a clock that stands still, a disk that hangs, readings by number."""

from __future__ import annotations

import os
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wattbook.model import Reading
from wattbook.store.connection import connect_writer

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = START + timedelta(days=1)  # after every reading of these tests
TORTURE = os.environ.get("WATTBOOK_TORTURE") == "1"


class StillClock:
    """Tells the same instant until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class HangingDisk:
    """Connects the book to a file whose commits hang while `hang` is set."""

    def __init__(self) -> None:
        self.reached = threading.Event()  # a commit hangs
        self._goes_on = threading.Event()
        self._goes_on.set()

    def hang(self) -> None:
        self.reached.clear()
        self._goes_on.clear()

    def go_on(self) -> None:
        self._goes_on.set()

    def connect(self, path: Path) -> sqlite3.Connection:
        connection = connect_writer(path)

        def traced(statement: str) -> None:
            if statement == "COMMIT" and not self._goes_on.is_set():
                self.reached.set()
                self._goes_on.wait(60.0)

        connection.set_trace_callback(traced)
        return connection


def poll(number: int, meter: str = "main-a", *, every_s: float = 5.0) -> Reading:
    """The reading of one poll: values that tell the number."""
    values = {"voltage": (2300 + number % 50) / 10, "active_energy_import": 25_409_000 + number}
    return Reading(meter, START + timedelta(seconds=every_s * number), values)


def polls(count: int, meter: str = "main-a", *, first: int = 0) -> list[Reading]:
    return [poll(number, meter) for number in range(first, first + count)]
