"""Virtual meters and sums: the answers of real meters, added up by step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from wattbook.engine.answer import Answer
from wattbook.engine.asked import Asked
from wattbook.engine.combine import Part, energies_together, gaps_of, gauges_together, of_longer_steps
from wattbook.engine.query import Question
from wattbook.engine.told import Told
from wattbook.model import ConfigError, Series, quantity
from wattbook.model.derive import adds_up
from wattbook.store import Step
from wattbook.store.steps import STEPS_MAX, boundaries

# Steps of which means are taken before they are added, where readings of several meters are not of the same instants.
_COMMON = ("1s", "5s", "10s", "1min", "5min", "15min", "1h", "1d", "1w", "1mo", "1y")
_LONG = {"d": timedelta(days=1), "w": timedelta(weeks=1), "mo": timedelta(days=31), "y": timedelta(days=366)}


def computed(told: Told, asked: Asked, question: Question) -> Answer:
    """Add up what the parts of a meter tell. Raises ConfigError for what does not add up."""
    if not adds_up(question.quantity):
        title = quantity(question.quantity).title
        raise ConfigError(f'"{asked.name}" is computed, and {title} of several meters does not add up; ask for one')
    if question.every is None and question.points is None:
        raise ConfigError(
            f'"{asked.name}" is computed from others and has no readings of its own; ask for steps (every = 1min)'
        )
    step, text = (question.every, question.every_text) if question.every else _for_chart(told, asked, question)
    parts = _parts(told, asked, question, step)
    series = _added(told, asked, question, step, parts)
    integrated = [meter for meter in asked.parts if question.register and told.integrates(meter, question.quantity)]
    return Answer(question, asked.name, series, text, "", asked.added, _gaps(parts), integrated)


def energy_of(told: Told, asked: Asked, question: Question, step: Step) -> Series:
    """The energy of each step, of a real meter or the sum of several."""
    parts = _parts(told, asked, question, step)
    return energies_together(list(parts.values())) if asked.computed else next(iter(parts.values()))[1]


def _parts(told: Told, asked: Asked, question: Question, step: Step) -> Mapping[str, Part]:
    name, span, zone = question.quantity, question.span, question.zone
    tell = told.energy if question.register else told.aggregate
    return {meter: (float(factor), tell(meter, name, span, step, zone)) for meter, factor in asked.parts.items()}


def _added(told: Told, asked: Asked, question: Question, step: Step, parts: Mapping[str, Part]) -> Series:
    """Energies step by step; gauges by means, whose extremes are those of shorter common steps."""
    if question.register:
        return energies_together(list(parts.values()))
    if question.aggregate == "mean":
        return gauges_together(list(parts.values()))
    common = _common_step(told, asked, question, step)
    means = gauges_together(list(_parts(told, asked, question, common).values()))
    return of_longer_steps(means, boundaries(question.span, step, question.zone), question.aggregate)


def _gaps(parts: Mapping[str, Part]) -> Mapping[str, int]:
    """Parts that are missing, and in how many steps."""
    counted = gaps_of([series for _, series in parts.values()])
    return {meter: steps for meter, steps in zip(parts, counted, strict=True) if steps}


def _common_step(told: Told, asked: Asked, question: Question, step: Step) -> Step:
    """The shortest step that holds a reading of every part and of which whole ones make up `step`; else `step`."""
    for candidate in map(Step.parse, _COMMON):
        fits = candidate.is_short and not _length(step) % _length(candidate)
        if (
            fits
            and _long_enough(told, asked, candidate)
            and question.span.duration / _length(candidate) < STEPS_MAX / 2
        ):
            return candidate
    return step


def _for_chart(told: Told, asked: Asked, question: Question) -> tuple[Step, str]:
    """The shortest step with not more points than a chart has use for."""
    for text in _COMMON:
        step = Step.parse(text)
        few = question.span.duration / _length(step) < (question.points or 1)
        if few and _long_enough(told, asked, step):
            return step, text
    return Step.parse(_COMMON[-1]), _COMMON[-1]


def _long_enough(told: Told, asked: Asked, step: Step) -> bool:
    """Whether every part is read at least once in a step; a minute, where nobody says how often it is."""
    return all(_length(step).total_seconds() >= (told.period_s(meter) or 60.0) for meter in asked.parts)


def _length(step: Step) -> timedelta:
    return step.short if step.is_short else step.count * _LONG[step.unit]
