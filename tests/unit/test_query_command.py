"""`wattbook query` as a person types it: tables, marks, CSV, JSON, and what wrong questions get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from plant import POWER, Plant, growing, plant, steady
from wattbook.cli.main import run_command

SPAN = ("--from", "2026-03-10T01:00", "--to", "2026-03-10T04:00")


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path) as works:
        works.keep([*growing("grid", 3, 10.0), *growing("diesel", 1, 5.0), *growing("press-1", 3, 2.0)])
        works.keep([*growing("heat pump", 3, 1.0), *steady("lamp", 3, 60.0)])
        yield works


def typed(works: Plant, *arguments: str) -> int:
    return run_command(["query", *arguments, *SPAN, "-c", str(works.config.path)])


def test_one_meter_has_bars(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "grid", "active_energy_import", "--every", "1h") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == ["from", "Active", "energy,", "import"]
    assert said[1].split()[:4] == ["2026-03-10", "01:00:00", "0.600", "kWh"] and "█" in said[1]


def test_several_stand_side_by_side_with_marks(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "grid", "diesel", "lamp", "house", "active_energy_import", "--every", "1h") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].split() == ["from", "grid", "diesel", "lamp", "house"]
    assert lines[1].split()[2:] == ["0.600", "kWh", "0.300", "kWh", "0.060", "kWh≈", "0.900", "kWh"]
    assert lines[2].split()[2:] == ["0.600", "kWh", "-", "0.060", "kWh≈", "-"]
    assert lines[-1] == "≈ estimated"
    assert "lamp has no register of this: its power was added up." in said.err
    assert "house: diesel is missing in 2 of the steps." in said.err


def test_a_place_is_added_up(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--location", "plant/hall 2", "--sum", "--every", "1h", "--json")
    assert typed(works, "active_energy_import", *where) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["meter"], told["meters"]) == ("plant/hall 2", ["heat pump", "press-1"])
    assert [point["value"] for point in told["points"]] == [180, 180, 180]


def test_json_is_one_object_a_line(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "grid", "rest", "active_energy_import", "--every", "1h", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["meter"] for each in told] == ["grid", "rest"]
    assert told[1]["points"][0] == {"at": "2026-03-10T00:00:00.000Z", "value": 780, "quality": "measured"}


def test_csv_is_for_spreadsheets(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "grid", "diesel", "active_energy_import", "--every", "1h", "--csv") == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "at,grid,diesel,quality",
        "2026-03-10T01:00:00.000+01:00,600,300,measured",
        "2026-03-10T02:00:00.000+01:00,600,,missing",
    ]


def test_sources_stand_side_by_side(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "press-1", "active_energy_import", "--every", "1h", "--by", "source") == 0
    said = capsys.readouterr().out.splitlines()
    assert "press-1: utility" in said[0] and "press-1: unknown" in said[0]
    assert said[1].split()[2:] == ["0.080", "kWh", "0.040", "kWh", "0.000", "kWh"]


def test_where_nothing_is_nothing_is_shown(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(works, "probe", POWER) == 0
    said = capsys.readouterr()
    assert said.out == "" and "No reading from" in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("gird", POWER), 'wattbook.toml: no meter is called "gird" (did you mean "grid"?)'),
        (("--location", "plant/hall 3", POWER), 'did you mean "plant/hall 2"'),
        (("grid",), 'no quantity is called "grid"'),
        (("house", POWER), "ask for steps"),
        ((POWER,), '"meter" is missing'),
        (("grid", POWER, "--every", "1h", "--aggregate", "men"), 'did you mean "mean"'),
        (("grid", POWER, "--json", "--csv"), "choose --json or --csv"),
        (("grid", POWER, "--points", "x"), "--points"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    works: Plant, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert typed(works, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and says in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--every", "1s", "--from", "-400d"), "more than 100000 steps; choose a longer one, or a shorter time"),
        (("--every", "1s", "--from", "-30d", "--by", "source"), "too long for energy by source"),
        (("--every", "1h", "--from", "9000-01-01", "--to", "9000-12-31"), '"9000-01-01" is no instant'),
    ],
)
def test_a_time_that_cannot_be_answered_is_wrong_use(
    works: Plant, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert run_command(["query", "grid", "active_energy_import", *arguments, "-c", str(works.config.path)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and says in said.err


def test_a_virtual_meter_has_no_latest_reading(works: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["latest", "house", "-c", str(works.config.path)]) == 2
    assert "computed from others" in capsys.readouterr().err
