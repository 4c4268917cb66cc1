"""The first readings of a run are looked at on their way into the book: what looks wrong is told once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from wattbook.engine.examine import Examination
from wattbook.engine.status import MeterStatus
from wattbook.model.keeping import Keeper, Kept
from wattbook.model.reading import Event, Reading

log = logging.getLogger(__name__)


class ExaminedKeeper:
    """A Keeper before the real one. A meter's readings come from one thread at a time, as its line has just one."""

    def __init__(self, keeper: Keeper, examinations: Mapping[str, Examination]) -> None:
        self._keeper = keeper
        self._examinations = dict(examinations)
        self.statuses: Mapping[str, MeterStatus] = {}  # where hints are shown; set once the lines are made

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        """Return when the readings are durable."""
        kept = await self._keeper.keep(readings)
        for reading in readings:
            self._look(reading)
        return kept

    def measured(self, reading: Reading) -> None:
        """Take a reading just polled."""
        self._keeper.measured(reading)
        self._look(reading)

    def note(self, event: Event) -> None:
        """Write an event down."""
        self._keeper.note(event)

    def _look(self, reading: Reading) -> None:
        examination = self._examinations.get(reading.meter)
        if examination is None:
            return
        for finding in examination.look(reading.at, reading.values):
            log.warning("%s: %s", reading.meter, finding.words)
            body = {"finding": finding.kind, "of": finding.subject, "words": finding.words}
            self._keeper.note(Event("meter.implausible", reading.meter, reading.at, body))
            status = self.statuses.get(reading.meter)
            if status is not None:
                status.hints = (*status.hints, finding.words)
        if examination.over:
            del self._examinations[reading.meter]  # the rest of the run costs one look into a dictionary
