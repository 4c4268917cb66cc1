"""History that comes in bulk is judged as readings are that come one by one."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest

from book_tools import START
from wattbook.engine.judge_columns import ColumnsJudge
from wattbook.model import Columns, Quality
from wattbook.model.batch import QUALITY_CODES, to_ms

ENERGY = "active_energy_import"
POWER_MAX = 36_000.0  # W: 10 Wh a second, 600 Wh at once
MINUTE_MS = 60_000


def columns(values: dict[str, Sequence[float]], *, first: int = 0, suspect: Sequence[int] = ()) -> Columns:
    count = len(next(iter(values.values())))
    quality = array("B", bytes(count))
    for place in suspect:
        quality[place] = QUALITY_CODES[Quality.SUSPECT]
    at_ms = array("q", [to_ms(START) + (first + place) * MINUTE_MS for place in range(count)])
    cells = {name: array("d", its) for name, its in values.items()}
    return Columns("", "m", at_ms, array("q", bytes(8 * count)), cells, quality)


def doubted(judge: ColumnsJudge, given: Columns, name: str = ENERGY) -> list[int]:
    readings = list(judge.judge(given).readings())
    return [place for place, reading in enumerate(readings) if reading.doubt.get(name) is Quality.SUSPECT]


@pytest.fixture
def judge() -> ColumnsJudge:
    return ColumnsJudge({"m": POWER_MAX})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([100, 110, 120, 130], []),
        ([100, 110, 9e6, 130, 140], [2]),  # a spike
        ([100, 110, 0, 130, 140], [2]),  # a zero
        ([100, 110, 5000, 5010, 130, 140], [2, 3]),  # two of them
        ([5000, 5010, 0, 10, 20, 30], []),  # another counter
        ([100, 110, -1, 120], [2]),  # what no register shows
        ([100, 110, 9e6, 9e6 + 1, 9e6 + 2, 9e6 + 3], []),
    ],
)
def test_registers(judge: ColumnsJudge, values: list[float], expected: list[int]) -> None:
    assert doubted(judge, columns({ENERGY: values})) == expected


def test_a_block_goes_on_from_the_one_before(judge: ColumnsJudge) -> None:
    assert doubted(judge, columns({ENERGY: [100, 110]})) == []
    assert doubted(judge, columns({ENERGY: [0, 120, 130]}, first=2)) == [0]
    assert doubted(judge, columns({ENERGY: [20, 30]}, first=-5)) == []  # an older file after a newer one


def test_gauges_and_what_is_absent_or_suspect_already(judge: ColumnsJudge) -> None:
    nan = float("nan")
    given = columns({"voltage": [230.0, nan, 6e5, 231.0], ENERGY: [100, nan, nan, 110]}, suspect=[3])
    assert doubted(judge, given, "voltage") == [2]
    assert doubted(judge, given) == []
    found = list(judge.judge(given).readings())
    assert found[3].quality is Quality.SUSPECT and "voltage" not in found[1].values


def test_meters_nobody_knows_are_not_judged() -> None:
    given = columns({ENERGY: [100, 0, 100]})
    assert ColumnsJudge({}).judge(given) is given
