"""Points told as columns say the same as points told one by one."""

from __future__ import annotations

import json
import math
from array import array
from itertools import accumulate

import pytest

from wattbook.engine.answer import _columns, _points
from wattbook.model import Series
from wattbook.model.batch import from_ms

FIRST = 1_795_870_720_239  # 2026-11-28, in ms


@pytest.mark.parametrize("quality", [(0, 0, 0), (0, 1, 0)])
def test_columns_say_the_same(quality: tuple[int, ...]) -> None:
    series = Series(
        array("q", [FIRST, FIRST + 5040, FIRST + 9990]), array("d", [120.6, math.nan, 7]), array("B", quality)
    )
    told = json.loads(_columns(series))
    points = [json.loads(point) for point in _points(series)]
    assert [from_ms(at) for at in accumulate(told["steps_ms"])] == [from_ms(at) for at in series.at_ms]
    assert told["value"] == [point["value"] for point in points]
    qualities = [told["quality"]] * len(series) if isinstance(told["quality"], str) else told["quality"]
    assert qualities == [point["quality"] for point in points]


def test_nothing_is_columns_too() -> None:
    assert json.loads(_columns(Series.empty())) == {"steps_ms": [], "value": [], "quality": []}
