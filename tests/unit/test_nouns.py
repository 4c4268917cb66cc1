"""Readings, batches, spans and the clock."""

from array import array
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.model import Batch, Columns, Quality, Reading, Span, SystemClock
from wattbook.model.batch import ABSENT, NO_DOUBT, from_ms, to_ms
from wattbook.model.clock import instant, kernel_synchronised, running_s

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)))
def test_milliseconds_and_back_lose_less_than_one(at: datetime) -> None:
    assert timedelta(0) <= at - from_ms(to_ms(at)) < timedelta(milliseconds=1)


def test_an_instant_is_cut_to_10_ms() -> None:
    assert instant(1_795_262_400.2399).microsecond == 230_000


def test_a_span_is_half_open_and_steps_cover_it() -> None:
    span = Span(NOON, NOON + timedelta(minutes=50))
    pieces = list(span.steps(timedelta(minutes=20)))
    assert NOON in span and span.end not in span
    assert [piece.duration for piece in pieces] == [timedelta(minutes=20), timedelta(minutes=20), timedelta(minutes=10)]
    assert pieces[0].start == span.start and pieces[-1].end == span.end


@pytest.mark.parametrize(("start", "end"), [(NOON, NOON - timedelta(1)), (datetime(2026, 1, 1), NOON)])
def test_a_reversed_or_naive_span_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="span"):
        Span(start, end)


def test_columns_give_back_readings_without_what_was_absent() -> None:
    columns = Columns(
        site="", meter="main-a",
        at_ms=array("q", [to_ms(NOON), to_ms(NOON) + 5000]), seq=array("q", [7, 9]),
        values={"voltage": array("d", [230.1, ABSENT]), "current": array("d", [ABSENT, 1.5])},
        quality=array("B", [0, 1]), doubt={"voltage": array("B", [1, NO_DOUBT])},
    )  # fmt: skip
    assert list(Batch((columns,), (), "9").readings()) == [
        Reading("main-a", NOON, {"voltage": 230.1}, doubt={"voltage": Quality.SUSPECT}),
        Reading("main-a", NOON + timedelta(seconds=5), {"current": 1.5}, Quality.SUSPECT),
    ]


class _Wall:
    """A wall clock and a monotonic one that a test moves."""

    def __init__(self, wall: float) -> None:
        self.wall, self.mono, self.synchronised = wall, 100.0, True

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


def _clock(hands: _Wall) -> SystemClock:
    return SystemClock(lambda: hands.wall, lambda: hands.mono, lambda: hands.mono, lambda: hands.synchronised)


def test_a_step_is_seen_only_when_the_clock_is_adjusted() -> None:
    hands = _Wall(NOON.timestamp())
    clock = _clock(hands)
    hands.pass_time(10)
    hands.wall -= 3600
    assert clock.now() == NOON + timedelta(seconds=10)
    step = clock.adjust()
    assert step is not None and step.by == timedelta(seconds=-3600) and not step.first_set
    assert clock.now() == NOON + timedelta(seconds=10 - 3600)


def test_drift_is_adopted_without_a_word() -> None:
    hands = _Wall(NOON.timestamp())
    clock = _clock(hands)
    hands.wall += 1.5
    assert clock.adjust() is None
    assert clock.now() == NOON + timedelta(seconds=1.5)


def test_a_clock_set_for_the_first_time_is_known() -> None:
    hands = _Wall(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
    clock = _clock(hands)
    hands.wall = NOON.timestamp()
    step = clock.adjust()
    assert step is not None and step.first_set


HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("at_start", "after_s", "by_s", "at_step", "first_set"),
    [
        (False, 30, 7200, True, True),  # a Raspberry Pi goes on from where it was switched off, until NTP answers
        (False, 30, 7200, False, True),  # a person sets it, or a program that tells the kernel later
        (False, 5 * HOUR_S, 7200, True, True),  # the network came back
        (False, 5 * HOUR_S, 7200, False, False),  # a person thought better of it
        (False, 25 * HOUR_S, 3, True, False),  # what a good clock drifted without a network
        (False, 30, -7200, True, False),  # a clock that goes on from the past is never ahead
        (True, 30, 7200, True, False),
        (True, 30, 7200, False, False),
    ],
)
def test_which_step_sets_a_clock_first(
    at_start: bool, after_s: float, by_s: float, at_step: bool, first_set: bool
) -> None:
    hands = _Wall(NOON.timestamp())
    hands.synchronised = at_start
    clock = _clock(hands)
    hands.pass_time(after_s)
    assert clock.adjust() is None
    hands.synchronised = at_step
    hands.wall += by_s
    step = clock.adjust()
    assert step is not None and (step.first_set, step.by.total_seconds()) == (first_set, by_s)
    hands.wall += 60
    again = clock.adjust()
    assert again is not None and not again.first_set  # a clock is first set once


def test_a_clock_that_was_found_to_be_right_is_set() -> None:
    hands = _Wall(NOON.timestamp())
    hands.synchronised = False
    clock = _clock(hands)
    hands.synchronised = True  # it was right to the second, so nothing stepped
    assert clock.adjust() is None
    hands.wall += 60
    step = clock.adjust()
    assert step is not None and not step.first_set


def test_this_machine_tells_whether_its_clock_is_kept_and_runs_on() -> None:
    assert kernel_synchronised() in (True, False)
    before = running_s()
    assert running_s() >= before
    assert abs((SystemClock().now() - datetime.now(UTC)).total_seconds()) < 60
