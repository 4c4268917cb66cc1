"""What the terminal knows of a house: taken in piece by piece as the daemon tells it. Of one thread, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wattbook.top.answers import (
    About,
    Alert,
    Life,
    Meter,
    Quantity,
    Reading,
    Series,
    Sink,
    Storage,
    Supply,
    Virtual,
    Watched,
)
from wattbook.top.computed import POWER, as_meter, as_reading
from wattbook.top.trace import Trace

ENERGY = "active_energy_import"


@dataclass(frozen=True, slots=True)
class Opened:
    """The live stream is open. `skew`: the daemon's clock minus ours."""

    skew: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing comes any more, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The daemon is still there."""


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of today so far, and of yesterday up to the same time, by meter, in Wh."""

    today: Mapping[str, float]
    yesterday: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Past:
    """Power of the last minutes, from the book."""

    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class Meters:
    """All meters, in the configuration's order."""

    meters: Sequence[Meter]


@dataclass(frozen=True, slots=True)
class Computed:
    """All virtual meters, in the configuration's order."""

    meters: Sequence[Virtual]


@dataclass(frozen=True, slots=True)
class Sinks:
    """All sinks, in the configuration's order."""

    sinks: Sequence[Sink]


@dataclass(frozen=True, slots=True)
class Learned:
    """Titles and units of names."""

    quantities: Sequence[Quantity]


News = (
    Opened | Lost | Heard | Energy | Past | Meters | Computed | Sinks | Learned
    | About | Meter | Reading | Supply | Storage | Life | Watched
)  # fmt: skip


@dataclass
class House:
    """Everything that is shown."""

    about: About
    zone: tzinfo = UTC
    meters: dict[str, Meter] = field(default_factory=dict)
    virtual: dict[str, Virtual] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)
    quantities: dict[str, Quantity] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    supply: Supply = field(default_factory=Supply)
    sinks: Sequence[Sink] = ()
    alerts: Sequence[Alert] = ()
    storage: Storage | None = None
    energy: Energy = field(default_factory=lambda: Energy({}, {}))
    connected: bool = False
    why: str = "connecting"  # not connected
    skew: timedelta = timedelta(0)
    heard_at: datetime | None = None  # when anything last came, by the daemon's clock

    def now(self) -> datetime:
        """The daemon's clock."""
        return datetime.now(UTC) + self.skew

    def take(self, news: News) -> None:
        """Know this too."""
        match news:
            case Lost(why):
                self.connected, self.why = False, why
                return
            case Opened(skew):
                self.connected, self.skew = True, skew
            case Reading():
                self._take_reading(news)
            case Meter():
                self.meters[news.name] = news
            case Meters(meters):
                self.meters = {meter.name: meter for meter in meters}
            case Computed(meters):
                self.virtual = {meter.name: meter for meter in meters}
                self._compute(self.virtual.values())
            case Past(series):
                self._take_past(series)
            case Learned(quantities):
                self.quantities |= {each.name: each for each in quantities}
            case About():
                self.about, self.zone = news, zone_of(news)
            case Supply():
                self.supply = news
            case Sinks(sinks):
                self.sinks = sinks
            case Watched(rules):
                self.alerts = rules
            case Storage():
                self.storage = news
            case Energy():
                self.energy = news
            case Life(meter):
                self.lives[meter] = news
            case Heard():
                pass
        self.heard_at = self.now()

    def _take_reading(self, reading: Reading) -> None:
        if reading.site:  # of another house, whose meter may have the same name
            return
        self._show(reading)
        self._compute(virtual for virtual in self.virtual.values() if reading.meter in virtual.parts)

    def _compute(self, meters: Iterable[Virtual]) -> None:
        for virtual in meters:
            reading = as_reading(virtual, self.readings)
            if reading is not None:
                self._show(reading)

    def _show(self, reading: Reading) -> None:
        self.readings[reading.meter] = reading
        power = reading.values.get(POWER)
        if power is not None:
            self.traces.setdefault(reading.meter, Trace()).add(reading.at.timestamp(), power)

    def _take_past(self, series: Sequence[Series]) -> None:
        for each in series:
            known = ((point.at.timestamp(), point.value) for point in each.points if point.value is not None)
            self.traces.setdefault(each.meter, Trace()).fill(known)

    def rows(self) -> list[Meter]:
        """Every meter that is shown: the real ones, then those that are computed from them."""
        return [*self.meters.values(), *(as_meter(each, self.meters) for each in self.virtual.values())]

    def row(self, name: str) -> Meter | None:
        """One of them."""
        return next((meter for meter in self.rows() if meter.name == name), None)

    def stale_s(self) -> float:
        """Seconds since anything came."""
        return (self.now() - self.heard_at).total_seconds() if self.heard_at else 0.0


def zone_of(about: About) -> tzinfo:
    """The site's clock; UTC where this machine does not know it."""
    try:
        return ZoneInfo(about.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
