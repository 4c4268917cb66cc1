"""A batch in parts: the same rows in the same order, none too large, and the position with the last alone."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from wattbook.model import Batch, Columns


def columns(meter: int, rows: int) -> Columns:
    numbers = range(rows)
    values = {"voltage": array("d", numbers)}
    return Columns("", f"m{meter}", array("q", numbers), array("q", numbers), values, array("B", bytes(rows)))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 40))
def test_parts_are_the_batch(rows: list[int], most: int) -> None:
    batch = Batch(tuple(columns(number, count) for number, count in enumerate(rows)), (), "17")
    parts = list(batch.parts(most))
    given_rows = [(each.meter, at) for part in parts for each in part.columns for at in each.at_ms]
    assert given_rows == [(each.meter, at) for each in batch.columns for at in each.at_ms]
    assert all(len(each) for part in parts for each in part.columns)
    assert all(0 < len(part) <= most for part in parts) and all(len(part) == most for part in parts[:-1])
    assert [part.upto for part in parts] == [""] * (len(parts) - 1) + ["17"]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6).filter(lambda rows: sum(rows) > 1))
def test_halves_are_two_of_a_size(rows: list[int]) -> None:
    first, second = Batch(tuple(columns(number, count) for number, count in enumerate(rows)), (), "17").halves()
    assert len(first) - len(second) in (0, 1) and len(first) + len(second) == sum(rows)
