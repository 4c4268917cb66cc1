"""Energy where a meter has no register: its power added up over time. Always `estimated`, never across a gap.

Between two good readings that are at most two periods apart power is a straight line; anything longer is a gap and
counts nothing. What was added up by an instant depends on the instant alone, so any split of a span adds up.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from wattbook.model import BookError, EnergyQuality, Series, Span
from wattbook.model.batch import to_ms
from wattbook.model.derive import PowerOf
from wattbook.model.series import ENERGY_QUALITIES
from wattbook.store import BookReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

SPAN_MAX = timedelta(days=3660)  # every reading is looked at: 0.2 s for a year of 5-second readings
_AT_ONCE = timedelta(days=10)  # 173,000 readings every 5 seconds: 3 MB
_PERIOD_FROM = 500  # readings whose distances tell how often a meter is read
_PERIOD_AROUND = timedelta(days=2)  # beside a span, they are looked for there too
_MS = timedelta(milliseconds=1)
_MS_PER_HOUR = 3_600_000
_DECIMALS = 6  # of base units, as registers' energy
_ESTIMATED, _MISSING = map(ENERGY_QUALITIES.index, (EnergyQuality.ESTIMATED, EnergyQuality.MISSING))


def energy_of_power(
    reader: BookReader,
    meter: str,
    power: PowerOf,
    span: Span,
    edges_ms: Sequence[int],
    period: timedelta | None,
) -> Series:
    """The energy of each step between edges, from every good reading of a power.

    `period` is how often the meter is read; None = the median distance of its readings. Raises BookError.
    """
    if span.duration > SPAN_MAX:
        raise BookError(f"{meter} has no register: its power is added up for {SPAN_MAX.days} days at the most")
    edges = np.asarray(edges_ms, np.int64)
    energy, covered_ms = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1, np.int64)
    period = period or _period(reader, meter, power, span)
    for part in span.steps(_AT_ONCE):
        around = Span(part.start - 2 * period, part.end + 2 * period)
        values = reader.range(meter, power.quantity, around)
        first, beyond, cut = _edges_in(edges, part)
        told = integral(*_good(values), power.sign, cut, period // _MS)
        energy[first:beyond] += told[0]
        covered_ms[first:beyond] += told[1]
    return _series(edges, energy, covered_ms)


def integral(at_ms: Integers, power: Floats, sign: int, edges_ms: Integers, period_ms: int) -> tuple[Floats, Integers]:
    """The energy of each step between edges (W -> Wh), and the time that readings cover in it (ms)."""
    if len(at_ms) < 2:
        return np.zeros(len(edges_ms) - 1), np.zeros(len(edges_ms) - 1, np.int64)
    counted = np.maximum(sign * power, 0.0)
    distance = np.diff(at_ms)
    held = distance <= 2 * period_ms
    begun = np.concatenate(([0.0], np.cumsum(np.where(held, (counted[1:] + counted[:-1]) / 2 * distance, 0.0))))
    covered = np.concatenate(([0], np.cumsum(np.where(held, distance, 0))))
    place = np.clip(np.searchsorted(at_ms, edges_ms, side="right") - 1, 0, len(at_ms) - 2)
    into = np.clip(edges_ms - at_ms[place], 0, distance[place])
    rise = (counted[place + 1] - counted[place]) / distance[place]
    line = np.where(held[place], into * (counted[place] + rise * into / 2), 0.0)
    energy = np.diff(begun[place] + line) / _MS_PER_HOUR
    return energy, np.diff(covered[place] + np.where(held[place], into, 0))


def missing(edges_ms: Sequence[int]) -> Series:
    """Steps that nothing is known of."""
    edges = np.asarray(edges_ms, np.int64)
    return _series(edges, np.zeros(len(edges) - 1), np.zeros(len(edges) - 1, np.int64))


def _edges_in(edges: Integers, part: Span) -> tuple[int, int, Integers]:
    """The first step that a part touches, the one after its last, and their edges, cut to the part."""
    start, end = to_ms(part.start), to_ms(part.end)
    first = int(edges.searchsorted(start, side="right")) - 1
    beyond = int(edges.searchsorted(end, side="left"))
    return first, beyond, np.clip(edges[first : beyond + 1], start, end)


def _good(values: Series) -> tuple[Integers, Floats]:
    good = np.frombuffer(values.quality, np.uint8) == 0
    return np.frombuffer(values.at_ms, np.int64)[good], np.frombuffer(values.values, np.float64)[good]


def _period(reader: BookReader, meter: str, power: PowerOf, span: Span) -> timedelta:
    """The median distance of the first readings around a span; nothing, when there are not two."""
    around = Span(span.start - _PERIOD_AROUND, span.end + _PERIOD_AROUND)
    at_ms, _ = _good(reader.range(meter, power.quantity, around, limit=_PERIOD_FROM))
    return timedelta(milliseconds=int(np.median(np.diff(at_ms)))) if len(at_ms) > 1 else timedelta(0)


def _series(edges: Integers, energy: Floats, covered_ms: Integers) -> Series:
    known = covered_ms > 0
    values = np.where(known, np.round(energy, _DECIMALS), np.nan)
    quality = np.where(known, _ESTIMATED, _MISSING).astype(np.uint8)
    return Series(
        array("q", edges[:-1].tobytes()), array("d", values.tobytes()), array("B", quality.tobytes()), ENERGY_QUALITIES
    )
