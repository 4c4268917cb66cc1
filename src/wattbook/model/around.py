"""What is known of a site and its meters beside their readings: what templates may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """What the configuration says of a meter."""

    location: str = ""
    model: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A site and its meters, by name. A meter that is not named here has no facts."""

    site: str = ""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    meters: Mapping[str, MeterFacts] = field(default_factory=dict)

    def facts(self, meter: str) -> MeterFacts:
        """What is known of a meter."""
        return self.meters.get(meter, _UNKNOWN)


_UNKNOWN = MeterFacts()
