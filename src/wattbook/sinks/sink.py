"""What every sink is: settings and a class that writes batches; who follows the journal for it is not its business.

A sink has no buffer, retry or thread of its own. It connects when it is first asked to write, and drops what it has
when that fails, so the next call begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import ConfigDict, Field

from wattbook.model import Batch
from wattbook.model.around import Surroundings
from wattbook.values import Name, Seconds, Start

Aggregate = Literal["last", "mean", "min", "max"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A reading that the other system will never take. It is set aside with the reason and can be replayed."""

    meter: str
    at_ms: int
    reason: str
    site: str = ""
    late: bool = field(default=False, compare=False)  # too old for it: that any number is so says nothing of the rest


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a batch. `bookmark` is kept with the position and given to the next call."""

    rejected: tuple[Rejected, ...] = ()
    bookmark: str = ""
    skipped: int = 0  # readings that this system has already and that it cannot change


class Sink(Protocol):
    """One foreign system."""

    any_order: ClassVar[bool]  # rows may come in any order, each under its identity: backlog and live side by side
    append_only: ClassVar[bool]  # what is written cannot be changed: corrections are left out and counted

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Give the readings of a batch to the other system, and return when it has them for good.

        The same readings may come again after a crash. Raises SinkUnavailable to get the batch again later (away,
        wrong password, missing table, full), SinkRefused when something in the batch will never be taken and the
        system does not say what: the batch then comes in smaller parts.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections. May be called at any time and more than once; a later write begins anew."""
        ...


class KeepsPosition(Protocol):
    """A sink that keeps its position in the foreign system, in the same transaction as the readings."""

    async def position(self) -> tuple[str, str] | None:
        """Return the `upto` of the last batch written and the bookmark given with it; None = none is known there.

        Raises SinkUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """What every sink can be told."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    name: Name  # what its position, its state and its commands go by
    kind: str  # which system
    meters: tuple[str, ...] = ()  # only these; a "*" stands for anything. () = all
    locations: tuple[str, ...] = ()  # only meters at these places and below: "plant/hall 2"
    quantities: tuple[str, ...] = ()  # only these; a "*" stands for anything: "voltage*"
    suspect: bool = True  # also values that are in doubt
    every: Annotated[Seconds | None, Field(ge=1, le=86400)] = None  # one row an interval instead of every reading
    aggregate: Aggregate = "last"  # of gauges over an interval: last, mean, min or max. Registers are always last
    start: Start = "beginning"  # of a new sink: "beginning" of the book, "now", or a date
    batch: Annotated[int, Field(ge=1, le=50_000)] = 5_000  # readings at once
    timeout: Annotated[Seconds, Field(ge=1, le=3600)] = 30.0  # for one batch; a network may accept and then hang

    def make(self, around: Surroundings) -> Sink:
        """The sink of these settings. Raises ValueError when a template is wrong."""
        raise NotImplementedError
