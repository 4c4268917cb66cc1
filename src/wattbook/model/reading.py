"""What one meter said at one instant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Quality(StrEnum):
    """How far a measured value is trusted. A meter that is gone gives no reading at all, so there is no "bad"."""

    GOOD = "good"
    SUSPECT = "suspect"  # kept, never shown as a fact: implausible, or from a format without a check


class EnergyQuality(StrEnum):
    """How the energy of an interval came about (design, rule 4)."""

    MEASURED = "measured"
    SPREAD = "spread"  # the interval touches a gap in the readings
    ESTIMATED = "estimated"
    MISSING = "missing"


EMPTY: Mapping[str, Any] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    """Make the default of a mapping in a dataclass."""
    return EMPTY


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter said at one instant. Its identity is (site, meter, at)."""

    meter: str
    at: datetime  # aware, UTC, kept to 10 ms: the moment the answer was complete
    values: Mapping[str, float]  # quantity -> value in its base unit (vocabulary)
    quality: Quality = Quality.GOOD
    doubt: Mapping[str, Quality] = field(default_factory=nothing)  # single values that differ from `quality`
    site: str = ""  # "" = the book's own

    def good_values(self) -> Iterator[tuple[str, float]]:
        """Yield name and value of those that nothing speaks against."""
        for name, value in self.values.items():
            if self.doubt.get(name, self.quality) is Quality.GOOD:
                yield name, value


@dataclass(frozen=True, slots=True)
class Event:
    """A decision, or a fact about a meter's life or the book's. It shares the journal's numbers with readings."""

    kind: str  # "clock.step", "meter.away", "meter.back", "book.gap" ...
    subject: str  # the meter, line or follower it is about; "" = the book
    at: datetime
    body: Mapping[str, Any] = field(default_factory=nothing)  # JSON
    actor: str = "wattbook"  # who did it
    seq: int = 0  # 0 = not yet in a journal
