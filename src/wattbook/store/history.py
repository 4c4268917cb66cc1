"""Knots of a register, and rows of a gauge -> energy and means of steps: pure, whole columns at once (design, rule 4).

The register at an instant depends on the instant alone: the last reading at or before it, and across a gap longer
than two periods a straight line between the readings around it. Energy is the difference of two such values, so any
split of a span adds up. Suspect values are never used for energy.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wattbook.model.reading import EnergyQuality
from wattbook.model.series import ENERGY_QUALITIES, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

NEIGHBOURS = 3  # samples needed on either side of a span: one to draw a line to, two to see that it is no outlier
DECIMALS = 6  # of base units (a micro-Wh): drops what subtracting floats leaves behind
MEASURED, SPREAD, ESTIMATED, MISSING = (
    ENERGY_QUALITIES.index(quality)
    for quality in (EnergyQuality.MEASURED, EnergyQuality.SPREAD, EnergyQuality.ESTIMATED, EnergyQuality.MISSING)
)


@dataclass(frozen=True, slots=True, eq=False)
class Knots:
    """A register at rising instants: its good readings, or enough of them for the questions asked.

    Between two neighbours that are not neighbouring readings no question looks inside; `gap` tells of those too.
    """

    at_ms: Integers
    value: Floats
    gap: Flags | None = None  # of what lies between neighbours (one less than knots); None = as their distance says
    estimated: Flags | None = None  # likewise: what is not known of that stretch adds nothing; None = nothing is so


def median_distance_ms(instants_ms: Sequence[int]) -> int:
    """The median distance of neighbours; 0 when there are not two."""
    distances = [later - earlier for earlier, later in pairwise(instants_ms)]
    return int(median(distances)) if distances else 0


def energy_of_steps(knots: Knots, edges_ms: Sequence[int] | Integers, period_ms: int) -> Series:
    """The energy of each step between neighbouring edges.

    The knots begin before the first edge and end after the last, where the book has any. `measured` steps touch no
    gap; `spread` ones do; `estimated` ones touch a place where the register runs backwards, which adds nothing, or
    one that the knots call so; `missing` ones (NaN) lie where the book has no reading around them, or nothing else
    than a place where it runs backwards.
    """
    edges = np.asarray(edges_ms, np.int64)
    at, value, gap, estimated = _without_outliers(knots, period_ms)
    starts, ends = edges[:-1], edges[1:]
    if len(at) < 2:
        return _series(starts, np.full(len(starts), np.nan), np.full(len(starts), MISSING, np.uint8))
    change = np.diff(value)
    falls = change < 0
    if falls.any():  # what the register lost is put back, so that what it gained after that still counts
        value = value + np.concatenate(([0.0], np.cumsum(np.where(falls, -change, 0.0))))
    at_edges = _register_at(at, value, gap, edges)
    energy = np.round(np.diff(at_edges), DECIMALS)
    first, beyond = _touched(at, starts, ends)
    fell = _between(falls, first, beyond)
    quality = np.full(len(starts), MEASURED, np.uint8)
    spread = _between(gap, first, beyond) > 0
    if period_ms:
        spread |= (at[0] > starts + 2 * period_ms) | (at[-1] + 2 * period_ms < ends)
    quality[spread] = SPREAD
    quality[(fell > 0) | (_between(estimated, first, beyond) > 0)] = ESTIMATED
    unknown = (at[0] >= ends) | (at[-1] <= starts) | (fell == beyond - first)
    quality[unknown] = MISSING
    energy[unknown] = np.nan
    return _series(starts, energy, quality)


def _register_at(at: Integers, value: Floats, gap: Flags, instants: Integers) -> Floats:
    """The register at each instant; before the first and after the last knot that knot's value."""
    place = np.searchsorted(at, instants, side="right") - 1
    within = np.clip(place, 0, len(at) - 2)
    share = (instants - at[within]) / (at[within + 1] - at[within])
    line = value[within] + (value[within + 1] - value[within]) * np.clip(share, 0.0, 1.0)
    return np.where(gap[within] | (place > within), line, value[np.maximum(place, 0)])


def _touched(at: Integers, starts: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """The first stretch between knots that each step touches, and the one after its last."""
    first = np.clip(np.searchsorted(at, starts, side="right") - 1, 0, len(at) - 1)
    beyond = np.clip(np.searchsorted(at, ends, side="left"), 0, len(at) - 1)
    return first, np.maximum(first, beyond)


def _between(flags: Flags, first: Integers, beyond: Integers) -> Integers:
    """How many flags are set from `first` on before `beyond`."""
    if not flags.any():
        return np.zeros(len(first), np.int64)
    counted = np.concatenate(([0], np.cumsum(flags)))
    return counted[beyond] - counted[first]


def _without_outliers(knots: Knots, period_ms: int) -> tuple[Integers, Floats, Flags, Flags]:
    """Leave out single readings that both neighbours contradict: a spike is not energy.

    Return at, value, gap, estimated.
    """
    at, value, gap, estimated = knots.at_ms, knots.value, knots.gap, knots.estimated
    if estimated is None:
        estimated = np.zeros(max(0, len(at) - 1), np.bool_)
    if not (np.diff(value) < 0).any():
        return at, value, gaps_of(at, period_ms) if gap is None else gap, estimated
    kept = _trusted(value.tolist())
    gaps = gaps_of(at[kept], period_ms)
    if gap is not None and len(kept) > 1:
        gaps &= np.diff(kept) > 1  # the distance counts where an outlier lay between, else what is known of the gap
        gaps |= np.maximum.reduceat(gap, kept[:-1])
    if len(kept) > 1:
        estimated = np.maximum.reduceat(estimated, kept[:-1])
    return at[kept], value[kept], gaps, estimated


def gaps_of(at: Integers | Sequence[int], period_ms: int) -> Flags:
    """Whether the distance of neighbouring instants is a gap."""
    distances: Integers = np.diff(at)
    return distances > 2 * period_ms if period_ms else np.zeros(len(distances), np.bool_)


def _trusted(values: Sequence[float]) -> Integers:
    """The places of the values that are no outliers."""
    window: list[int] = []
    kept: list[int] = []
    for place in range(len(values)):
        window.append(place)
        if len(window) < 3:
            continue
        before, middle, after = (values[each] for each in window)
        if before <= after and not before <= middle <= after:
            del window[1]
        else:
            kept.append(window.pop(0))
    return np.asarray(kept + window, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A gauge in order of time: its samples (count 1), or summaries of those of a stretch that starts at `at_ms`."""

    at_ms: Integers
    least: Floats
    most: Floats
    total: Floats
    count: Integers
    last: Floats
    suspect: Flags

    @classmethod
    def of_samples(cls, at_ms: Integers, values: Floats, suspect: Flags) -> Rows:
        """Each sample a row."""
        return cls(at_ms, values, values, values, np.ones(len(at_ms), np.int64), values, suspect)

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Rows of several parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*map(np.concatenate, zip(*(part._columns() for part in parts), strict=True)))

    def where(self, chosen: Flags | Integers) -> Rows:
        """Some of the rows, or all in another order."""
        return Rows(*(column[chosen] for column in self._columns()))

    def _columns(self) -> tuple[Any, ...]:
        return self.at_ms, self.least, self.most, self.total, self.count, self.last, self.suspect


def gauge_of_steps(
    rows: Rows, edges_ms: Sequence[int] | Integers, aggregate: Literal["mean", "min", "max", "last"]
) -> Series:
    """One value for each step that has a sample: of its good ones, else of its suspect ones."""
    edges = np.asarray(edges_ms, np.int64)
    good = _of_steps(rows.where(~rows.suspect) if rows.suspect.any() else rows, edges, aggregate)
    quality = np.zeros(len(edges) - 1, np.uint8)
    if rows.suspect.any():
        doubted = _of_steps(rows.where(rows.suspect), edges, aggregate)
        quality = np.isnan(good).astype(np.uint8)
        good = np.where(np.isnan(good), doubted, good)
    known = ~np.isnan(good)
    return Series(
        array("q", edges[:-1][known].tobytes()),
        array("d", good[known].tobytes()),
        array("B", quality[known].tobytes()),
    )


def _of_steps(rows: Rows, edges: Integers, aggregate: str) -> Floats:
    """The aggregate of each step; NaN where it has no row."""
    bounds = np.searchsorted(rows.at_ms, edges, side="left")
    filled = bounds[1:] > bounds[:-1]
    result = np.full(len(edges) - 1, np.nan)
    if filled.any():
        starts = bounds[:-1][filled]
        stop = bounds[-1]
        match aggregate:
            case "mean":
                total = np.add.reduceat(rows.total[:stop], starts)
                result[filled] = np.round(total / np.add.reduceat(rows.count[:stop], starts), DECIMALS)
            case "min":
                result[filled] = np.minimum.reduceat(rows.least[:stop], starts)
            case "max":
                result[filled] = np.maximum.reduceat(rows.most[:stop], starts)
            case _:
                result[filled] = rows.last[bounds[1:][filled] - 1]
    return result


def _series(at: Integers, values: Floats, quality: NDArray[np.uint8]) -> Series:
    return Series(
        array("q", np.ascontiguousarray(at).tobytes()),
        array("d", values.tobytes()),
        array("B", quality.tobytes()),
        ENERGY_QUALITIES,
    )
