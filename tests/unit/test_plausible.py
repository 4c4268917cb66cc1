"""What is believed of a meter's values, and what a register that goes elsewhere is taken for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from wattbook.engine.plausible import IN_A_ROW, SMALL_IN_A_ROW, MeterJudge, bounds
from wattbook.engine.recognise_break import Told, recognise
from wattbook.model import Quality, Reading
from wattbook.model.vocabulary import all_names

START = datetime(2026, 11, 21, tzinfo=UTC)
ENERGY = "active_energy_import"
HOUSE = 100_000.0
SUSPECT = Quality.SUSPECT


def told(second: float, values: Mapping[str, float], **more: object) -> Reading:
    return Reading("m", START + timedelta(seconds=second), values, **more)  # type: ignore[arg-type]


def suspects(*steps: tuple[float, float], judge: MeterJudge | None = None) -> list[bool]:
    """Which of (second, Wh) are suspect, told one after the other."""
    judge = judge or MeterJudge(HOUSE)
    return [bool(judge.judge(told(second, {ENERGY: wh})).doubt) for second, wh in steps]


@pytest.mark.parametrize(
    ("name", "value", "suspect"),
    [
        ("voltage", 230.1, False), ("voltage", 2e6, True), ("frequency", -1, True), ("frequency", 0, False),
        ("power_factor", 1.0, False), ("power_factor_l1", 1.01, True), ("active_power", -5e8, False),
        ("active_power", 2e9, True), (ENERGY, -1, True), ("error_bits", 4.0, False), ("temperature", -400, False),
    ],
)  # fmt: skip
def test_bounds(name: str, value: float, suspect: bool) -> None:
    assert bool(MeterJudge(1e9).judge(told(0, {name: value, "current": 1.0})).doubt) is suspect


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


def test_more_power_than_the_connection_can_carry_is_suspect() -> None:
    verdict = MeterJudge(HOUSE).judge(told(0, {"active_power": 900_300, "active_power_l1": -100.0}))
    assert verdict.doubt == {"active_power": SUSPECT}


def test_a_reset_is_believed_when_three_readings_agree() -> None:
    assert suspects((0, 1000), (10, 0), (20, 1), (30, 2), (40, 3), (50, 3)) == [False, True, True, True, False, False]


def test_what_is_only_to_be_proposed_stays_in_doubt() -> None:
    steps = [(0.0, 1000.0), *((10.0 * n, float(n)) for n in range(1, 9))]
    assert suspects(*steps, judge=MeterJudge(HOUSE, apply=False)) == [False, *[True] * 8]


def test_another_meter_is_left_to_people_and_told_once() -> None:
    judge = MeterJudge(HOUSE)
    verdicts = [judge.judge(told(0, {ENERGY: 25_409_587}))]
    verdicts += [judge.judge(told(10 * n, {ENERGY: 7_000_000 + n})) for n in range(1, 9)]
    assert [bool(each.doubt) for each in verdicts] == [False, *[True] * 8]
    found = [(place, each.found[ENERGY].kind) for place, each in enumerate(verdicts) if each.found]
    assert found == [(IN_A_ROW, "step")]


def test_a_small_fall_that_the_meter_makes_up_for_is_not_worth_a_word() -> None:
    judge = MeterJudge(HOUSE)
    readings = [told(0, {ENERGY: 5000}), *(told(10 * n, {ENERGY: 4990 + n}) for n in range(1, 30))]
    verdicts = [judge.judge(each) for each in readings]
    assert not any(each.found for each in verdicts)
    assert [bool(each.doubt) for each in verdicts] == [False, *[True] * 9, *[False] * 20]
    judge = MeterJudge(HOUSE)
    readings = [told(0, {ENERGY: 5000}), *(told(10 * n, {ENERGY: 4000}) for n in range(1, SMALL_IN_A_ROW + 1))]
    assert judge.judge(readings[0]).doubt == {}
    assert [place for place, each in enumerate(readings[1:], 1) if judge.judge(each).found] == [SMALL_IN_A_ROW]


def test_readings_that_come_late_or_twice_are_no_offence() -> None:
    assert suspects((0, 1000), (10, 1005), (0, 1000), (5, 1002), (20, 1004)) == [False, False, False, False, True]
    assert suspects((0, 1000), (100, 1005), (50, 900_000)) == [False, False, True]
    assert suspects((200_000, 1000), (0, 900_000)) == [False, False]  # history: its own life is not known here


def test_what_came_as_suspect_stays_so_and_teaches_nothing() -> None:
    judge = MeterJudge(HOUSE)
    assert judge.judge(told(0, {ENERGY: 9e9}, quality=SUSPECT)).doubt == {}
    assert judge.judge(told(1, {ENERGY: 8e9}, doubt={ENERGY: SUSPECT})).doubt == {}
    assert judge.judge(told(2, {ENERGY: 1000})).doubt == {}
    assert judge.judge(told(3, {ENERGY: 1001, "voltage": 9e9}, doubt={ENERGY: SUSPECT})).doubt == {
        ENERGY: SUSPECT,
        "voltage": SUSPECT,
    }


def test_a_judge_knows_what_it_was_told_at_the_start_of_a_run() -> None:
    judge = MeterJudge(HOUSE)
    judge.seed(ENERGY, START, 5_000_000)
    assert suspects((10, 100), (20, 5_000_001), judge=judge) == [True, False]
    judge.seed(ENERGY, START, 5_000_000, since=START - timedelta(hours=1))
    assert suspects((-7200, 80_000_000), (-1800, 80_000_000), judge=judge) == [False, True]  # before: another counter
    judge.forget()
    assert suspects((30, 7), judge=judge) == [False]


@pytest.mark.parametrize(
    ("before", "first", "away_s", "modulus", "kind"),
    [
        (99_999_990, 20, 60, None, "rollover"),
        (99_999_990, 20, 60, 100_000_000.0, "rollover"),
        (42_949_672_950, 10, 60, None, "rollover"),  # 32 bits of 10 Wh
        (655_300, 50, 60, 655_360.0, "rollover"),  # 16 bits of 10 Wh, which nobody would guess
        (655_300, 50, 60, None, "reset"),
        (80_000_000, 20, 60, 100_000_000.0, "reset"),  # not near its end
        (99_000_000, 20, 60, 100_000_000.0, "reset"),  # near, but no supply makes 1 MWh in a minute
        (25_409_587, 0, 5, None, "reset"),
        (25_409_587, 2_500, 3600, None, "reset"),
        (25_409_587, 20_000, 60, None, "step"),
        (25_409_587, 2_000_000, 864_000, None, "step"),  # away for ten days: another meter
        (500, 0, 5, None, "reset"),
        (500, 490, 5, None, "step"),
        (1000, 5_000_000, 60, None, "step"),
    ],
)
def test_what_a_register_has_done(before: float, first: float, away_s: float, modulus: float | None, kind: str) -> None:
    assert recognise(Told(0.0, before), Told(away_s, first), HOUSE / 60, HOUSE / 3600, modulus).kind == kind
