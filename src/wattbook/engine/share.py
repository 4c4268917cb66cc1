"""Energy of a consumer and of its sources -> the consumer's energy by source: pure, whole columns at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from wattbook.engine.combine import codes, energies, instants, values
from wattbook.model import EnergyQuality, Series
from wattbook.model.series import ENERGY_QUALITIES
from wattbook.model.sources import SOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]

UNKNOWN = "unknown"
_DECIMALS = 6  # of base units, as registers' energy
_SPREAD, _ESTIMATED, _MISSING = map(
    ENERGY_QUALITIES.index, (EnergyQuality.SPREAD, EnergyQuality.ESTIMATED, EnergyQuality.MISSING)
)


def shared_out(consumed: Series, given: Mapping[str, Sequence[Series]]) -> Mapping[str, Series]:
    """Share out the energy of each step as the sources gave in it; where none is known to have given: UNKNOWN.

    `given`: source -> what each of its meters gave in the same steps; less than nothing counts as nothing. A part is as
    good as the worst of what it comes from, and `estimated` where the meter of a source is missing.
    """
    supplied = {source: _supplied(given[source], len(consumed)) for source in SOURCES if source in given}
    total = np.sum([energy for energy, _ in supplied.values()], axis=0) if supplied else np.zeros(len(consumed))
    known = total > 0
    worst = np.max([quality for _, quality in supplied.values()], axis=0) if supplied else codes(consumed)
    quality = np.where(known, np.maximum(codes(consumed), worst), codes(consumed))
    quality = np.where(np.isnan(values(consumed)), _MISSING, quality)
    divided_by = np.where(known, total, 1.0)
    shares = {source: energy / divided_by for source, (energy, _) in supplied.items()}
    shares[UNKNOWN] = np.where(known, 0.0, 1.0)
    at = instants(consumed)
    return {source: energies(at, values(consumed) * share, quality) for source, share in shares.items()}


def _supplied(meters: Sequence[Series], steps: int) -> tuple[Floats, Codes]:
    """What one source gave in each step, as far as its meters tell, and how good that is."""
    energy, quality = np.zeros(steps), np.zeros(steps, np.uint8)
    for series in meters:
        energy += np.maximum(np.nan_to_num(values(series)), 0.0)
        quality = np.maximum(quality, np.minimum(codes(series), _ESTIMATED))
    return energy, quality


def in_steps(series: Series, edges_ms: Sequence[int]) -> Series:
    """The energy of longer steps, of the short ones that are known: `spread` where some are not."""
    edges = np.asarray(edges_ms, np.int64)
    starts = instants(series).searchsorted(edges[:-1])
    known = ~np.isnan(values(series))
    energy = np.add.reduceat(np.where(known, values(series), 0.0), starts)
    quality = np.maximum.reduceat(np.where(known, codes(series), 0), starts)
    quality = np.where(np.logical_and.reduceat(known, starts), quality, np.maximum(quality, _SPREAD))
    any_known = np.logical_or.reduceat(known, starts)
    return energies(
        edges[:-1],
        np.where(any_known, np.round(energy, _DECIMALS), np.nan),
        np.where(any_known, quality, _MISSING),
    )


def joined(parts: Sequence[Series]) -> Series:
    """Series of neighbouring spans as one."""
    return energies(*(np.concatenate([column(part) for part in parts]) for column in (instants, values, codes)))
