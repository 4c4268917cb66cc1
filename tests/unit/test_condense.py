"""Intervals of sinks: where they begin and end."""

from array import array
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from wattbook.engine.condense import Intervals
from wattbook.model import Columns
from wattbook.model.batch import GOOD_CODE, to_ms
from wattbook.model.era import ERA

PRAGUE = ZoneInfo("Europe/Prague")
NOON_MS = to_ms(datetime(2026, 11, 28, 12, tzinfo=PRAGUE))


@pytest.mark.parametrize("every_s", [1, 2, 3, 5, 7, 60, 900, 3600, 86400])
def test_an_interval_of_any_length_holds_its_instant_and_begins_anew_at_midnight(every_s: int) -> None:
    intervals = Intervals.remember(every_s, PRAGUE, "")
    midnight_ms = NOON_MS - 12 * 3_600_000
    for at_ms in (
        NOON_MS,
        NOON_MS + 1,
        NOON_MS - 86_400_000 * 9,
        midnight_ms - 1,
        midnight_ms,
        NOON_MS + every_s * 1000,
    ):
        start, end = intervals.span_of(at_ms)
        assert start <= at_ms < end <= start + every_s * 1000
    assert intervals.span_of(midnight_ms)[0] == midnight_ms == intervals.span_of(midnight_ms - 1)[1]


def test_a_day_whose_clocks_change_is_one_interval() -> None:
    start = to_ms(datetime(2026, 10, 25, tzinfo=PRAGUE))
    assert Intervals.remember(86400, PRAGUE, "").span_of(start + 1) == (start, start + 25 * 3_600_000)


@pytest.mark.parametrize("every_s", [1, 900, 86400])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Prague", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("at", [ERA.start, ERA.end - timedelta(milliseconds=1)])
def test_the_first_and_the_last_instant_have_their_intervals(every_s: int, zone: str, at: datetime) -> None:
    start, end = Intervals.remember(every_s, ZoneInfo(zone), "").span_of(to_ms(at))
    assert start <= to_ms(at) < end <= start + every_s * 1000


def touched(intervals: Intervals, *minutes: int) -> Intervals:
    """With a reading so many minutes after noon each."""
    at_ms = array("q", (NOON_MS + minute * 60_000 for minute in minutes))
    count = len(minutes)
    values, quality = {"voltage": array("d", [230.0] * count)}, array("B", [GOOD_CODE] * count)
    intervals.touch(Columns("", "m", at_ms, array("q", range(count)), values, quality))
    return intervals


@pytest.mark.parametrize(
    ("before_s", "now_s", "minutes"),
    [
        (3600, 900, [0, 15, 30, 45]),
        (900, 3600, [0]),
        (900, 1200, [0, 20, 40]),
        (3600, 86400, [-720]),
        (1, 86400, [-720]),
        (3600, 3600, [0]),
    ],
)
def test_an_open_interval_is_covered_by_those_of_other_settings(before_s: int, now_s: int, minutes: list[int]) -> None:
    kept = touched(Intervals.remember(before_s, PRAGUE, ""), 5, 20, 40).text
    now = Intervals.remember(now_s, PRAGUE, kept)
    assert now.open["", "m"] == [NOON_MS + minute * 60_000 for minute in minutes]
    assert Intervals.remember(now_s, PRAGUE, now.text).open == now.open


def test_a_day_that_is_open_is_covered_by_all_its_seconds() -> None:
    kept = touched(Intervals.remember(86400, PRAGUE, ""), 5).text
    starts = Intervals.remember(1, PRAGUE, kept).open["", "m"]
    assert starts == [NOON_MS + second * 1000 for second in range(-43_200, 43_200)]


@pytest.mark.parametrize(
    ("count", "now_s", "minutes"), [(3600, 900, [0, 15, 30, 45]), (1, 1, [0]), (1, 43200, [0, 720]), (1, 86400, [0])]
)
def test_a_state_without_a_unit_is_read(count: int, now_s: int, minutes: list[int]) -> None:
    noon_or_midnight_ms = NOON_MS if count > 1 else NOON_MS - 43_200_000
    kept = f'{{"s":{{}},"o":{{"/m":[{noon_or_midnight_ms}]}},"e":{count}}}'
    starts = Intervals.remember(now_s, PRAGUE, kept).open["", "m"]
    assert starts == [noon_or_midnight_ms + minute * 60_000 for minute in minutes]
