"""Energy by where it came from, at the time it was used.

For each quarter of an hour, or less where shorter steps are asked for, what a consumer used is shared out as the
sources gave: a source that gave a third of all then, gave a third of this. Where no source is known to have given
anything it is `unknown`. The parts of a step add up to the energy of the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import gcd

from wattbook.engine.answer import Answer
from wattbook.engine.asked import Asked
from wattbook.engine.combine import energies_together
from wattbook.engine.computed import energy_of
from wattbook.engine.query import Question
from wattbook.engine.share import in_steps, joined, shared_out
from wattbook.engine.told import Told
from wattbook.model import ConfigError, Series, Span
from wattbook.store import Step
from wattbook.store.steps import STEPS_MAX, boundaries

SHARED_STEPS_MAX = 400_000  # quarters of an hour: eleven years
_GIVEN, _GIVEN_ELSE = "active_energy_import", "active_energy_export"  # what the meter of a source tells that it gives
_SHARED_S = 900  # the longest step whose sources are looked at as one, in seconds


def by_source(told: Told, asked: Asked, question: Question) -> Iterator[Answer]:
    """One answer for each source of the configuration, and one for what is `unknown`. Raises ConfigError, BookError."""
    assert question.every is not None, "checked where the question was understood"
    short = _short_step(question.every)
    if question.span.duration / short.short > SHARED_STEPS_MAX:
        raise ConfigError("too long for energy by source in such steps; choose longer ones, or a shorter time")
    spans = list(parts_of(question.span, short))
    given = _given(told, question, spans, short)
    edges = boundaries(question.span, question.every, question.zone)
    shared = [
        (float(factor), {source: in_steps(series, edges) for source, series in shares.items()})
        for factor, shares in (
            (factor, shared_out(_long(told, _only(meter), question, spans, short), given))
            for meter, factor in asked.parts.items()
        )
    ]
    for source in shared[0][1]:
        series = energies_together([(factor, shares[source]) for factor, shares in shared])
        yield Answer(question, asked.name, series, question.every_text, source, asked.added)


def _given(told: Told, question: Question, spans: Sequence[Span], short: Step) -> Mapping[str, Sequence[Series]]:
    """Source -> what each of its meters says that it gave in each short step."""
    given: dict[str, list[Series]] = {}
    for meter in told.config.meter_tables:
        if meter.source:
            asked = Asked(meter.name, told.config.parts_of(meter.name), computed=meter.name in told.config.formulas)
            name = _GIVEN if any(told.answers(part, _GIVEN) for part in asked.parts) else _GIVEN_ELSE
            series = _long(told, asked, replace(question, quantity=name), spans, short)
            given.setdefault(meter.source, []).append(series)
    return given


def _long(told: Told, asked: Asked, question: Question, spans: Sequence[Span], short: Step) -> Series:
    return joined([energy_of(told, asked, replace(question, span=span), short) for span in spans])


def _only(meter: str) -> Asked:
    return Asked(meter, {meter: Fraction(1)}, computed=False)


def _short_step(every: Step) -> Step:
    """A quarter of an hour, or the longest step of which whole ones make up both it and `every`."""
    if not every.is_short:
        return Step(_SHARED_S, "s")
    return Step(gcd(_SHARED_S, int(every.short.total_seconds())), "s")


def parts_of(span: Span, short: Step) -> Iterator[Span]:
    """Parts with not too many steps for one question to the book, cut where short steps begin in every zone."""
    days = timedelta(days=max(1, STEPS_MAX * short.short // timedelta(days=2)))
    start = span.start
    midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
    while True:  # an empty span is one part
        midnight += days
        yield Span(start, min(midnight, span.end))
        start = midnight
        if start >= span.end:
            return
