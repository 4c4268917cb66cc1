"""The past of the simulated house: what its meters would have told, and what they go on with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from wattbook.model import Columns
from wattbook.model.batch import from_ms
from wattbook.simulate.days import habits, weather
from wattbook.simulate.house import House
from wattbook.simulate.load import DAYS as CYCLE
from wattbook.simulate.past import DAYS, FINE_DAYS, make_past

UNTIL = datetime(2026, 11, 28, 12, 34, 56, tzinfo=UTC)
HOUSE = House()


@pytest.fixture(scope="module")
def past() -> dict[str, Columns]:
    return {columns.meter: columns for columns in make_past(HOUSE, UNTIL)}


def register(columns: Columns, name: str = "active_energy_import") -> np.ndarray:
    return np.frombuffer(columns.values[name])


def test_every_meter_of_the_house_has_one(past: dict[str, Columns]) -> None:
    assert past.keys() == HOUSE.meters.keys()


def test_it_ends_within_minutes_before_the_start_and_begins_400_days_earlier(past: dict[str, Columns]) -> None:
    for name, columns in past.items():
        first, last = from_ms(columns.at_ms[0]), from_ms(columns.at_ms[-1])
        assert timedelta(0) < UNTIL - last < timedelta(minutes=12), name
        assert timedelta(days=DAYS - 1) < UNTIL - first <= timedelta(days=DAYS), name
        assert (np.diff(columns.at_ms) > 0).all()


def test_registers_never_go_backwards_and_go_on_in_the_live_ones(past: dict[str, Columns]) -> None:
    for name, columns in past.items():
        counted = register(columns)
        assert (np.diff(counted) >= 0).all(), name
        last = from_ms(columns.at_ms[-1])
        live = HOUSE.meters[name].value("active_energy_import", last)
        after = HOUSE.meters[name].value("active_energy_import", UNTIL)
        assert live is not None and after is not None
        assert 0 <= live - counted[-1] < 1 + 1e-6, name  # told in whole Wh, never more than the meter will show
        assert counted[-1] <= after


def test_what_it_tells_is_what_the_house_says_at_that_instant(past: dict[str, Columns]) -> None:
    for name, columns in past.items():
        for row in range(0, len(columns), len(columns) // 50):
            exact = HOUSE.meters[name].value("active_energy_import", from_ms(columns.at_ms[row]))
            assert exact == pytest.approx(register(columns)[row], abs=1.001), name


def test_tariffs_add_up(past: dict[str, Columns]) -> None:
    main = past["utility"]
    parts = register(main, "active_energy_import_t1") + register(main, "active_energy_import_t2")
    assert (np.abs(parts - register(main)) <= 1).all()


def test_a_year_is_that_of_a_house_with_a_heat_pump(past: dict[str, Columns]) -> None:
    a_day = {name: (register(columns)[-1] - register(columns)[0]) / DAYS / 1000 for name, columns in past.items()}
    assert 25 < a_day["utility"] < 50  # kWh
    assert a_day["utility"] == pytest.approx(a_day["main-a"] + a_day["main-b"], abs=0.5)
    assert 10 < a_day["heat-pump"] < 22
    january, july = (_month(past["heat-pump"], month) for month in (1, 7))
    assert january > 3 * july > 0


def _month(columns: Columns, month: int) -> float:
    edges = [datetime(2026, each, 1, tzinfo=UTC).timestamp() * 1000 for each in (month, month + 1)]
    first, last = np.searchsorted(columns.at_ms, edges)
    return float(register(columns)[last] - register(columns)[first])


def test_days_differ_and_a_week_later_is_not_the_same() -> None:
    assert len(set(weather(1))) > CYCLE * 0.9
    assert all(0.1 < factor < 3 for factor in (*weather(1), *habits(1, "leg a")))
    assert habits(1, "leg a") != habits(1, "leg b") != habits(2, "leg b")


def test_the_last_two_weeks_are_finer_and_show_the_failures(past: dict[str, Columns]) -> None:
    legs = past["main-a"]
    fine = np.array(legs.at_ms) >= (UNTIL - timedelta(days=FINE_DAYS)).timestamp() * 1000
    distances = np.diff(np.array(legs.at_ms)[fine])
    assert np.median(distances) == 60_000
    assert (distances > 60_000).sum() > FINE_DAYS * 100  # a failure in every slot
    assert np.median(np.diff(np.array(legs.at_ms)[~fine])) == 600_000


def test_now_and_then_a_meter_tells_nothing_for_hours(past: dict[str, Columns]) -> None:
    longest = {name: np.diff(columns.at_ms).max() / 3_600_000 for name, columns in past.items()}
    assert all(0.5 < hours <= 6 for name, hours in longest.items() if name != "generator"), longest
