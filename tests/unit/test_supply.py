"""What is decided about the source of the energy, case by case."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from supply_house import RULE, START, at, evidence, history, in_short, reading, told
from wattbook.engine.supply import Evidence, Memory, Supply, SupplyRule, patience_s
from wattbook.model import Quality, Reading
from wattbook.model.batch import to_ms

Told = Sequence[tuple[str, float, float]]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([("utility", 0, 60)], [("utility", 0)]),
        ([("generator", 0, 60)], [("generator", 0.2)]),
        ([("utility", 0, 60), ("generator", 60, 120)], [("utility", 0), ("generator", 60.2)]),
        # The utility's legs have voltage all the time; it feeds again once the generator's meter tells 0 A.
        (
            [("utility", 0, 60), ("generator", 60, 120), ("utility", 120, 180)],
            [("utility", 0), ("generator", 60.2), ("utility", 120.2)],
        ),
        # Five seconds of nothing are no dark span; a minute is, from the last word on.
        ([("utility", 0, 60), ("generator", 65, 120)], [("utility", 0), ("generator", 65.2)]),
        (
            [("utility", 0, 60), ("dark", 60, 180), ("generator", 180, 240)],
            [("utility", 0), ("dark", 55.1), ("generator", 180.2)],
        ),
        (
            [("utility", 0, 60), ("dark", 60, 180), ("utility", 180, 240)],
            [("utility", 0), ("dark", 55.1), ("utility", 180)],
        ),
        ([("dark", 0, 200)], [("dark", 0)]),
    ],
)
def test_the_house_of_the_seed(spans: Told, expected: list[tuple[str, float]]) -> None:
    readings = [each for span in spans for each in told(*span)]
    assert in_short(history(readings, until=max(end for _, _, end in spans))) == expected


def test_voltage_alone_proves_nothing_while_the_generator_gives_current() -> None:
    readings = [*told("generator", 0, 60)]
    assert all(each.values["voltage"] > 100 for each in readings)
    assert in_short(history(readings, until=60)) == [("generator", 0.2)]


def test_a_generator_whose_meter_dies_with_it_gives_way_to_the_utility() -> None:
    """As in the demo: each meter lives on what it measures, and one that was silent is found up to 30 s later."""
    readings = [
        *told("utility", 0, 60, meters=("main-a", "main-b")),
        *(reading("generator", 68 + number) for number in range(67)),
        *told("utility", 165, 240, meters=("main-a", "main-b")),
    ]
    assert in_short(history(readings, until=240)) == [("utility", 0), ("generator", 68), ("utility", 165)]


def test_an_idling_generator_is_told_apart_by_the_current_that_is_set() -> None:
    idle = [reading("generator", 5.0 * number, amps=0.8) for number in range(20)]
    legs = [*told("utility", 0, 100, meters=("main-a", "main-b"))]
    high = SupplyRule(RULE.utility, RULE.generator, generator_current=1.0)
    assert in_short(history([*legs, *idle], until=100)) == [("generator", 0)]
    assert in_short(history([*legs, *idle], until=100, rule=high)) == [("utility", 0)]


@pytest.mark.parametrize(
    ("values", "doubt", "feeds"),
    [
        ({"voltage": 120.0, "current": 0.0}, {}, True),
        ({"voltage": 79.9}, {}, False),
        ({"voltage_l1": 0.0, "voltage_l2": 2.0, "voltage_l3": 229.0}, {}, True),
        ({"active_energy_import": 5.0}, {}, True),
        ({"voltage": 120.0}, {"voltage": Quality.SUSPECT}, None),
        ({}, {}, None),
    ],
)
def test_what_the_utility_s_meter_says(values: dict[str, float], doubt: dict[str, Quality], feeds: bool | None) -> None:
    said = RULE.evidence(Reading("main-a", START, values, doubt=doubt))
    assert (said and said.feeds) == feeds


@pytest.mark.parametrize(
    ("values", "feeds"),
    [
        ({"current": 0.3}, False),
        ({"current": 0.31}, True),
        ({"current_l1": 0.0, "current_l2": 4.0, "current_l3": 0.0}, True),
        ({"voltage": 120.0}, None),
    ],
)
def test_what_the_generator_s_meter_says(values: dict[str, float], feeds: bool | None) -> None:
    said = RULE.evidence(Reading("generator", START, values))
    assert (said and said.feeds) == feeds


def test_another_meter_says_nothing() -> None:
    assert RULE.evidence(reading("heat-pump", 0)) is None


def test_what_comes_late_changes_nothing() -> None:
    supply = Supply(RULE, Memory())
    supply.begin(to_ms(START), boot="")
    assert in_short(supply.take(evidence(told("utility", 0, 600)))) == [("utility", 0)]
    assert supply.take(evidence(told("generator", 100, 400))) == []
    assert supply.take(evidence(told("utility", 600, 660))) == []


def test_a_dark_span_of_a_machine_that_was_off_is_told_once() -> None:
    supply = Supply(RULE, Memory())
    supply.begin(to_ms(START), boot="first")
    supply.take(evidence(told("utility", 0, 60)))
    supply.begin(to_ms(at(600)), boot="second")
    assert supply.take((), until=to_ms(at(599))) == []  # nobody has had the time to speak
    events = [*supply.take(evidence(told("generator", 601, 661))), *supply.take(evidence(told("generator", 661, 700)))]
    assert in_short(events) == [("dark", 55.1), ("generator", 601.2)]
    dark, generator = events
    assert dark.body["to"] == "2026-11-21T12:10:01.000Z" and dark.body["reason"] == "this machine was off"
    assert (generator.body["was"], generator.body["was_since"]) == ("dark", "2026-11-21T12:00:55.100Z")


def test_a_machine_that_runs_without_power_tells_that_the_house_is_still_dark() -> None:
    supply = Supply(RULE, Memory())
    supply.begin(to_ms(START), boot="first")
    supply.take(evidence(told("utility", 0, 60)))
    supply.begin(to_ms(at(600)), boot="second")
    assert in_short(supply.take((), until=to_ms(at(640)))) == []
    (dark,) = supply.take((), until=to_ms(at(700)))
    assert in_short([dark]) == [("dark", 55.1)] and dark.body["to"] is None


def test_while_wattbook_alone_was_off_nobody_knows() -> None:
    supply = Supply(RULE, Memory())
    supply.begin(to_ms(START), boot="first")
    supply.take(evidence(told("utility", 0, 60)))
    supply.begin(to_ms(at(600)), boot="first")
    events = supply.take(evidence(told("utility", 601, 661)))
    assert in_short(events) == [("unknown", 55.1), ("utility", 601)]
    assert events[0].body["reason"] == "wattbook was not running"


def test_a_short_restart_leaves_the_state_and_its_begin() -> None:
    supply = Supply(RULE, Memory())
    supply.begin(to_ms(START), boot="first")
    supply.take(evidence(told("utility", 0, 60)))
    supply.begin(to_ms(at(64)), boot="first")
    assert supply.take(evidence(told("utility", 65, 120))) == []
    assert supply.memory.since == to_ms(START)


def test_a_clock_that_is_set_back_does_not_stop_the_deciding() -> None:
    supply = Supply(RULE, Memory())
    supply.begin(to_ms(START), boot="")
    supply.take(evidence(told("utility", 7200, 7260)))
    supply.shift(-3_600_000)
    assert in_short(supply.take(evidence(told("generator", 3660, 3720)))) == [("generator", 3660.2)]


def test_many_readings_at_one_instant_are_bounded() -> None:
    supply = Supply(RULE, Memory())
    supply.begin(to_ms(START), boot="")
    supply.take([Evidence(to_ms(START) + 1 + number % 7, "main-a", True) for number in range(5000)])
    assert len(supply.memory.pending) <= 1000


@pytest.mark.parametrize(("every_s", "seconds"), [(0.0, 10.0), (1.0, 10.0), (5.0, 15.0), (300.0, 900.0)])
def test_how_long_a_meter_s_word_is_good(every_s: float, seconds: float) -> None:
    assert patience_s(every_s) == seconds
