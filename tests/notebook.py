"""A keeper that remembers, for tests of what hands readings over."""

from __future__ import annotations

from collections.abc import Sequence

from wattbook.model import Event, Kept, Reading


class Notebook:
    """Implements model.Keeper in memory."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.events: list[Event] = []

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        first = len(self.readings)
        self.readings += readings
        return Kept(tuple(range(first, len(self.readings))))

    def measured(self, reading: Reading) -> None:
        self.readings.append(reading)

    def note(self, event: Event) -> None:
        self.events.append(event)

    def of(self, meter: str) -> list[Reading]:
        return [reading for reading in self.readings if reading.meter == meter]

    def kinds(self, meter: str) -> list[str]:
        return [event.kind for event in self.events if event.subject == meter]
