"""One meter of a question -> its answer: from its own readings, or added up from those of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from wattbook.engine.answer import Answer
from wattbook.engine.asked import Asked
from wattbook.engine.computed import computed
from wattbook.engine.query import POINTS_MAX, Question
from wattbook.engine.thin import thin_parts
from wattbook.engine.told import Told
from wattbook.model import BookError, Series

THINNED_MAX = timedelta(days=3660)  # every reading is looked at: 0.15 s for a year of 5-second readings
_AT_ONCE = timedelta(days=10)  # 173,000 readings every 5 seconds: 3 MB


def answer_one(told: Told, asked: Asked, question: Question) -> Answer:
    """Answer for one meter, or for the sum of several. Raises ConfigError or BookError."""
    if asked.computed:
        return computed(told, asked, question)
    if question.every is None:
        return Answer(question, asked.name, _as_read(told, asked.name, question))
    meter, name, span, zone = asked.name, question.quantity, question.span, question.zone
    if question.register:
        series = told.energy(meter, name, span, question.every, zone)
        integrated = [meter] if told.integrates(meter, name) else []
        return Answer(question, meter, series, question.every_text, integrated=integrated)
    series = told.aggregate(meter, name, span, question.every, zone, question.aggregate)
    return Answer(question, meter, series, question.every_text)


def _as_read(told: Told, meter: str, question: Question) -> Series:
    """The values as they were read, all or so few that a chart shows the same."""
    if question.points is None:
        return told.range(meter, question.quantity, question.span, limit=POINTS_MAX + 1)
    if question.span.duration > THINNED_MAX:
        raise BookError(f"readings of more than {THINNED_MAX.days} days at once; ask for steps (every = 1h)")
    return thin_parts(_parts(told, meter, question), question.span, question.points)


def _parts(told: Told, meter: str, question: Question) -> Iterator[Series]:
    for part in question.span.steps(_AT_ONCE):
        yield told.range(meter, question.quantity, part)
