"""Rows of one instant from several blocks, and how many values a reading holds."""

from __future__ import annotations

import numpy as np

from wattbook.codecs.reading_json import VALUES_MAX
from wattbook.exchange.build import make_columns
from wattbook.exchange.together import one_each
from wattbook.model import Columns
from wattbook.model.vocabulary import all_names

NAMES = sorted(all_names())


def block(first: int, count: int) -> Columns:
    """Two readings of so many quantities."""
    values = {name: np.array([1.0, 2.0]) for name in NAMES[first : first + count]}
    made = make_columns("m", np.array([0, 1000]), values)
    assert made is not None
    return made


def test_rows_fill_a_reading_up_to_what_it_holds() -> None:
    joined = one_each([block(0, 40), block(40, 24)])
    assert (len(joined.columns), joined.same, joined.conflicts) == (2, 0, 0)
    assert len(joined.columns.values) == VALUES_MAX


def test_a_row_beyond_what_a_reading_holds_is_a_conflict() -> None:
    joined = one_each([block(0, 40), block(40, 40), block(80, 24)])
    assert (len(joined.columns), joined.same, joined.conflicts) == (2, 0, 2)
    assert list(joined.columns.values) == [*NAMES[:40], *NAMES[80:104]]
