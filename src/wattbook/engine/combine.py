"""Values of several meters -> one: pure, whole columns at once.

The quality of a sum is that of its worst part. Where a part is missing the sum is missing: a sum that is silently too
small is worse than none.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wattbook.model import Series
from wattbook.model.series import ENERGY_QUALITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]

    from wattbook.store import Aggregate

_DECIMALS = 6  # of base units: drops what adding floats leaves behind
Part = tuple[float, Series]  # how many times it counts


def energies_together(parts: Sequence[Part]) -> Series:
    """The sum of energies of the same steps; NaN and `missing` where a part is missing."""
    total = np.sum([factor * values(series) for factor, series in parts], axis=0)
    quality = np.max([codes(series) for _, series in parts], axis=0)
    return energies(instants(parts[0][1]), np.round(total, _DECIMALS), quality)


def gauges_together(parts: Sequence[Part]) -> Series:
    """The sum of values of steps, where every part has one."""
    common = instants(parts[0][1])
    for _, series in parts[1:]:
        common = common[np.isin(common, instants(series), assume_unique=True)]
    places = [instants(series).searchsorted(common) for _, series in parts]
    total = np.sum([factor * values(series)[at] for (factor, series), at in zip(parts, places, strict=True)], axis=0)
    quality = np.max([codes(series)[at] for (_, series), at in zip(parts, places, strict=True)], axis=0)
    return _series(common, np.round(total, _DECIMALS), quality, parts[0][1])


def gaps_of(parts: Sequence[Series]) -> Sequence[int]:
    """For each part, in how many of the steps that any of them has nothing is known of it."""
    known = [instants(series)[~np.isnan(values(series))] for series in parts]
    asked = len(np.unique(np.concatenate([instants(series) for series in parts])))
    return [asked - len(each) for each in known]


def of_longer_steps(series: Series, edges_ms: Sequence[int], aggregate: Aggregate) -> Series:
    """One value for each step between edges that holds any of the short steps of a series."""
    edges = np.asarray(edges_ms, np.int64)
    bounds = instants(series).searchsorted(edges)
    filled = bounds[1:] > bounds[:-1]
    starts = bounds[:-1][filled]
    if not len(starts):
        return Series.empty()
    told = values(series)[: bounds[-1]]
    match aggregate:
        case "min":
            chosen = np.minimum.reduceat(told, starts)
        case "max":
            chosen = np.maximum.reduceat(told, starts)
        case "last":
            chosen = told[bounds[1:][filled] - 1]
        case _:
            chosen = np.add.reduceat(told, starts) / np.diff(bounds)[filled]
    return _series(edges[:-1][filled], chosen, np.maximum.reduceat(codes(series)[: bounds[-1]], starts), series)


def energies(at_ms: Integers, energy: Floats, quality: Codes) -> Series:
    """Columns of numpy as a series of energies."""
    return Series(
        array("q", np.ascontiguousarray(at_ms).tobytes()),
        array("d", energy.astype(np.float64).tobytes()),
        array("B", quality.astype(np.uint8).tobytes()),
        ENERGY_QUALITIES,
    )


def instants(series: Series) -> Integers:
    """The instants, not copied."""
    return np.frombuffer(series.at_ms, np.int64)


def values(series: Series) -> Floats:
    """The values, not copied."""
    return np.frombuffer(series.values, np.float64)


def codes(series: Series) -> Codes:
    """The places in `qualities`, not copied."""
    return np.frombuffer(series.quality, np.uint8)


def _series(at_ms: Integers, told: Floats, quality: Codes, like: Series) -> Series:
    return Series(
        array("q", np.ascontiguousarray(at_ms).tobytes()),
        array("d", told.tobytes()),
        array("B", quality.astype(np.uint8).tobytes()),
        like.qualities,
    )
