"""Who is asked when: aligned to the clock, fair, patient with the slow and short with the silent."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.engine.schedule import (
    BACKOFF_S_MAX,
    STRANGER_AFTER_S,
    TIMEOUT_S_KNOWN_MAX,
    TIMEOUT_S_MAX,
    TIMEOUT_S_MIN,
    Patience,
    Schedule,
    until_slot,
)

BOOT = datetime(2026, 11, 21, 8, 0, 1, 300_000, UTC)


def at(now: float) -> datetime:
    return BOOT + timedelta(seconds=now)


@given(st.sampled_from((1.0, 5.0, 15.0, 60.0, 900.0, 0.2)), st.floats(1.7e9, 1.9e9))
def test_slots_are_multiples_of_the_period(every_s: float, wall_s: float) -> None:
    wait_s = until_slot(every_s, wall_s)
    assert 0 < wait_s <= every_s + 0.0011
    off = (wall_s + wait_s) % every_s
    assert min(off, every_s - off) < 1e-4


def test_every_5_s_means_on_the_fives() -> None:
    schedule = Schedule({"m": 5.0}, now=0.0)
    assert schedule.next() == ("m", 0.0)  # the first is asked at once
    schedule.answered("m", 0.04, at(0.04))
    due = schedule.next()
    assert due is not None
    assert at(due[1]) == BOOT.replace(second=5, microsecond=0)
    # A slot that passed while others were asked is skipped, not made up for.
    schedule.answered("m", 14.0, at(14.0))
    due = schedule.next()
    assert due is not None
    assert at(due[1]).second == 20


@given(st.integers(1, 8), st.integers(20, 200))
def test_meters_of_a_full_line_take_turns(meters: int, polls: int) -> None:
    schedule = Schedule({f"m{n}": 0.0 for n in range(meters)}, now=0.0)
    asked: Counter[str] = Counter()
    now = 0.0
    for _ in range(polls):
        name, due = schedule.next() or ("", 0.0)
        assert due <= now
        now += 0.04
        asked[name] += 1
        schedule.answered(name, now, at(now))
    assert max(asked.values()) - min(asked[f"m{n}"] for n in range(meters)) <= 1


def test_meters_with_a_period_are_not_starved_by_those_without() -> None:
    schedule = Schedule({"often": 0.0, "slow": 5.0}, now=0.0)
    now, asked = 0.0, []
    while now < 60:
        name, due = schedule.next() or ("", 0.0)
        now = max(now, due) + 0.04
        if name == "slow":
            asked.append(now)
        schedule.answered(name, now, at(now))
    assert len(asked) == 13
    assert all(at(instant).second % 5 == 0 for instant in asked[1:])


def poll_four(seconds: float, silent_from: float) -> dict[str, list[float]]:
    """Four slaves on one line at 9600 Bd on a virtual clock; one falls silent."""
    poll_s = 0.0396
    names = [f"m{n}" for n in range(4)]
    schedule, patience = Schedule(dict.fromkeys(names, 0.0), 0.0), {name: Patience() for name in names}
    heard: dict[str, list[float]] = {name: [] for name in names}
    now = 0.0
    while now < seconds:
        name, due = schedule.next() or ("", 0.0)
        now = max(now, due)
        mine = patience[name]
        if name == "m1" and now >= silent_from:
            now += 0.0083 + mine.timeout_s(now)
            schedule.put_off(name, now, mine.failed(at_once=False))
        else:
            now += poll_s
            mine.answered(0.008, now)
            heard[name].append(now)
            schedule.answered(name, now, at(now))
    return heard


def test_a_silent_slave_costs_the_others_less_than_a_tenth() -> None:
    heard = poll_four(20, silent_from=5)
    others = [heard[name] for name in ("m0", "m2", "m3")]
    after = [sum(instant >= 5 for instant in instants) for instants in others]
    assert sum(after) >= 0.9 * 15 / 0.0396
    assert all(later - earlier <= 0.3 for one in others for earlier, later in itertools.pairwise(one))


def test_set_aside_longer_each_time_and_forgiven_at_once() -> None:
    patience = Patience()
    delays = [patience.failed(at_once=False) for _ in range(9)]
    assert delays == [0.5, 1, 2, 4, 8, 16, BACKOFF_S_MAX, BACKOFF_S_MAX, BACKOFF_S_MAX]
    patience.answered(0.01, 100.0)
    assert not patience.away
    assert [patience.failed(at_once=True) for _ in range(3)] == [0.0, 0.5, 1.0]
    assert patience.away


def test_time_outs_follow_the_slave() -> None:
    quick, slow, stranger = Patience(), Patience(), Patience()
    quick.answered(0.005, 0.0)
    slow.answered(0.3, 0.0)
    assert quick.timeout_s(1.0) == TIMEOUT_S_MIN
    assert 0.6 <= slow.timeout_s(1.0) <= 1.0
    for patience in (quick, slow, stranger):
        patience.failed(at_once=False)
    assert quick.timeout_s(1.0) == TIMEOUT_S_KNOWN_MAX
    assert slow.timeout_s(1.0) >= 0.6
    # One never heard may be slow: it gets its chance, in bounds.
    waits = []
    for _ in range(8):
        waits.append(stranger.timeout_s(1.0))
        stranger.failed(at_once=False)
    assert max(waits) == TIMEOUT_S_MAX
    assert max(quick.timeout_s(STRANGER_AFTER_S + n) for n in range(1, 3)) > TIMEOUT_S_MIN


def test_late_answers_raise_the_time_out_at_once_and_it_comes_down_slowly() -> None:
    patience = Patience()
    patience.answered(0.005, 0.0)
    patience.answered(0.2, 1.0)
    assert patience.timeout_s(1.0) > 0.6
    for n in range(300):
        patience.answered(0.005, float(n))
    assert patience.timeout_s(1.0) == pytest.approx(TIMEOUT_S_MIN)


def test_meters_come_and_go() -> None:
    schedule = Schedule({}, now=0.0)
    assert schedule.next() is None
    schedule.add("m", 0.0, 3.0)
    assert schedule.next() == ("m", 3.0)
    schedule.remove("m")
    assert schedule.next() is None


@given(
    st.lists(st.sampled_from((0.0, 0.0, 0.2, 1.0, 5.0, 60.0)), min_size=2, max_size=9),
    st.lists(st.floats(0.01, 0.6), min_size=1, max_size=9),
    st.integers(50, 300),
)
def test_nobody_starves_whatever_the_rates(every_s: list[float], takes_s: list[float], turns: int) -> None:
    """On a line too slow for all of them, a meter that is due waits for one turn of each of the others at most."""
    schedule = Schedule({f"m{n}": every for n, every in enumerate(every_s)}, now=0.0)
    now, dues = 0.0, dict.fromkeys((f"m{n}" for n in range(len(every_s))), 0.0)
    passed_over: Counter[str] = Counter()
    for _ in range(turns):
        name, due = schedule.next() or ("", 0.0)
        now = max(now, due)
        passed_over.update(other for other, due in dues.items() if due <= now and other != name)
        passed_over[name] = 0
        assert max(passed_over.values()) <= len(every_s) - 1
        now += takes_s[int(name[1:]) % len(takes_s)]
        schedule.answered(name, now, at(now))
        dues[name] = now + until_slot(every_s[int(name[1:])], at(now).timestamp())


def test_the_operators_own_patience() -> None:
    eager, strict = Patience(retries=3), Patience(retries=0, fixed_s=0.25)
    assert [eager.failed(at_once=True) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert eager.away
    assert strict.failed(at_once=True) == 0.5
    assert strict.timeout_s(0.0, least_s=0.5) == strict.timeout_s(1000.0) == 0.25
    assert Patience().timeout_s(0.0, least_s=0.5) == 0.5


def test_who_is_answered_late_is_waited_for_until_it_answers_in_time() -> None:
    usual, strict = Patience(late=True), Patience(fixed_s=0.25, late=True)
    assert (usual.timeout_s(0.0), strict.timeout_s(0.0)) == (4.0, 0.25)
    usual.answered(0.02, 1.0)
    assert usual.timeout_s(1.0) < 0.2
