"""What is believed of a format without a check."""

from datetime import UTC, datetime, timedelta

import pytest

from wattbook.drivers.plausible import Plausibility, bounds
from wattbook.model.vocabulary import all_names

START = datetime(2026, 11, 21, tzinfo=UTC)
ENERGY = "active_energy_import"


def suspects(*steps: tuple[float, float]) -> list[bool]:
    """Which of (second, Wh) are suspect, told one after the other."""
    plausibility = Plausibility()
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
    assert bool(Plausibility().doubt(START, {name: value, "current": 1.0})) is suspect


def test_every_quantity_has_bounds() -> None:
    assert all(its.least <= 0 <= its.greatest for its in map(bounds, all_names()))


def test_a_register_that_runs_backwards_is_suspect_once_and_does_not_spoil_the_next() -> None:
    assert suspects((0, 1000), (10, 900), (20, 1001)) == [False, True, False]


def test_a_jump_no_supply_could_make_is_suspect() -> None:
    assert suspects((0, 25_409_587), (10, 925_409_587), (20, 25_409_590)) == [False, True, False]


def test_a_replaced_meter_is_believed_from_its_second_reading() -> None:
    assert suspects((0, 1000), (10, 5), (20, 6), (30, 7)) == [False, True, False, False]


def test_readings_that_come_late_or_twice_are_no_offence() -> None:
    assert suspects((0, 1000), (10, 1005), (0, 1000), (5, 1002), (20, 1004)) == [False, False, False, False, True]
