"""What the API answers, as far as the terminal shows it. A daemon of another version may say less or more.

Fields that are not known here are passed over, and what is missing has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec


class About(msgspec.Struct, frozen=True):
    """Whose house it is. `gap`: since when and why the book cannot be written."""

    site: str
    timezone: str = "UTC"
    version: str = ""
    gap: Mapping[str, str | None] | None = None


class Counters(msgspec.Struct, frozen=True):
    """Since the daemon's start."""

    polls: int = 0
    answers: int = 0
    timeouts: int = 0
    garbled: int = 0
    refused: int = 0


class Meter(msgspec.Struct, frozen=True):
    """One meter of the configuration, and how it fares."""

    name: str
    model: str = ""
    title: str = ""
    location: str = ""
    source: str = ""
    line: str = ""
    state: str = "starting"
    reason: str = ""
    since: datetime | None = None
    last_at: datetime | None = None
    latency_s: float = 0.0
    hints: tuple[str, ...] = ()
    refusal: str = ""
    counters: Counters = Counters()

    @property
    def live(self) -> bool:
        """Whether its values are of now."""
        return self.state in ("present", "computed")


class Virtual(msgspec.Struct, frozen=True):
    """A meter that is computed from others: real meter -> how many times it counts."""

    name: str
    formula: str = ""
    location: str = ""
    source: str = ""
    parts: Mapping[str, float] = {}


class Reading(msgspec.Struct, frozen=True):
    """What a meter told at an instant, in base units."""

    meter: str
    at: datetime
    values: Mapping[str, float]
    quality: str = "good"
    doubt: Mapping[str, str] = {}
    site: str = ""

    def doubted(self, name: str) -> bool:
        """Whether this value is not sure."""
        return self.doubt.get(name, self.quality) != "good"


class Dark(msgspec.Struct, frozen=True):
    """When nothing fed the house; without `end` it lasts."""

    start: datetime = msgspec.field(name="from")
    end: datetime | None = msgspec.field(name="to", default=None)
    reason: str = ""


class Supply(msgspec.Struct, frozen=True):
    """What feeds the house; `state` None where no meter can tell."""

    state: str | None = None
    since: datetime | None = None
    dark: Dark | None = None


class Sink(msgspec.Struct, frozen=True):
    """How readings reach another system."""

    name: str
    kind: str = ""
    state: str = ""
    reason: str = ""
    behind: int = 0
    set_aside: int = 0


class AlertState(msgspec.Struct, frozen=True):
    """How an alert stands for one meter or quantity, in words."""

    state: str = "quiet"
    text: str = ""


class Alert(msgspec.Struct, frozen=True):
    """One rule. `muted`: nobody is told."""

    name: str
    state: str = "quiet"
    since: datetime | None = None
    muted: bool = False
    about: tuple[AlertState, ...] = ()


class Watched(msgspec.Struct, frozen=True):
    """Every rule."""

    rules: tuple[Alert, ...] = ()


class Storage(msgspec.Struct, frozen=True):
    """The book on its disk, in bytes."""

    bytes_file: int = 0
    bytes_free: int = 0
    full_at: datetime | None = None
    last_backup: datetime | None = None


class Quantity(msgspec.Struct, frozen=True):
    """One name of the vocabulary."""

    name: str
    title: str
    unit: str
    kind: str = "gauge"


class Point(msgspec.Struct, frozen=True):
    """One value of a series; None is a gap."""

    at: datetime
    value: float | None = None
    quality: str = ""


class Series(msgspec.Struct, frozen=True):
    """What is known of one meter over a stretch of time."""

    meter: str
    points: tuple[Point, ...] = ()


class Event(msgspec.Struct, frozen=True):
    """Something entered about a meter. `body`: what it says beside the reason."""

    number: int
    kind: str
    entered: datetime
    who: str = ""
    why: str = ""
    state: str = "holds"
    body: Mapping[str, object] = {}


class Life(msgspec.Struct, frozen=True):
    """Everything entered about one meter, the newest last."""

    meter: str
    events: tuple[Event, ...] = ()
