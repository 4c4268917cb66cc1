"""What looks wrong at the start is said in words, with the evidence, once; and nothing is said of ordinary meters."""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from notebook import Notebook
from wattbook.codecs.detect import decode
from wattbook.codecs.telegram import Damage
from wattbook.engine.examine import LOOK_EVERY, READINGS_IN_A_ROW, READINGS_MAX, Examination, findings
from wattbook.engine.examined import ExaminedKeeper
from wattbook.engine.status import MeterStatus
from wattbook.model import Reading
from wattbook.profiles import Library, ModbusSettings, Profile, Register, Scale

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
PUSH = Library().get("push")
PZEM = Library().get("pzem-016")
FINE = {
    "voltage_l1": 231.0, "voltage_l2": 230.0, "voltage_l3": 229.0, "current_l1": 1.0, "current_l2": 2.0,
    "current_l3": 3.0, "active_power_l1": 220.0, "active_power_l2": 440.0, "active_power_l3": 660.0,
    "active_power": 1320.0, "frequency": 50.0, "power_factor": 0.98,
}  # fmt: skip

OTHERS = ("current_l2", "current_l3", "active_power_l2", "active_power_l3")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"voltage_l2": 3.0}, "l2 shows 3 V where l1 and l3 show 231 V and 229 V: is its wire connected?"),
        ({"active_power_l2": -440.0}, "active power of l2 (-440 W) is negative while l1 (220 W) and l3 (660 W) import"),
        ({"current_l1": -1.0}, "current of l1 (-1 A) is negative"),
        ({"frequency": 5000.0}, "frequency is 5000 Hz"),
        ({"frequency": 0.0}, "frequency is 0 Hz"),
        ({"power_factor": 98.0}, "power_factor is 98"),
        ({"voltage_l1": 2310.0}, "voltage_l1 is 2310 V"),
        ({"active_power": 13200.0}, "active_power is 13200 W, and voltage times current give only 1378 VA"),
    ],
)
def test_what_is_wrong_is_said(values: dict[str, float], says: str) -> None:
    told = [finding.words for finding in findings(FINE | values, PUSH)]
    assert any(says in words for words in told), told


@pytest.mark.parametrize(
    ("values", "source"),
    [
        ({}, ""),
        ({"active_power_l2": -440.0}, "solar"),
        ({"active_power_l2": -10.0}, ""),  # noise about nothing
        ({"active_power_l1": -220.0, "active_power_l2": -440.0, "active_power_l3": -660.0}, "utility"),  # it exports
        (
            {"voltage_l2": 0.0, "voltage_l3": 0.0, "active_power": 220.0} | dict.fromkeys(OTHERS, 0.0),
            "",
        ),  # connected to one phase only
    ],
)
def test_what_is_ordinary_is_not(values: dict[str, float], source: str) -> None:
    assert findings(FINE | values, PUSH, source) == []


def test_a_battery_has_low_voltage_and_no_frequency() -> None:
    assert findings({"voltage": 12.6, "current": 3.0, "active_power": 37.8}, PUSH) == []


def swapped(raw: int) -> int:
    return (raw & 0xFFFF) << 16 | raw >> 16


def test_swapped_words_are_known_by_the_values_they_would_give() -> None:
    right = {"voltage": 230.0, "current": 1.5, "active_power": 345.0, "active_energy_import": 1000.0}
    assert findings(right, PZEM) == []
    wrong = right | {"current": swapped(1500) / 1000, "active_power": swapped(3450) / 10}
    [finding] = findings(wrong, PZEM)
    assert finding.kind == "word-order" and '(2 values are so): is word_order = "high-first" right' in finding.words
    assert "current is 98304" in finding.words and "1.5 A" in finding.words


def test_swapped_floats() -> None:
    rows = (Register("voltage_l1", 0, "float32"), Register("frequency", 2, "float32"))
    profile = Profile("x", "x", "x", "modbus", "x", True, modbus=ModbusSettings(rows))

    def other(value: float) -> float:
        raw = swapped(int.from_bytes(struct.pack(">f", value)))
        number: float = struct.unpack(">f", raw.to_bytes(4))[0]
        return number

    assert findings({"voltage_l1": 230.1, "frequency": 50.0}, profile) == []
    [finding] = findings({"voltage_l1": other(230.1), "frequency": other(50.0)}, profile)
    assert finding.kind == "word-order"


def test_all_ones_are_no_number() -> None:
    rows = (Register("active_energy_import", 0, "uint32", Scale(10, 0)),)
    profile = Profile("x", "x", "x", "modbus", "x", True, modbus=ModbusSettings(rows))
    [finding] = findings({"active_energy_import": 0xFFFFFFFF * 10.0}, profile)
    assert "all ones" in finding.words


def every(period: timedelta) -> Iterator[datetime]:
    at = NOON
    while True:
        yield at
        at += period


def test_told_once_after_enough_readings_in_a_row() -> None:
    examination = Examination(PUSH)
    dead = FINE | {"voltage_l2": 0.0}
    run = [dead] * (READINGS_IN_A_ROW - 1) + [FINE] + [dead] * READINGS_MAX
    looks = [examination.look(at, values) for at, values in zip(every(LOOK_EVERY), run, strict=False)]
    assert [number for number, found in enumerate(looks) if found] == [2 * READINGS_IN_A_ROW - 1]
    assert examination.over


def test_a_start_up_seen_by_many_readings_a_second_proves_nothing() -> None:
    examination = Examination(PUSH)
    dead = FINE | {"voltage_l2": 0.0}
    quick = every(LOOK_EVERY / 6)
    for at in islice(quick, 6 * (READINGS_IN_A_ROW - 1)):
        assert not examination.look(at, dead)
    assert not examination.over
    assert examination.look(next(quick), dead)


async def test_a_finding_becomes_an_event_and_a_hint_and_every_reading_is_kept() -> None:
    book, status = Notebook(), MeterStatus("press", "push")
    keeper = ExaminedKeeper(book, {"press": Examination(PUSH)})
    keeper.statuses = {"press": status}
    dead = Reading("press", NOON, FINE | {"voltage_l2": 0.0})
    for at in islice(every(LOOK_EVERY), READINGS_MAX):
        keeper.measured(replace(dead, at=at))
    await keeper.keep([dead, Reading("other", NOON, {})])
    assert len(book.readings) == READINGS_MAX + 2
    [event] = book.events
    assert (event.kind, event.subject, event.body["of"]) == ("meter.implausible", "press", "l2")
    assert status.hints == (event.body["words"],)


CAPTURES = sorted((Path(__file__).parents[1] / "captures/modbus").glob("*.hex"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_models_of_the_library_are_not_blamed_for_their_captures(path: Path) -> None:
    profile = Library().get(json.loads(path.with_suffix(".json").read_text())["profile"])
    for item in decode(path.read_bytes(), profile=profile):
        assert isinstance(item, Damage) or {"word-order"}.isdisjoint(
            finding.kind for finding in findings(item.measured.values, profile)
        )
