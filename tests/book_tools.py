"""What the tests of the book share: a clock that stands still, readings by number."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from wattbook.model import Reading

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TORTURE = os.environ.get("WATTBOOK_TORTURE") == "1"


class StillClock:
    """Tells the same instant until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def poll(number: int, meter: str = "main-a", *, every_s: float = 5.0) -> Reading:
    """The reading of one poll: values that tell the number."""
    values = {"voltage": (2300 + number % 50) / 10, "active_energy_import": 25_409_000 + number}
    return Reading(meter, START + timedelta(seconds=every_s * number), values)


def polls(count: int, meter: str = "main-a", *, first: int = 0) -> list[Reading]:
    return [poll(number, meter) for number in range(first, first + count)]
