"""`wattbook cost` as a person types it, about a real book: prices, steps, JSON, and what it says without prices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from plant import METERS, Plant, growing, plant
from wattbook.cli.main import run_command

TARIFF = """
[[tariff]]
currency = "CZK"

[[tariff.energy]]
name = "day"
price = "5.5"

[[tariff.energy]]
name = "night"
price = 2
times = ["22:00-02:00"]

[[tariff.energy]]
name = "diesel"
price = 12
source = "generator"
"""
SPAN = ("--from", "2026-03-10T01:00", "--to", "2026-03-10T04:00")  # three hours from 12 hours before NOON


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path, meters=METERS + TARIFF) as works:
        works.keep([*growing("grid", 3, 100.0), *growing("press-1", 3, 10.0)])  # 6 and 0.6 kWh an hour
        yield works


def typed(works: Plant, *arguments: str) -> int:
    return run_command(["cost", *arguments, *SPAN, "-c", str(works.config.path)])


def words(said: str) -> list[list[str]]:
    return [line.split() for line in said.splitlines()]


def test_each_price_has_its_line_and_the_last_is_the_sum(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "grid") == 0
    assert words(capsys.readouterr().out) == [
        ["grid", "source", "energy", "price", "CZK"],
        ["night", "utility", "6.000", "kWh", "2", "12.00"],
        ["day", "utility", "12.000", "kWh", "5.5", "66.00"],
        ["total", "18.000", "kWh", "78.00"],
    ]


def test_steps_have_bars(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "grid", "--every", "1h") == 0
    name, titles, *steps = words(capsys.readouterr().out)
    assert (name, titles) == (["grid"], ["from", "CZK", "energy"])
    assert [step[:5] for step in steps] == [
        ["2026-03-10", "01:00:00", "12.00", "6.000", "kWh"],
        ["2026-03-10", "02:00:00", "33.00", "6.000", "kWh"],
        ["2026-03-10", "03:00:00", "33.00", "6.000", "kWh"],
    ]
    lengths = [len(step[5]) for step in steps]
    assert lengths[0] < lengths[1] == lengths[2]


def test_json_is_one_object_a_line(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "grid", "press-1", "--json") == 0
    grid, press = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (grid["meter"], grid["currency"]) == ("grid", "CZK")
    assert grid["total"] == {"amount": "78", "energy": "18000", "quality": "measured", "rounded": "78.00"}
    assert [(each["name"], each["price"], each["amount"]) for each in grid["prices"]] == [
        ("night", "2", "12"),
        ("day", "5.5", "66"),
    ]
    assert (press["meter"], press["total"]["rounded"]) == ("press-1", "7.80")


def test_what_is_not_known_is_no_zero(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "diesel") == 0
    assert words(capsys.readouterr().out)[-1] == ["total", "missing", "-", "-"]


def test_without_a_tariff_it_says_what_to_add(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with plant(tmp_path) as works:
        assert typed(works, "grid") == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert "wattbook.toml: nobody says what energy costs: add a [[tariff]]" in said.err


def test_a_meter_that_is_not_there_is_told(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "gird") == 2
    assert 'no meter is called "gird" (did you mean "grid"?)' in capsys.readouterr().err
