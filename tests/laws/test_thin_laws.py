"""Laws of charts: of every column the least and the greatest value stay, and the first and the last of all."""

from __future__ import annotations

from array import array
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from book_tools import START
from wattbook.engine.thin import thin, thin_parts
from wattbook.model import Quality, Series, Span
from wattbook.model.batch import to_ms

_LENGTH_MS = 10_000
SPAN = Span(START, START + timedelta(milliseconds=_LENGTH_MS))


@st.composite
def series(draw: st.DrawFn) -> Series:
    """Values of a span, some suspect."""
    at = sorted(draw(st.sets(st.integers(0, _LENGTH_MS - 1), max_size=300)))
    values = [float(draw(st.integers(-9, 9)) ** 3) for _ in at]
    quality = [int(draw(st.integers(0, 4)) == 0) for _ in at]
    return Series(array("q", [to_ms(START) + each for each in at]), array("d", values), array("B", quality))


points = st.integers(4, 60)


@given(series(), points)
def test_no_peak_is_lost(told: Series, count: int) -> None:
    thinned = thin(told, SPAN, count)
    assert len(thinned) <= count
    was = list(told)
    assert all(point in was for point in thinned)
    assert [point.at for point in thinned] == sorted({point.at for point in thinned})
    kept = list(thinned)
    assert (kept[:1], kept[-1:]) == (was[:1], was[-1:])
    columns = (count - 2) // 2
    for column in range(columns):
        before, after = (_of_column(each, column, columns) for each in (told, thinned))
        if before:
            assert (min(before), max(before)) == (min(after), max(after))


def _of_column(told: Series, column: int, columns: int) -> list[float]:
    """The good values of a column, else the suspect ones."""
    within = [point for point in told if (to_ms(point.at) - to_ms(START)) * columns // _LENGTH_MS == column]
    good = [point.value for point in within if point.quality is Quality.GOOD and point.value is not None]
    return good or [point.value for point in within if point.value is not None]


@given(series(), points, st.lists(st.integers(0, _LENGTH_MS), max_size=6).map(sorted))
def test_parts_are_thinned_as_the_whole(told: Series, count: int, cuts: list[int]) -> None:
    edges = [to_ms(START), *(to_ms(START) + cut for cut in cuts), to_ms(START) + _LENGTH_MS]
    parts = [_between(told, begin, end) for begin, end in pairwise(edges)]
    whole, joined = thin(told, SPAN, count), thin_parts(parts, SPAN, count)
    assert len(joined) <= count
    columns = (count - 2) // 2
    for column in range(columns):
        one, other = (_of_column(each, column, columns) for each in (whole, joined))
        assert not one or (min(one), max(one)) == (min(other), max(other))
    kept, was = list(joined), list(told)
    assert (kept[:1], kept[-1:]) == (was[:1], was[-1:])


def _between(told: Series, begin: int, end: int) -> Series:
    places = [place for place, at in enumerate(told.at_ms) if begin <= at < end]
    return Series(
        array("q", [told.at_ms[place] for place in places]),
        array("d", [told.values[place] for place in places]),
        array("B", [told.quality[place] for place in places]),
    )
