"""The meters a question is about: names, and everything at or below a location."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattbook.config import Config, MeterSettings
from wattbook.engine.query import Question
from wattbook.model import ConfigError
from wattbook.model.formula import Factors
from wattbook.model.nearest import did_you_mean

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

    @property
    def added(self) -> Sequence[str]:
        """The real meters that are added up for it; none, where it is one itself."""
        return list(self.parts) if self.computed else ()


def meters_asked(config: Config, question: Question) -> Sequence[Asked]:
    """Every meter of a question, once. Raises NotThere."""
    found = {each.name: each for each in _at_locations(config, question)} | {
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


def at_or_below(meter: MeterSettings, location: str) -> bool:
    """Whether a meter is at a location or below it; "/" is everywhere."""
    wanted, own = _path(location), _path(meter.location)
    return own[: len(wanted)] == wanted


def _named(config: Config, name: str) -> Asked:
    if name not in config.meter_names:
        raise NotThere(f'no meter is called "{name}"{did_you_mean(name, config.meter_names)}')
    return Asked(name, config.parts_of(name), computed=name in config.formulas)


def _at_locations(config: Config, question: Question) -> Iterator[Asked]:
    for location in question.locations:
        meters = [meter for meter in config.meters if at_or_below(meter, location)]
        if not meters:
            raise NotThere(f'no meter is at "{location}"{did_you_mean(location, _locations(config))}')
        for meter in meters:
            yield Asked(meter.name, config.parts_of(meter.name), computed=False, by_location=True)


def _locations(config: Config) -> Sequence[str]:
    """Every location and those above it."""
    paths = [_path(meter.location) for meter in config.meters]
    return sorted({"/".join(path[:depth]) for path in paths for depth in range(1, len(path) + 1)})


def _path(location: str) -> tuple[str, ...]:
    return tuple(part for part in (each.strip() for each in location.split("/")) if part)
