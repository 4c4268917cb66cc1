"""A question about a stretch of time, and its answer: one shape for the command line, HTTP and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

from wattbook.codecs.reading_json import format_instant, shown
from wattbook.engine.instants import parse_instant
from wattbook.model import BookError, ConfigError, Kind, Point, Series, Span, quantity
from wattbook.model.nearest import did_you_mean
from wattbook.store import Aggregate, BookReader, Step

POINTS_MAX = 100_000  # of one answer: six days of 5-second readings; more is an export


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know of one quantity of one meter."""

    meter: str
    quantity: str
    span: Span
    zone: ZoneInfo
    every: Step | None = None  # None = the values as they were read
    every_text: str = ""
    aggregate: Aggregate = "mean"  # of gauges; registers give their energy

    @classmethod
    def parse(
        cls,
        *,
        meter: str,
        quantity: str,
        start: str,
        end: str,
        zone: ZoneInfo,
        now: datetime,
        every: str = "",
        aggregate: str = "mean",
    ) -> Question:
        """Understand the texts of a person or a program. Raises ConfigError in words."""
        if aggregate not in get_args(Aggregate):
            known = ", ".join(get_args(Aggregate))
            raise ConfigError(
                f'no aggregate is called "{aggregate}"{did_you_mean(aggregate, get_args(Aggregate))}; one of: {known}'
            )
        begin, stop = parse_instant(start, zone=zone, now=now), parse_instant(end, zone=zone, now=now)
        if stop < begin:
            raise ConfigError(f'"{end}" lies before "{start}"')
        try:
            step = Step.parse(every) if every else None
        except BookError as error:
            raise ConfigError(str(error)) from error
        return cls(meter, quantity, Span(begin, stop), zone, step, every, cast(Aggregate, aggregate))


@dataclass(frozen=True, slots=True)
class Answer:
    """The points of a question, in base units."""

    question: Question
    points: Sequence[Point]

    @property
    def unit(self) -> str:
        return quantity(self.question.quantity).unit

    @property
    def title(self) -> str:
        return quantity(self.question.quantity).title

    def to_json(self) -> Mapping[str, Any]:
        """The shape of design section 8."""
        question = self.question
        return {
            "meter": question.meter,
            "quantity": question.quantity,
            "unit": self.unit,
            "every": question.every_text or None,
            "points": [
                {
                    "at": format_instant(point.at),
                    "value": None if point.value is None else shown(point.value),
                    "quality": str(point.quality),
                }
                for point in self.points
            ],
        }


def ask(reader: BookReader, question: Question, *, period_s: float = 0.0) -> Answer:
    """Answer from the book. `period_s` is how often the meter is read; 0 = judge by its readings.

    Raises UnknownQuantity, or BookError when the answer would hold more than POINTS_MAX points.
    """
    register = quantity(question.quantity).kind is Kind.REGISTER
    meter, name, span, zone = question.meter, question.quantity, question.span, question.zone
    points: Series
    if question.every is None:
        points = reader.range(meter, name, span, limit=POINTS_MAX + 1)
    elif register:
        period = timedelta(seconds=period_s) if period_s else None
        points = reader.energy(meter, name, span, question.every, zone, period=period)
    else:
        points = reader.aggregate(meter, name, span, question.every, zone, question.aggregate)
    if len(points) > POINTS_MAX:
        raise BookError(f"more than {POINTS_MAX} values; ask for steps (every = 1min), or for a shorter time")
    return Answer(question, tuple(points))
