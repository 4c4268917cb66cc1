"""The meters a question is about: names, and everything at or below a location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from wattbook.config import Config
from wattbook.engine.places import Places, stays
from wattbook.engine.query import Question
from wattbook.model import ConfigError, Span
from wattbook.model.formula import Factors
from wattbook.model.nearest import did_you_mean
from wattbook.model.place import lies_at, path_of

METERS_MAX = 1_000  # in one question: a plant; a village's meters are asked by location


class NotThere(ConfigError):
    """No meter, or no location, has this name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One meter of a question, or the sum of all: how many times each real meter counts in it."""

    name: str  # as the answer is labelled
    parts: Factors
    computed: bool  # from others: it has no readings of its own
    by_location: bool = False  # nobody named it: where it cannot answer it is left out
    stays: tuple[Span, ...] | None = None  # when it was there; None = all the time

    @property
    def added(self) -> Sequence[str]:
        """The real meters that are added up for it; none, where it is one itself."""
        return list(self.parts) if self.computed else ()


def meters_asked(config: Config, question: Question, places: Mapping[str, Places]) -> Sequence[Asked]:
    """Every meter of a question, once; `places` says where the real ones were. Raises NotThere."""
    found = {each.name: each for each in _at_locations(config, question, places)} | {
        name: _named(config, name) for name in question.meters
    }
    if len(found) > METERS_MAX:
        raise ConfigError(f"{len(found)} meters at once; ask for {METERS_MAX} at the most, by name or by location")
    return list(found.values())


def in_one(asked: Sequence[Asked], question: Question) -> Asked:
    """The sum of several, labelled with what was asked for."""
    whole: dict[str, Fraction] = {}
    for each in asked:
        for meter, factor in each.parts.items():
            whole[meter] = whole.get(meter, Fraction(0)) + factor
    return Asked(" + ".join((*question.meters, *question.locations)), whole, computed=True)


def _named(config: Config, name: str) -> Asked:
    if name not in config.meter_names:
        raise NotThere(f'no meter is called "{name}"{did_you_mean(name, config.meter_names)}')
    return Asked(name, config.parts_of(name), computed=name in config.formulas)


def _at_locations(config: Config, question: Question, places: Mapping[str, Places]) -> Iterator[Asked]:
    whole = (question.span,)
    stayed: dict[str, list[Span]] = {}
    for location in question.locations:
        known = [place for its in places.values() for _, place in its]
        if not any(lies_at(place, location) for place in known):
            raise NotThere(f'no meter is at "{location}"{did_you_mean(location, and_above(known))}')
        for name, its in places.items():
            spans = [part for place, part in stays(its, question.span) if lies_at(place, location)]
            if spans:
                stayed.setdefault(name, []).extend(spans)
    for name, spans in stayed.items():
        yield Asked(
            name,
            config.parts_of(name),
            computed=False,
            by_location=True,
            stays=None if tuple(spans) == whole else tuple(_joined(spans)),
        )


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Spans in order of time that do not overlap: a meter at two of the locations counts once."""
    end: datetime | None = None
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        start = span.start if end is None else max(span.start, end)
        if start < span.end:
            yield Span(start, span.end)
            end = span.end


def and_above(places: Sequence[str]) -> Sequence[str]:
    """Every location and those above it."""
    paths = [path_of(place) for place in places]
    return sorted({"/".join(path[:depth]) for path in paths for depth in range(1, len(path) + 1)})
