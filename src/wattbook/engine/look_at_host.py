"""Look at the machine itself on a schedule, like at a meter that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from wattbook.codecs.measured import Measured
from wattbook.drivers.source import Report
from wattbook.engine.schedule import until_slot
from wattbook.model import Clock, Keeper, MeterError, Reading


class Instrument(Protocol):
    """What can be read without a line."""

    def read(self) -> Measured:
        """Read it; blocks for a moment. Raises MeterError."""
        ...


class HostSource:
    """A source whose meter is this machine. `every_s` is its period, at :00 of the clock as for every meter."""

    def __init__(
        self,
        meter: str,
        host: Instrument,
        *,
        every_s: float,
        clock: Clock,
        report: Report,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._meter, self._host, self._every_s = meter, host, every_s
        self._clock, self._report, self._sleep = clock, report, sleep

    async def run(self, keep: Keeper) -> None:
        """Read and hand over until cancelled."""
        while True:
            try:
                measured = await asyncio.to_thread(self._host.read)  # a network's file system may take its time
            except MeterError as error:
                self._report.lost(self._meter, str(error))
            else:
                at = self._clock.now()
                keep.measured(Reading(self._meter, at, measured.values))
                self._report.heard(self._meter, at)
            await self._sleep(until_slot(self._every_s, self._clock.now().timestamp()))
