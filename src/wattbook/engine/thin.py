"""Fewer points for a chart, with every peak: pure, whole columns at once.

A span is cut into columns of equal time, as a chart has columns of pixels; of each the least and the greatest good
value stay (of one without good values, the suspect ones), and the very first and last value of all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from wattbook.engine.combine import codes, instants, values
from wattbook.model import Series, Span
from wattbook.model.batch import to_ms

if TYPE_CHECKING:
    from numpy.typing import NDArray


def thin(series: Series, span: Span, points: int) -> Series:
    """At most `points` values (4 or more) of those of a span."""
    if len(series) <= points:
        return series
    columns = (points - 2) // 2
    start, end = to_ms(span.start), to_ms(span.end)
    column = (instants(series) - start) * columns // (end - start)
    trusted = np.flatnonzero(_trusted(column, codes(series) == 0))
    told, column = values(series)[trusted], column[trusted]
    starts = np.concatenate(([0], np.flatnonzero(np.diff(column)) + 1))
    peaks = trusted[[*_first_of(np.minimum, told, starts), *_first_of(np.maximum, told, starts)]]
    return _at(series, np.unique(np.concatenate((peaks, [0, len(series) - 1]))))


def _first_of(extreme: np.ufunc, told: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first place of the least or greatest value of each stretch."""
    lengths = np.diff(np.append(starts, len(told)))
    found = np.flatnonzero(told == np.repeat(extreme.reduceat(told, starts), lengths))
    places: NDArray[np.int64] = found[found.searchsorted(starts)]
    return places


def thin_parts(parts: Iterable[Series], span: Span, points: int) -> Series:
    """The same of a series that comes in parts, in order of time, which need not be held at once."""
    thinned = Series.empty()
    for part in parts:
        thinned = _joined(thinned, thin(part, span, points))
        if len(thinned) > 2 * points:
            thinned = thin(thinned, span, points)
    return thin(thinned, span, points)


def _trusted(column: NDArray[np.int64], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The good values, and suspect ones of columns that have no good one."""
    if good.all():
        return good
    return good | ~np.isin(column, np.unique(column[good]))


def _at(series: Series, places: NDArray[np.int64]) -> Series:
    return Series(
        array("q", instants(series)[places].tobytes()),
        array("d", values(series)[places].tobytes()),
        array("B", codes(series)[places].tobytes()),
        series.qualities,
    )


def _joined(one: Series, other: Series) -> Series:
    return Series(one.at_ms + other.at_ms, one.values + other.values, one.quality + other.quality, one.qualities)
