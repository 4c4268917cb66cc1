"""How each meter fares, and what feeds the house: what the page, /metrics and the log say. Read by anyone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

State = Literal["starting", "present", "away"]
SupplyState = Literal["unknown", "utility", "generator", "dark"]


@dataclass(slots=True)
class Counters:
    """Counts since the daemon's start, for /metrics."""

    polls: int = 0  # times asked, or telegrams begun
    answers: int = 0  # readings made of it
    timeouts: int = 0
    garbled: int = 0  # check failures and garbage
    refused: int = 0  # exceptions of the device


@dataclass(slots=True)
class MeterStatus:
    """One meter's present state. Plain attributes, each written by one thread."""

    meter: str
    model: str
    line: str = ""
    location: str = ""
    state: State = "starting"
    reason: str = ""  # why it is away, in words
    since: datetime | None = None  # of this state
    refusal: str = ""  # what the device said when it last refused, in words
    hints: tuple[str, ...] = ()  # what looks wrong about its wiring or its model, with the evidence
    last_at: datetime | None = None  # of the last reading
    latency_s: float = 0.0  # smoothed, request to complete answer
    heard_bytes: int = 0  # of the answer being read now; 0 = none
    expected_bytes: int = 0  # of it, as long as the last one was; 0 = not known
    counters: Counters = field(default_factory=Counters)


@dataclass(frozen=True, slots=True)
class DarkSpan:
    """When nothing fed the house, as far as is known; `end` None: it lasts."""

    start: datetime
    end: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class SupplyNow:
    """What feeds the house. `state` "" = no meter is a utility's, so nobody knows."""

    state: SupplyState | Literal[""] = ""
    since: datetime | None = None
    dark: DarkSpan | None = None  # the last one


@dataclass(frozen=True, slots=True)
class AlertsNow:
    """How the alerts stand. `raised`: rules that are, paused ones too; `changed`: number of their newest event."""

    raised: int = 0
    changed: int = 0


@dataclass(slots=True)
class ProxyStatus:
    """What one proxy did since the daemon began."""

    line: str
    listen: str  # HOST:PORT, with the port that was taken
    kind: str
    clients: int = 0  # connected now
    requests: int = 0  # heard, of all functions
    refused: int = 0  # requests and clients turned away here: not allowed, not right, too many
    exceptions: int = 0  # answers of slaves that were exceptions, and silences told as such
    writes: int = 0  # confirmed by the slave
