"""What is believed of a format without a check."""

from datetime import UTC, datetime, timedelta

import pytest

from wattbook.drivers.plausible import Plausibility, bounds
from wattbook.model.vocabulary import all_names

START = datetime(2026, 11, 21, tzinfo=UTC)
ENERGY = "active_energy_import"


HOUSE = 100_000.0


def suspects(*steps: tuple[float, float]) -> list[bool]:
    """Which of (second, Wh) are suspect, told one after the other."""
    plausibility = Plausibility(HOUSE)
    return [bool(plausibility.doubt(START + timedelta(seconds=second), {ENERGY: wh})) for second, wh in steps]


@pytest.mark.parametrize(
    ("name", "value", "suspect"),
    [
        ("voltage", 230.1, False), ("voltage", 2e6, True), ("frequency", -1, True), ("frequency", 0, False),
        ("power_factor", 1.0, False), ("power_factor_l1", 1.01, True), ("active_power", -5e8, False),
        ("active_power", 2e9, True), (ENERGY, -1, True), ("error_bits", 4.0, False), ("temperature", -400, False),
    ],
)  # fmt: skip
def test_bounds(name: str, value: float, suspect: bool) -> None:
    assert bool(Plausibility(1e9).doubt(START, {name: value, "current": 1.0})) is suspect


def test_every_quantity_has_bounds() -> None:
    assert all(its.least <= 0 <= its.greatest for its in (bounds(name, HOUSE) for name in all_names()))


def test_a_register_that_runs_backwards_is_suspect_once_and_does_not_spoil_the_next() -> None:
    assert suspects((0, 1000), (10, 900), (20, 1001)) == [False, True, False]


def test_a_jump_no_supply_could_make_is_suspect() -> None:
    assert suspects((0, 25_409_587), (10, 925_409_587), (20, 25_409_590)) == [False, True, False]


def test_a_digit_that_is_damaged_makes_a_suspect_and_the_right_next_value_is_good() -> None:
    assert suspects((0, 25_409_587), (10, 35_409_590), (20, 25_409_593)) == [False, True, False]
    assert suspects((0, 25_409_587), (10, 25_419_590), (20, 25_409_593)) == [False, True, False]


def test_the_same_damage_again_is_no_proof() -> None:
    assert suspects((0, 1000), (10, 901_001), (20, 1002), (30, 901_003), (40, 1004)) == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_a_display_of_whole_kilowatt_hours_may_step() -> None:
    assert not any(suspects((0, 1000), (1, 2000), (600, 3000), (601, 3000)))


def test_more_power_than_the_model_can_carry_is_suspect() -> None:
    assert Plausibility(HOUSE).doubt(START, {"active_power": 900_300, "active_power_l1": -100.0}).keys() == {
        "active_power"
    }


def test_a_replaced_meter_is_believed_from_its_second_reading() -> None:
    assert suspects((0, 1000), (10, 5), (20, 6), (30, 7)) == [False, True, False, False]


def test_readings_that_come_late_or_twice_are_no_offence() -> None:
    assert suspects((0, 1000), (10, 1005), (0, 1000), (5, 1002), (20, 1004)) == [False, False, False, False, True]
