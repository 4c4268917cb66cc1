"""When a listened meter is present and when it is away."""

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wattbook import config
from wattbook.engine.lines import Lines
from wattbook.engine.listen import FIRST_S, STRANGER_S, Attendance
from wattbook.engine.status import MeterStatus
from wattbook.model import Event, Kept, Reading

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.s)

    def monotonic(self) -> float:
        return self.s


class Hall:
    """One meter and everything that is written of it."""

    def __init__(self, every_s: float = 0.0, first_s: float = FIRST_S) -> None:
        self.time, self.status, self.events = Time(), MeterStatus("main", "sml"), list[Event]()
        self.attendance = Attendance(
            {"main": self.status},
            {"main": every_s},
            first_s={"main": first_s},
            clock=self.time,
            note=self.events.append,
        )

    def speaks(self, *seconds: float) -> None:
        for second in seconds:
            self.time.s = second
            self.attendance.heard("main", self.time.now())

    def passes(self, until_s: float) -> None:
        while self.time.s < until_s:
            self.time.s += 1
            self.attendance.check()

    def seen(self) -> list[tuple[str, float]]:
        return [(event.kind, (event.at - START).total_seconds()) for event in self.events]


def test_it_is_present_with_its_first_telegram() -> None:
    hall = Hall()
    hall.speaks(1, 2)
    status = hall.status
    assert (status.state, status.since, status.last_at) == ("present", START + timedelta(seconds=1), hall.time.now())
    assert (status.counters.polls, status.counters.answers) == (2, 2)
    assert hall.events == []


@pytest.mark.parametrize(
    ("every_s", "heard", "away_s"),
    [
        (0.0, (1, 2, 3), 34),  # it speaks every second: ten seconds are the least patience, three times
        (60.0, (1, 2, 3), 184),  # three of its periods
        (0.0, (0, 100, 200, 300), 601),  # a slow meter: three of the periods it was heard to keep
        (0.0, (), 31),  # never heard
        (0.0, (1,), 362),  # heard once: how often it speaks is not known
        (math.inf, (1, 2, 3), None),  # it speaks when it likes
    ],
)
def test_it_is_away_after_three_missed_periods(every_s: float, heard: tuple[float, ...], away_s: float | None) -> None:
    hall = Hall(every_s)
    hall.speaks(*heard)
    hall.passes(1000)
    if away_s is None:
        assert hall.seen() == [] and hall.status.state == "present"
        return
    assert hall.seen() == [("meter.away", away_s)]
    assert hall.status.state == "away"
    assert hall.status.reason.startswith("silent for ")


@pytest.mark.parametrize("period_s", [31, 60, 119, 300])
def test_a_slow_meter_does_not_flap(period_s: int) -> None:
    hall = Hall()
    for spoken_s in range(1, 7200, period_s):
        hall.passes(spoken_s)
        hall.speaks(spoken_s)
    assert hall.seen() == []


def test_a_meter_far_slower_than_any_flaps_twice_and_is_known() -> None:
    hall = Hall()
    for spoken_s in range(0, 86_400, 900):
        hall.passes(spoken_s)
        hall.speaks(spoken_s)
    assert hall.seen() == [("meter.away", 361.0), ("meter.back", 900.0)]


def test_a_meter_over_mqtt_is_waited_for_longer() -> None:
    hall = Hall(first_s=STRANGER_S)
    hall.passes(360)
    assert hall.seen() == []
    hall.passes(361)
    assert hall.seen() == [("meter.away", 361.0)]


class NoBook:
    """A keeper that only takes notes."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError(readings)

    def measured(self, reading: Reading) -> None:
        raise AssertionError(reading)

    def note(self, event: Event) -> None:
        self.events.append(event)


def test_a_meter_that_is_sent_to_us_is_missed_when_it_promised_to_come(tmp_path: Path) -> None:
    file = tmp_path / "wattbook.toml"
    file.write_text(
        '[[meter]]\nname = "hourly"\nmodel = "push"\nevery = "1h"\n[[meter]]\nname = "now-and-then"\nmodel = "push"\n'
    )
    time, book = Time(), NoBook()
    attendance = Lines(config.load(file), keeper=book, clock=time, session="").report
    assert isinstance(attendance, Attendance)
    for meter in ("hourly", "now-and-then"):
        attendance.heard(meter, time.now())
    time.s = 3 * 3600.0 + 1
    attendance.check()
    assert [(event.kind, event.subject) for event in book.events] == [("meter.away", "hourly")]


def test_an_outage_is_no_period() -> None:
    hall = Hall()
    hall.speaks(1, 2, 3)
    hall.passes(10_000)  # it was off
    hall.speaks(10_001, 10_002)
    hall.passes(20_000)
    hall.attendance.lost("main", "the broker is gone")
    hall.speaks(30_000, 30_001)
    hall.passes(30_100)
    assert [at_s for kind, at_s in hall.seen() if kind == "meter.away"] == [34.0, 10_033.0, 30_032.0]


def test_it_goes_once_and_returns_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hall = Hall()
    hall.speaks(1)
    for second in range(2, 20):
        hall.time.s = second
        hall.attendance.lost("main", f"no port ({second})")
    hall.passes(100)
    hall.speaks(101, 102)
    assert hall.seen() == [("meter.away", 2.0), ("meter.back", 101.0)]
    assert hall.events[1].body == {"away_s": 99.0}
    assert (hall.status.state, hall.status.reason) == ("present", "")
    assert [record.getMessage() for record in caplog.records] == [
        "main is there",
        "main is away: no port (2)",
        "main is back after 99 s",
    ]


def test_the_reason_is_the_latest_one() -> None:
    hall = Hall()
    hall.attendance.lost("main", "no such port")
    hall.attendance.lost("main", "another program has this port")
    assert hall.status.reason == "another program has this port"


def test_garbage_is_counted_and_spoken_of_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    hall = Hall()
    for second in range(0, 3601, 2):
        hall.time.s = second
        hall.attendance.garbled("main", "check failed")
    assert hall.status.counters.garbled == hall.status.counters.polls == 1801
    assert [record.getMessage() for record in caplog.records] == [
        "main: garbled telegram (1): check failed",
        "main: garbled telegram (1800): check failed",
    ]


def test_a_meter_of_which_only_garbage_comes_is_away_and_says_so() -> None:
    hall = Hall()
    hall.speaks(0, 1)
    for second in range(2, 100, 2):
        hall.time.s = second
        hall.attendance.garbled("main", "check failed")
        hall.attendance.check()
    assert hall.status.state == "away"
    assert hall.status.reason.startswith("only garbled telegrams (")


def test_a_load_of_messages_at_once_is_many_periods_not_one() -> None:
    hall = Hall()
    for second in (0, 100, 200):
        hall.time.s = second
        hall.attendance.heard("main", hall.time.now(), 50)
    assert hall.status.counters.answers == 150
    hall.passes(1000)
    assert hall.seen() == [("meter.away", 231.0)]
