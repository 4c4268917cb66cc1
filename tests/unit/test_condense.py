"""Intervals of sinks: where they begin and end."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from wattbook.engine.condense import Intervals
from wattbook.model.batch import to_ms
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
