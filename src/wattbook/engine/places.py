"""Where meters were: the configuration says it until a meter was first moved, then the events of its life."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from wattbook.config import MeterSettings
from wattbook.model import EnergyQuality, Series, Span
from wattbook.model.series import ENERGY_QUALITIES
from wattbook.store import BookReader

Places = Sequence[tuple[datetime | None, str]]  # since when (None = ever), location

_MEASURED, _MISSING = (ENERGY_QUALITIES.index(each) for each in (EnergyQuality.MEASURED, EnergyQuality.MISSING))


def places_of(reader: BookReader, meter: MeterSettings) -> Places:
    """Where a meter was, in order of time."""
    return [(None, meter.location), *reader.moves(meter.name)]


def stays(places: Places, span: Span) -> Iterator[tuple[str, Span]]:
    """Yield where a meter was in a span, and when."""
    begins = [span.start if since is None else since for since, _ in places]
    for (begin, end), (_, location) in zip(pairwise([*begins, span.end]), places, strict=True):
        begin, end = max(begin, span.start), min(end, span.end)
        if begin < end:
            yield location, Span(begin, end)


def energy_of_stays(parts: Sequence[Series], edges_ms: Sequence[int]) -> Series:
    """The energy of each step from those of the stays: nothing, and surely so, while the meter was elsewhere."""
    count = len(edges_ms) - 1
    values, quality = array("d", [0.0] * count), array("B", [_MEASURED] * count)
    for part in parts:
        for at_ms, value, code in zip(part.at_ms, part.values, part.quality, strict=True):
            step = bisect_right(edges_ms, at_ms) - 1
            values[step] += value  # nothing is known of the step where nothing is known of a part
            quality[step] = max(quality[step], code)
    return Series(array("q", edges_ms[:-1]), values, quality, ENERGY_QUALITIES)


def one_after_the_other(parts: Sequence[Series]) -> Series:
    """The values of several stays; of two in one step the first."""
    if not parts:
        return Series.empty()
    at_ms, values, quality = parts[0].at_ms[:], parts[0].values[:], parts[0].quality[:]
    for part in parts[1:]:
        begin = 1 if at_ms and len(part) and part.at_ms[0] <= at_ms[-1] else 0
        at_ms.extend(part.at_ms[begin:])
        values.extend(part.values[begin:])
        quality.extend(part.quality[begin:])
    return Series(at_ms, values, quality, parts[0].qualities)
