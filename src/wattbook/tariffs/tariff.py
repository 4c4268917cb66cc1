"""A tariff: versions one after the other, and the price of a kWh at an instant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from math import gcd
from zoneinfo import ZoneInfo

from wattbook.model import Span
from wattbook.tariffs.price import EnergyPrice
from wattbook.tariffs.zones import Zones

FREE = ("solar", "battery")  # without a price of their own they cost nothing: the sun, and what was paid for before
GRID_MIN = 15  # minutes; every clock change of any zone is of whole quarters
_NOTHING = Zones(())
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Version:
    """What holds from one local date to another. Never changed: new prices are a new version."""

    currency: str  # ISO 4217
    prices: tuple[EnergyPrice, ...]
    start: date | None = None  # None = since ever
    end: date | None = None  # excluded; None = until the next version
    holidays: frozenset[date] = frozenset()

    @cached_property
    def zones(self) -> Mapping[tuple[str, bool], Zones]:
        """(Source, whether export) -> its prices."""
        keys = dict.fromkeys((each.source, each.export) for each in self.prices)
        found = {
            (source, export): Zones(
                tuple(each for each in self.prices if (each.source, each.export) == (source, export)), self.holidays
            )
            for source, export in keys
        }
        free = {(source, False): Zones((EnergyPrice(source, _ZERO, source),)) for source in FREE}
        return free | found

    def of(self, source: str, *, export: bool = False) -> Zones:
        """The prices of a source; none, where it has none."""
        return self.zones.get((source, export), _NOTHING)

    def covers(self, day: date) -> bool:
        """Whether it holds on a local date."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True)
class Tariff:
    """All versions, in order of time, with the zone whose clock they mean."""

    versions: tuple[Version, ...]
    zone: ZoneInfo

    def version(self, at: datetime) -> Version | None:
        """What holds at an instant."""
        day = at.astimezone(self.zone).date()
        return next((each for each in self.versions if each.covers(day)), None)

    def parts(self, span: Span) -> Iterator[tuple[Span, Version | None]]:
        """Cut a span at the midnights when versions begin or end, with what holds in each part; empty, it is one."""
        first, last = (at.astimezone(self.zone).date() for at in (span.start, span.end))
        days = {day for each in self.versions for day in (each.start, each.end) if day and first < day <= last}
        cuts = [at for at in map(self._midnight, sorted(days)) if at < span.end]
        for start, end in pairwise([span.start, *cuts, span.end]):
            yield Span(start, end), self.version(start)

    def _midnight(self, day: date) -> datetime:
        """When a local day begins; where the clocks skip midnight, the first instant after."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def price(self, at: datetime, source: str, *, export: bool = False) -> EnergyPrice | None:
        """What a kWh costs at an instant by the clock; None = nobody says."""
        version = self.version(at)
        return version.of(source, export=export).at(at.astimezone(self.zone)) if version else None

    def price_of_register(self, at: datetime, register: str, *, export: bool = False) -> EnergyPrice | None:
        """What a kWh of a utility meter's register ("t1") costs at an instant; None = nobody says."""
        version = self.version(at)
        return version.of("utility", export=export).registers.get(register) if version else None

    @cached_property
    def grid_min(self) -> int | None:
        """Minutes, counted from local midnight, of which whole ones lie between changes; None = only days matter."""
        edges = {minute for each in self.versions for zones in each.zones.values() for minute in zones.edges}
        return gcd(GRID_MIN, *edges) if edges - {0} else None

    def currency(self, now: datetime) -> str:
        """What people pay in now: that of the version in force, else of the last one."""
        return (self.version(now) or self.versions[-1]).currency
