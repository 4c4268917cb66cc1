"""A clock that is set late, or steps, while readings come in."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wattbook.engine.keep_time import keep_time
from wattbook.model import Event, Reading, SystemClock
from wattbook.store import Book, BookReader

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NEVER_SET = datetime(2000, 1, 1, tzinfo=UTC)


class _Hands:
    """A wall clock and a monotonic one that a scenario moves."""

    def __init__(self, wall: datetime) -> None:
        self.wall_s, self.mono_s, self.synchronised = wall.timestamp(), 50.0, True

    def pass_time(self, seconds: float) -> None:
        self.wall_s += seconds
        self.mono_s += seconds

    def set(self, wall: datetime) -> None:
        self.wall_s = wall.timestamp()


@contextmanager
def _book(tmp_path: Path, hands: _Hands) -> Iterator[tuple[Book, SystemClock]]:
    clock = SystemClock(
        lambda: hands.wall_s, lambda: hands.mono_s, lambda: hands.mono_s, synchronised=lambda: hands.synchronised
    )
    with Book.open(tmp_path / "book.db", clock=clock, commit_every_s=0.01) as book:
        yield book, clock


def _poll(book: Book, clock: SystemClock, volts: float) -> None:
    book.append([Reading("main-a", clock.now(), {"voltage": volts})], fresh=True).result(10)


async def _seconds(clock: SystemClock, book: Book, steps: int) -> None:
    """Let the clock be looked at so many times, without waiting."""
    left = [steps]

    async def sleep(seconds: float) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise asyncio.CancelledError

    with suppress(asyncio.CancelledError):
        await keep_time(clock, book, sleep=sleep)


def _kept(tmp_path: Path) -> tuple[list[Reading], list[Event]]:
    with BookReader(tmp_path / "book.db") as reader:
        batch = reader.read("", 1000)
    return list(batch.readings()), list(batch.events)


async def test_readings_from_before_the_clock_was_set_are_redated(tmp_path: Path) -> None:
    hands = _Hands(NEVER_SET)
    with _book(tmp_path, hands) as (book, clock):
        for volts in (1.0, 2.0, 3.0):
            _poll(book, clock, volts)
            hands.pass_time(5)
        hands.set(NOON)
        await _seconds(clock, book, 2)
        _poll(book, clock, 4.0)
    readings, events = _kept(tmp_path)
    assert [reading.values["voltage"] for reading in readings] == [1.0, 2.0, 3.0, 4.0]
    assert [reading.at for reading in readings] == [NOON - timedelta(seconds=s) for s in (15, 10, 5, 0)]
    assert [event.body["first_set"] for event in events if event.kind == "clock.step"] == [True]


async def test_a_clock_that_went_on_from_yesterday_is_set_by_the_network(tmp_path: Path) -> None:
    hands, yesterday = _Hands(NOON - timedelta(days=1)), NOON - timedelta(days=1)
    hands.synchronised = False
    with _book(tmp_path, hands) as (book, clock):
        for volts in (1.0, 2.0):
            _poll(book, clock, volts)
            hands.pass_time(5)
        sent = Reading("gateway", yesterday + timedelta(hours=1), {"voltage": 5.0})  # dated by a clock that is right
        book.append([sent], urgent=True).result(10)
        hands.set(NOON)
        hands.synchronised = True
        await _seconds(clock, book, 2)
        _poll(book, clock, 3.0)
    readings, events = _kept(tmp_path)
    assert [reading.at for reading in readings if reading.meter == "main-a"] == [
        NOON - timedelta(seconds=s) for s in (10, 5, 0)
    ]
    assert [reading.at for reading in readings if reading.meter == "gateway"] == [sent.at]
    assert [event.body["first_set"] for event in events if event.kind == "clock.step"] == [True]


async def test_what_came_with_an_instant_of_its_own_stays_where_it_is(tmp_path: Path) -> None:
    hands = _Hands(NEVER_SET)
    old = datetime(1999, 12, 24, 18, tzinfo=UTC)
    with _book(tmp_path, hands) as (book, clock):
        _poll(book, clock, 1.0)
        book.append([Reading("gateway", old, {"voltage": 2.0})], urgent=True).result(10)
        hands.set(NOON)
        await _seconds(clock, book, 2)
    readings, _ = _kept(tmp_path)
    assert {reading.meter: reading.at for reading in readings} == {"main-a": NOON, "gateway": old}


async def test_a_clock_set_back_makes_no_doubles(tmp_path: Path) -> None:
    hands = _Hands(NOON)
    with _book(tmp_path, hands) as (book, clock):
        _poll(book, clock, 1.0)
        hands.pass_time(3600)
        _poll(book, clock, 2.0)
        hands.set(NOON)
        await _seconds(clock, book, 1)
        _poll(book, clock, 3.0)  # at the very instant of the first
    readings, events = _kept(tmp_path)
    assert sorted(reading.values["voltage"] for reading in readings) == [1.0, 2.0, 3.0]
    assert len({reading.at for reading in readings}) == 3
    assert [event.body["by_s"] for event in events if event.kind == "clock.step"] == [-3600.0]


async def test_a_clock_set_forward_changes_nothing_that_was_kept(tmp_path: Path) -> None:
    hands = _Hands(NOON)
    with _book(tmp_path, hands) as (book, clock):
        _poll(book, clock, 1.0)
        hands.set(NOON + timedelta(hours=2))
        await _seconds(clock, book, 1)
        _poll(book, clock, 2.0)
    readings, _ = _kept(tmp_path)
    assert [reading.at for reading in readings] == [NOON, NOON + timedelta(hours=2)]
