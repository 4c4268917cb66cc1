"""What the events of a meter's life mean for one of its quantities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from wattbook.codecs.reading_json import format_instant
from wattbook.model import EnergyQuality, Event
from wattbook.model.batch import AFTER_ALL_MS, BEFORE_ALL_MS, to_ms
from wattbook.store.history import Knots, energy_of_steps
from wattbook.store.life import Break, lived, within
from wattbook.store.overlay import overlaid

START = datetime(2026, 11, 21, tzinfo=UTC)
ENERGY, EXPORT = "active_energy_import", "active_energy_export"


def event(kind: str, minute: float, *, seq: int = 0, **body: Any) -> Event:
    since = format_instant(START + timedelta(minutes=minute))
    return Event(f"meter.{kind}", "m", START, {"from": since, **body}, "anna", seq)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"swap": True}, {ENERGY: EXPORT, EXPORT: ENERGY, "active_energy_import_l1_t2": "active_energy_export_l1_t2"}),
        ({"swap": True}, {"active_power": "active_power", "voltage": "voltage"}),
        ({"turn": True}, {ENERGY: EXPORT, "active_power": "-active_power", "voltage_l1": "voltage_l1"}),
        ({"turn": True}, {"active_power_max": "-active_power_min", "power_factor_l1": "-power_factor_l1"}),
        ({"turn": True, "swap": True}, {ENERGY: ENERGY, "active_power": "-active_power"}),
        (
            {"phases": ["l2", "l3", "l1"]},
            {"voltage_l1": "voltage_l2", "current_l3": "current_l1", "voltage": "voltage"},
        ),
        ({}, {ENERGY: ENERGY}),
    ],
)
def test_wiring(body: Mapping[str, Any], told: Mapping[str, str]) -> None:
    life = lived([event("rewired", 0, **body)])
    for name, expected in told.items():
        era = life.eras(name)[-1]
        assert ("-" if era.factor < 0 else "") + era.told_as == expected
        assert life.eras(name)[0].told_as == name


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("current_l1", 40), ("voltage", 10), ("active_power", 400), (ENERGY, 400), ("apparent_energy", 400),
        ("frequency", 1), ("power_factor", 1), ("operating_time", 1), ("nonsense", 1),
    ],
)  # fmt: skip
def test_a_ratio_is_for_what_goes_through_transformers(name: str, factor: float) -> None:
    life = lived([event("ratio", 5, ct=40, pt=10), event("ratio", 9, ct=1, pt=1)])
    expected = [1, 1] if factor == 1 else [1, factor, 1]
    assert [era.factor for era in life.eras(name)] == (expected if factor != 1 else [1.0])


def test_eras_are_cut_to_what_is_asked() -> None:
    life = lived([event("ratio", 5, ct=40)])
    start = to_ms(START)
    assert [(era.from_ms, era.to_ms) for era in life.eras("current")] == [
        (BEFORE_ALL_MS, start + 300_000),
        (start + 300_000, AFTER_ALL_MS),
    ]
    cut = list(within(life.eras("current"), start + 400_000, start + 500_000))
    assert [(era.from_ms, era.to_ms, era.factor) for era in cut] == [(start + 400_000, start + 500_000, 40.0)]


def test_undone_events_do_not_hold_and_the_last_of_an_instant_does() -> None:
    events = [
        event("replaced", 5, seq=1, registers={ENERGY: {"before": 1, "after": 2}}),
        event("replaced", 5, seq=2, registers={ENERGY: {"before": 3}}),
        event("reset", 4, seq=3, registers={ENERGY: {"after": 0}}),
        Event("meter.undone", "m", START, {"undoes": 3}, seq=4),
        event("moved", 1, seq=5, location="hall 2"),
        Event("meter.reset", "m", START, {"before": {}, "after": {}}, seq=6),  # written before registers were named so
    ]
    life = lived(events)
    assert life.breaks(ENERGY) == [Break(to_ms(START) + 300_000, 3, None)]
    assert life.locations() == [(START + timedelta(minutes=1), "hall 2")]


MINUTE = 60_000


def energy(steps: list[tuple[int, float]], breaks: list[Break], edges: list[int]) -> list[tuple[float, EnergyQuality]]:
    at = np.array([minute * MINUTE for minute, _ in steps], np.int64)
    knots = Knots(at, np.array([value for _, value in steps], np.float64))
    series = energy_of_steps(overlaid(knots, breaks, MINUTE), [minute * MINUTE for minute in edges], MINUTE)
    return [(point.value, point.quality) for point in series]  # type: ignore[misc]


M, S, E = EnergyQuality.MEASURED, EnergyQuality.SPREAD, EnergyQuality.ESTIMATED
STEPS = [(0, 100.0), (1, 110.0), (2, 5.0), (3, 6.0)]


@pytest.mark.parametrize(
    ("brk", "first", "second"),
    [
        (Break(90_000, 113, 2), (10, M), (3 + 3 + 1, M)),  # between two readings, all of it known
        (Break(90_000, 113, None), (10, M), (3 + 1, E)),
        (Break(90_000, None, 2), (10, M), (3 + 1, E)),
        (Break(90_000, None, None), (10, M), (1, E)),
        (Break(120_000, 113, 2), (10, M), (3 + 3 + 1, M)),  # at a reading: that one comes after it
        (Break(120_000, None, 0), (10, M), (5 + 1, E)),
        (Break(90_000, 1000, 0, dated=False), (10, M), (890 + 5 + 1, M)),
        (Break(240_000, 7, 2), (10, M), (1, E)),  # after all: the fall before it is none of its doing
    ],
)
def test_a_register_counts_on_over_a_break(
    brk: Break, first: tuple[float, EnergyQuality], second: tuple[float, EnergyQuality]
) -> None:
    assert energy(STEPS, [brk], [0, 1, 3]) == [first, second]


def test_two_replacements_without_a_reading_between_them() -> None:
    breaks = [Break(70_000, 113, 1000), Break(90_000, 1020, 2)]
    assert energy(STEPS, breaks, [0, 3]) == [(10 + 3 + 20 + 3 + 1, M)]


def test_a_new_meter_counts_from_its_first_value_on() -> None:
    assert energy([(3, 6.0), (4, 7.0)], [Break(120_000, None, 2)], [2, 4]) == [(5, M)]


def test_a_replacement_in_a_gap_is_spread() -> None:
    assert energy([(0, 100.0), (60, 50.0)], [Break(30 * MINUTE, 130, 0)], [0, 15, 30, 60]) == [
        (15, S),
        (15, S),
        (50, S),
    ]
