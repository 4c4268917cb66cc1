"""Samples -> energy and means of steps: pure, streaming, one pass (design, rule 4).

The register at an instant depends on the instant alone: the last reading at or before it, and across a gap longer
than two periods a straight line between the readings around it. Energy is the difference of two such values, so any
split of a span adds up. Suspect values are never used for energy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Literal

from wattbook.model import EnergyQuality, Quality
from wattbook.model.batch import QUALITY_CODES, QUALITY_OF, from_ms
from wattbook.store.rows import Sample

NEIGHBOURS = 3  # samples needed on either side of a span: one to draw a line to, two to see that it is no outlier
_DECIMALS = 6  # of base units (a micro-Wh): drops what subtracting floats leaves behind
_SUSPECT = QUALITY_CODES[Quality.SUSPECT]


@dataclass(frozen=True, slots=True)
class Point:
    """A value at an instant, or of the step that starts there. None = nothing is known."""

    at: datetime
    value: float | None
    quality: Quality | EnergyQuality


def point(sample: Sample) -> Point:
    """A sample as it is shown."""
    return Point(from_ms(sample.at_ms), sample.value, QUALITY_OF[sample.quality])


def median_distance_ms(instants_ms: Sequence[int]) -> int:
    """The median distance of neighbours; 0 when there are not two."""
    distances = [later - earlier for earlier, later in pairwise(instants_ms)]
    return int(median(distances)) if distances else 0


def energy_of_steps(samples: Iterable[Sample], edges_ms: Sequence[int], period_ms: int) -> Iterator[Point]:
    """Yield the energy of each step between neighbouring edges.

    `samples` rise in time and begin NEIGHBOURS before the first edge and end NEIGHBOURS after the last, where there
    are any. `measured` steps touch no gap; `spread` ones do; `missing` ones (value None) lie where the book has no
    reading around them, or touch a register that runs backwards.
    """
    stretches = _stretches(_without_outliers(samples), period_ms)
    stretch = next(stretches, None)
    for start, end in pairwise(edges_ms):
        known_from, known_to = None, None
        touches_gap = backwards = False
        while stretch is not None:
            if stretch.end_ms <= start:
                stretch = next(stretches, None)
                continue
            if stretch.start_ms >= end:
                break
            if known_from is None:
                known_from = stretch.register_at(start)
                touches_gap |= stretch.start_ms > start + 2 * period_ms
            known_to = stretch.register_at(end)
            touches_gap |= stretch.gap
            backwards |= stretch.backwards
            if stretch.end_ms > end:
                break
            last_end_ms = stretch.end_ms
            stretch = next(stretches, None)
            if stretch is None:
                touches_gap |= last_end_ms + 2 * period_ms < end
        if known_from is None or known_to is None or backwards:
            yield Point(from_ms(start), None, EnergyQuality.MISSING)
        else:
            quality = EnergyQuality.SPREAD if touches_gap else EnergyQuality.MEASURED
            yield Point(from_ms(start), round(known_to - known_from, _DECIMALS), quality)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What lies between two neighbouring samples of a register."""

    start_ms: int
    end_ms: int
    first: float
    last: float
    gap: bool

    @property
    def backwards(self) -> bool:
        return self.last < self.first

    def register_at(self, at_ms: int) -> float:
        """The register at an instant; before and after the stretch that of its ends."""
        if at_ms <= self.start_ms:
            return self.first
        if at_ms >= self.end_ms:
            return self.last
        if not self.gap:
            return self.first
        return self.first + (self.last - self.first) * ((at_ms - self.start_ms) / (self.end_ms - self.start_ms))


def _stretches(samples: Iterable[Sample], period_ms: int) -> Iterator[_Stretch]:
    before: Sample | None = None
    for sample in samples:
        if before is not None:
            gap = period_ms > 0 and sample.at_ms - before.at_ms > 2 * period_ms
            yield _Stretch(before.at_ms, sample.at_ms, before.value, sample.value, gap)
        before = sample


def _without_outliers(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Leave out suspect samples, and single ones that both neighbours contradict: a spike is not energy."""
    window: list[Sample] = []
    for sample in samples:
        if sample.quality == _SUSPECT:
            continue
        window.append(sample)
        if len(window) < 3:
            continue
        before, middle, after = window
        if before.value <= after.value and not before.value <= middle.value <= after.value:
            window = [before, after]
        else:
            yield before
            window = [middle, after]
    yield from window


def gauge_of_steps(
    samples: Iterable[Sample], edges_ms: Sequence[int], aggregate: Literal["mean", "min", "max", "last"]
) -> Iterator[Point]:
    """Yield one point for each step that has a sample: of its good ones, else of its suspect ones."""
    source = iter(samples)
    sample = next(source, None)
    for start, end in pairwise(edges_ms):
        good, suspect = _Summary(), _Summary()
        while sample is not None and sample.at_ms < end:
            if sample.at_ms >= start:
                (suspect if sample.quality == _SUSPECT else good).add(sample.value)
            sample = next(source, None)
        chosen, quality = (good, Quality.GOOD) if good.count else (suspect, Quality.SUSPECT)
        if chosen.count:
            yield Point(from_ms(start), chosen.value(aggregate), quality)


@dataclass(slots=True)
class _Summary:
    count: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    last: float = math.nan

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        self.last = value

    def value(self, aggregate: Literal["mean", "min", "max", "last"]) -> float:
        match aggregate:
            case "mean":
                return round(self.total / self.count, _DECIMALS)
            case "min":
                return self.least
            case "max":
                return self.most
            case "last":
                return self.last
