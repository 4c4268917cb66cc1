"""A question about a stretch of time: one shape for the command line, HTTP and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast, get_args
from zoneinfo import ZoneInfo

from wattbook.engine.instants import parse_instant
from wattbook.model import BookError, ConfigError, Kind, Span, quantity
from wattbook.model.nearest import did_you_mean
from wattbook.store import Aggregate, Step

POINTS_MAX = 100_000  # of one answer: six days of 5-second readings; more is an export
POINTS_MIN = 4  # of a thinned answer: the first, the last, the least and the greatest


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know of one quantity of one or several meters."""

    quantity: str
    span: Span
    zone: ZoneInfo
    meters: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()  # and all real meters at or below these
    every: Step | None = None  # None = the values as they were read
    every_text: str = ""
    aggregate: Aggregate = "mean"  # of gauges; registers give their energy
    together: bool = False  # one answer, the sum of all
    by_source: bool = False  # energy, by where it came from
    by_location: bool = False  # one answer for each location, the sum of what is there
    points: int | None = None  # of the values as they were read so many at the most, with every peak

    @property
    def register(self) -> bool:
        """Whether energy is asked for, where there are steps."""
        return quantity(self.quantity).kind is Kind.REGISTER

    @property
    def several(self) -> bool:
        """Whether the answer is a list."""
        return (
            self.by_source or self.by_location or (not self.together and (len(self.meters) > 1 or bool(self.locations)))
        )

    @classmethod
    def parse(
        cls,
        *,
        meters: Sequence[str],
        quantity: str,
        start: str,
        end: str,
        zone: ZoneInfo,
        now: datetime,
        locations: Sequence[str] = (),
        every: str = "",
        aggregate: str = "mean",
        together: bool = False,
        by: str = "",
        points: int | None = None,
    ) -> Question:
        """Understand the texts of a person or a program. Raises ConfigError or UnknownQuantity, in words."""
        begin, stop = parse_instant(start, zone=zone, now=now), parse_instant(end, zone=zone, now=now)
        if stop < begin:
            raise ConfigError(f'"{end}" lies before "{start}"')
        if by not in ("", "source", "location"):
            raise ConfigError(f'an answer is divided by "source", by "location" or not at all, not by "{by}"')
        question = cls(
            quantity,
            Span(begin, stop),
            zone,
            tuple(dict.fromkeys(meters)),
            tuple(dict.fromkeys(locations)),
            _step(every),
            every,
            _aggregate(aggregate),
            together,
            by == "source",
            by == "location",
            points,
        )
        _check(question)
        return question


def _step(every: str) -> Step | None:
    try:
        return Step.parse(every) if every else None
    except BookError as error:
        raise ConfigError(str(error)) from error


def _aggregate(name: str) -> Aggregate:
    known = get_args(Aggregate)
    if name not in known:
        raise ConfigError(f'no aggregate is called "{name}"{did_you_mean(name, known)}; one of: {", ".join(known)}')
    return cast(Aggregate, name)


def _check(question: Question) -> None:
    """Raise ConfigError for parts that do not go together, UnknownQuantity for a wrong name."""
    asked = quantity(question.quantity)
    if not question.meters and not question.locations:
        raise ConfigError('"meter" is missing; name one, or a "location"')
    if question.by_location and (question.meters or not question.locations):
        raise ConfigError('by "location" needs one "location" or several, and no "meter"')
    if question.points is not None:
        if question.every is not None:
            raise ConfigError('"points" thins readings as they are; leave out "every", or "points"')
        if not POINTS_MIN <= question.points <= POINTS_MAX:
            raise ConfigError(f'"points" is from {POINTS_MIN} to {POINTS_MAX}, not {question.points}')
    if question.by_source:
        if asked.kind is not Kind.REGISTER or asked.unit != "Wh":
            raise ConfigError(f'only active energy is divided by source, not "{question.quantity}"')
        if question.every is None:
            raise ConfigError("energy by source needs steps (every = 1h)")
