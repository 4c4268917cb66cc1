"""Sealed time where something is wrong: damage, a full disk, late readings in a damaged day, a month behind."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from book_tools import START, StillClock
from wattbook.model import BookError, Columns, Reading, Span
from wattbook.model.batch import ABSENT, GOOD_CODE, to_ms
from wattbook.store import Book, BookReader, Step
from wattbook.store.connection import connect_writer

PRAGUE = ZoneInfo("Europe/Prague")
ENERGY = "active_energy_import"
MINUTE = timedelta(minutes=1)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=PRAGUE)
DONE_S = 30.0


def day(number: int, meter: str = "m", *, every: timedelta = MINUTE) -> list[Reading]:
    """A day of readings of a register that gains 1 Wh each."""
    count = timedelta(days=1) // every
    return [
        Reading(meter, MIDNIGHT + (number * count + place) * every, {ENERGY: float(number * count + place)})
        for place in range(count)
    ]


def write_days(book: Book, days: int, meter: str = "m") -> None:
    for number in range(days):
        book.append(day(number, meter), urgent=True).result(DONE_S)


def after(days: int) -> datetime:
    return MIDNIGHT + timedelta(days=days, hours=1)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book.open(tmp_path / "wattbook.db", clock=StillClock(), commit_every_s=0.01) as book:
        yield book


def damage_data(path: Path, table: str, column: str, place: int) -> None:
    """Turn a byte of the frame or piece that was written as number `place`."""
    select = f"SELECT id, {column} FROM {table} ORDER BY id LIMIT 1 OFFSET ?"  # noqa: S608 - words of these tests
    update = f"UPDATE {table} SET {column} = ? WHERE id = ?"  # noqa: S608 - words of these tests
    with closing(sqlite3.connect(path)) as connection, connection:
        row_id, data = connection.execute(select, (place,)).fetchone()
        middle = len(data) // 2
        changed = data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]
        connection.execute(update, (changed, row_id))


@pytest.mark.parametrize(("table", "column"), [("piece", "data"), ("frame", "at"), ("piece", "grid")])
def test_a_damaged_day_is_named_and_the_others_stay_readable(
    book: Book, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, table: str, column: str
) -> None:
    monkeypatch.setattr("wattbook.store.sealed._told", set())
    write_days(book, 4)
    book.seal(PRAGUE, after(4))
    whole = hours(book, 4)
    damage_data(book.path, table, column, 1)
    span = Span(MIDNIGHT, MIDNIGHT + timedelta(days=4))
    with BookReader(book.path) as reader:
        values = list(reader.range("m", ENERGY, span).values)
        energies = hours(book, 4)
        reader.energy("m", ENERGY, span, Step.parse("10min"), PRAGUE)  # looks between the quarters
    lost = range(0) if column == "grid" else range(1440, 2880)
    assert values == [float(number) for number in range(4 * 1440) if number not in lost]
    assert energies == whole  # from readings or from the grid, whichever is left
    assert "damaged: m, frame of 2026-11-21 23:00 UTC" in caplog.text


def hours(book: Book, days: int) -> list[float]:
    span = Span(MIDNIGHT, MIDNIGHT + timedelta(days=days))
    with BookReader(book.path) as reader:
        return list(reader.energy("m", ENERGY, span, Step.parse("1h"), PRAGUE, period=MINUTE).values)


def test_followers_get_what_is_not_damaged(book: Book) -> None:
    write_days(book, 4)
    book.seal(PRAGUE, after(4))
    damage_data(book.path, "piece", "data", 1)
    found: list[float] = []
    position = ""
    while len(batch := book.read(position, 1_000)):
        position = batch.upto
        found += [reading.values[ENERGY] for reading in batch.readings()]
    assert found == [float(number) for number in range(4 * 1440) if not 1440 <= number < 2880]


def test_what_comes_late_into_a_damaged_day_is_kept_beside_it(book: Book) -> None:
    write_days(book, 2)
    book.seal(PRAGUE, after(2))
    damage_data(book.path, "piece", "data", 0)
    late = Reading("m", MIDNIGHT + timedelta(seconds=30), {ENERGY: 0.5})
    assert book.append([late], urgent=True).result(DONE_S).new == 1
    sealed = book.seal(PRAGUE, after(2))
    assert sealed.frames == 0
    assert len(sealed.damaged) == 1 and "m, frame of 2026-11-20 23:00 UTC" in sealed.damaged[0]


def test_a_follower_a_month_behind_gets_every_reading_once_and_in_order(book: Book) -> None:
    meters = ("a", "b", "c")
    every = timedelta(minutes=10)
    for number in range(31):
        rows = [day(number, meter, every=every) for meter in meters]
        for together in zip(*rows, strict=True):
            book.append(together)
        book.append([], urgent=True).result(DONE_S)
        book.seal(PRAGUE, MIDNIGHT + timedelta(days=number, hours=20))  # hours, and the day before
    found: dict[str, list[float]] = {meter: [] for meter in meters}
    numbers: set[int] = set()
    position = ""
    while len(batch := book.read(position, 777)):
        assert len(batch) <= 777
        position = batch.upto
        for columns in batch.columns:
            assert numbers.isdisjoint(columns.seq)
            numbers.update(columns.seq)
            found[columns.meter] += columns.values[ENERGY]
    assert all(values == [float(number) for number in range(31 * 144)] for values in found.values())


def test_a_full_disk_keeps_history_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattbook.store.writer._RETRY_S", 0.01)
    connections: list[sqlite3.Connection] = []

    def connect(path: Path) -> sqlite3.Connection:
        connections.append(connect_writer(path))
        return connections[-1]

    def whole() -> bool:
        with BookReader(path) as reader:
            found = list(reader.range("m", ENERGY, Span(MIDNIGHT, MIDNIGHT + timedelta(days=3))).values)
        return found == [float(number) for number in range(3 * 1440)]

    path = tmp_path / "wattbook.db"
    with Book.open(path, clock=StillClock(), connect=connect, commit_every_s=0.01) as book:
        write_days(book, 3)
        (pages,) = connections[-1].execute("PRAGMA page_count").fetchone()
        connections[-1].execute(f"PRAGMA max_page_count = {pages}").fetchone()
        with pytest.raises(BookError, match="full"):
            for number in range(3, 10):
                book.append(day(number), urgent=True).result(DONE_S)
        waiting = book.append(day(20), fresh=True)  # more than there is room for
        with pytest.raises(BookError, match="full") as refused:
            book.seal(PRAGUE, after(3))
        assert refused.value.retry
        assert whole()
        connections[-1].execute("PRAGMA max_page_count = 1000000").fetchone()
        waiting.result(DONE_S)
        assert book.seal(PRAGUE, after(3)).frames >= 3
        assert whole()


def test_many_late_readings_of_a_sealed_day_and_a_day_of_many_rows(book: Book) -> None:
    every = timedelta(seconds=15)
    book.append(day(0, every=every), urgent=True).result(DONE_S)
    book.append(day(2), urgent=True).result(DONE_S)
    assert book.seal(PRAGUE, after(2)).frames == 24 + 1  # hour by hour, then the day
    late = [
        Reading("m", reading.at + timedelta(seconds=7), {"voltage": 230.0 + place % 9 / 10})
        for place, reading in enumerate(day(0, every=every))
    ]
    book.append(late, urgent=True).result(DONE_S)
    assert book.seal(PRAGUE, after(2)).frames == 1
    with BookReader(book.path) as reader:
        first = Span(MIDNIGHT, MIDNIGHT + timedelta(days=1))
        assert len(reader.range("m", ENERGY, first)) == len(reader.range("m", "voltage", first)) == 5760


def test_sealing_again_finds_nothing_to_do(book: Book) -> None:
    write_days(book, 2)
    assert book.seal(PRAGUE, after(2)).frames == 2
    assert book.seal(PRAGUE, after(2)).frames == 0
    assert book.seal(PRAGUE, after(9)).frames == 0


def test_the_chain_grows_by_each_sealing_of_a_day(book: Book) -> None:
    write_days(book, 2)
    book.seal(PRAGUE, after(2))
    book.append([Reading("m", MIDNIGHT + timedelta(seconds=30), {ENERGY: 0.5})], urgent=True).result(DONE_S)
    book.seal(PRAGUE, after(2))
    with closing(sqlite3.connect(book.path)) as connection:
        links = connection.execute("SELECT from_at, revision FROM chain ORDER BY id").fetchall()
    first = int(MIDNIGHT.timestamp() * 1000)
    assert links == [(first, 1), (first + 86_400_000, 1), (first, 2)]


def test_the_zone_may_change_and_nothing_is_sealed_twice(book: Book) -> None:
    write_days(book, 3)
    book.seal(PRAGUE, after(2) - timedelta(hours=3))
    book.seal(ZoneInfo("Asia/Kathmandu"), after(4))
    with closing(sqlite3.connect(book.path)) as connection:
        spans = connection.execute("SELECT from_at, to_at, n FROM frame ORDER BY from_at").fetchall()
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))
    assert sum(n for _, _, n in spans) == 3 * 1440 - 1  # the newest reading stays hot
    with BookReader(book.path) as reader:
        assert len(reader.range("m", ENERGY, Span(START - timedelta(days=9), START + timedelta(days=9)))) == 3 * 1440


def every_hour(book: Book, quantity: str, *, start: datetime, days: int) -> list[object]:
    span = Span(start, start + timedelta(days=days))
    with BookReader(book.path) as reader:
        if quantity == ENERGY:
            return list(reader.energy("m", quantity, span, Step.parse("1h"), PRAGUE, period=MINUTE))
        return [
            list(reader.aggregate("m", quantity, span, Step.parse("1h"), PRAGUE, aggregate))
            for aggregate in ("mean", "min", "max")
        ]


def test_what_is_forgotten_leaves_hours_as_they_were(book: Book) -> None:
    for number in range(4):
        readings = [
            Reading(
                "m", reading.at, {**reading.values, "voltage": 229.0 + place % 7 / 10, "temperature": place % 11 / 3}
            )
            for place, reading in enumerate(day(number))
        ]
        book.append(readings, urgent=True).result(DONE_S)
    book.seal(PRAGUE, after(4))
    quantities = (ENERGY, "voltage", "temperature")
    before = {name: every_hour(book, name, start=MIDNIGHT, days=4) for name in quantities}
    assert book.forget("m", ["voltage"], MIDNIGHT + timedelta(days=2)) == 2
    assert book.forget("m", quantities, MIDNIGHT + timedelta(days=1)) == 1
    assert book.forget("m", quantities, MIDNIGHT + timedelta(days=1)) == 0
    assert {name: every_hour(book, name, start=MIDNIGHT, days=4) for name in quantities} == before
    with BookReader(book.path) as reader:
        lengths = {
            name: [
                len(reader.range("m", name, Span(MIDNIGHT + timedelta(days=each), MIDNIGHT + timedelta(days=each + 1))))
                for each in range(4)
            ]
            for name in quantities
        }
    assert lengths == {
        ENERGY: [0, 1440, 1440, 1440],
        "voltage": [0, 0, 1440, 1440],
        "temperature": [0, 1440, 1440, 1440],
    }
    assert sum(len(batch) for batch in [book.read("", 10_000)]) == 3 * 1440
    assert book.seal(PRAGUE, after(4)).frames == 0


def test_what_is_forgotten_is_not_called_damaged(
    book: Book, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattbook.store.sealed._told", set())
    write_days(book, 3)
    book.seal(PRAGUE, after(3))
    book.forget("m", [ENERGY], MIDNIGHT + timedelta(days=2))
    with BookReader(book.path) as reader:
        blocks = list(reader.columns("m", Span(MIDNIGHT, MIDNIGHT + timedelta(days=3))))
        asked = Span(MIDNIGHT, MIDNIGHT + timedelta(days=1))
        told = list(reader.energy("m", ENERGY, asked, Step.parse("1d"), PRAGUE).values)  # finds the period
    assert sum(map(len, blocks)) == 1440
    assert told == [1440.0] and caplog.text == ""


def test_a_reading_of_which_all_was_forgotten_is_no_row_of_an_export(book: Book) -> None:
    """A meter that tells one quantity at a time."""
    told = [
        replace(reading, values={"voltage": 230.0}) if place % 2 else reading
        for place, reading in enumerate(day(0) + day(1))
    ]
    book.append(told, urgent=True).result(DONE_S)
    book.seal(PRAGUE, after(2))
    book.forget("m", ["voltage"], MIDNIGHT + timedelta(days=1))
    left = [reading for place, reading in enumerate(told) if place >= 1440 or not place % 2]
    with BookReader(book.path) as reader:
        blocks = reader.columns("m", Span(MIDNIGHT, MIDNIGHT + timedelta(days=2)))
        assert [each.values for block in blocks for each in block.readings()] == [each.values for each in left]
    kept = book.append(told, urgent=True).result(DONE_S)
    assert (kept.new, kept.same) == (0, len(told))


def test_steps_finer_than_what_is_left_are_spread(book: Book) -> None:
    write_days(book, 3)
    book.seal(PRAGUE, after(3))
    book.forget("m", [ENERGY], MIDNIGHT + timedelta(days=1))
    span = Span(MIDNIGHT + timedelta(hours=1), MIDNIGHT + timedelta(hours=2))
    with BookReader(book.path) as reader:
        points = list(reader.energy("m", ENERGY, span, Step.parse("10min"), PRAGUE, period=MINUTE))
    assert [(point.value, str(point.quality)) for point in points] == [(10.0, "spread")] * 6


def test_an_import_does_not_bring_back_what_was_forgotten(book: Book) -> None:
    write_days(book, 3)
    (columns,) = book.read("", 10_000).columns
    book.seal(PRAGUE, after(3))
    book.forget("m", [ENERGY], MIDNIGHT + timedelta(days=1))
    kept = book.import_columns(columns, PRAGUE)
    assert (kept.new, kept.same, kept.conflicts) == (0, 2 * 1440, 1440)


def with_voltage(readings: Sequence[Reading], volts: float) -> list[Reading]:
    return [replace(reading, values={**reading.values, "voltage": volts}) for reading in readings]


def test_what_comes_into_a_day_of_which_a_quantity_was_forgotten(book: Book) -> None:
    """What is new is kept beside it, and what is left of the others is compared, in bulk and one by one."""
    first = with_voltage([*day(0), *day(1)], 230.0)
    book.import_columns(columns_of(first), PRAGUE)
    assert book.forget("m", ["voltage"], after(1)) == 1
    again = book.import_columns(columns_of(first), PRAGUE)
    assert (again.new, again.same, again.conflicts) == (0, 2880, 0)
    few = book.append(first[:5], urgent=True).result(DONE_S)
    assert (few.new, few.same, few.conflicts) == (0, 5, 0)
    between = [replace(reading, at=reading.at + MINUTE / 2) for reading in first[:300]]
    other = with_voltage([replace(reading, values={ENERGY: 0.25}) for reading in first[300:310]] + between[:10], 231.0)
    for bulk, new in ((between, 300), (between, 0), (other, 0)):
        kept = book.import_columns(columns_of(bulk), PRAGUE)
        told = (new, 0, 20) if bulk is other else (new, 300 - new, 0)
        assert (kept.new, kept.same, kept.conflicts) == told
    few = book.append(other, urgent=True).result(DONE_S)
    assert (few.new, few.same, few.conflicts) == (0, 0, 20)
    assert book.seal(PRAGUE, after(2)).frames == 0
    with BookReader(book.path) as reader:
        first_day = Span(MIDNIGHT, MIDNIGHT + timedelta(days=1))
        assert len(reader.range("m", ENERGY, first_day)) == 1740 and len(reader.range("m", "voltage", first_day)) == 300


def columns_of(readings: Sequence[Reading]) -> Columns:
    instants = array("q", (to_ms(reading.at) for reading in readings))
    values = {name: array("d", (reading.values[name] for reading in readings)) for name in readings[0].values}
    numbers, quality = array("q", bytes(8 * len(readings))), array("B", [GOOD_CODE] * len(readings))
    return Columns("", "m", instants, numbers, values, quality)


@pytest.mark.parametrize("zone", ["Europe/Prague", "America/New_York"])
def test_a_reading_of_an_impossible_year_does_not_keep_others_from_being_sealed(book: Book, zone: str) -> None:
    book.append([Reading("m", datetime(1, 1, 1, tzinfo=UTC), {"voltage": 230.0})], urgent=True).result()
    write_days(book, 2)
    assert book.seal(ZoneInfo(zone), after(3), late=True).frames


def latest(book: Book, now: datetime) -> list[tuple[datetime, float]]:
    with BookReader(book.path) as reader:
        return [(reading.at, reading.values[ENERGY]) for reading in reader.latest(now=now)]


def test_a_reading_by_a_clock_that_was_ahead_does_not_hide_sealed_ones(book: Book) -> None:
    ahead = Reading("m", MIDNIGHT + timedelta(days=400), {ENERGY: 9.0})
    book.append([ahead], urgent=True).result(DONE_S)
    assert latest(book, after(1)) == [(ahead.at, 9.0)]
    write_days(book, 2)
    for _ in range(2):
        assert latest(book, after(2)) == [(after(2) - 61 * MINUTE, 2879.0)]
        assert latest(book, after(1)) == [(after(1), 1500.0)]  # as of then
        book.seal(PRAGUE, after(2))
    book.append([Reading("m", MIDNIGHT + MINUTE / 2, {ENERGY: 0.5})], urgent=True).result(DONE_S)  # late, so hot
    assert latest(book, after(2)) == [(after(2) - 61 * MINUTE, 2879.0)]
    book.append([Reading("m", after(2), {ENERGY: 3000.0})], urgent=True).result(DONE_S)
    assert latest(book, after(2)) == [(after(2), 3000.0)]


def test_the_latest_is_of_a_day_that_is_left(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattbook.store.sealed._told", set())
    ahead = Reading("m", MIDNIGHT + timedelta(days=400), {ENERGY: 9.0})
    write_days(book, 3)
    book.append([ahead], urgent=True).result(DONE_S)
    book.seal(PRAGUE, after(3))
    damage_data(book.path, "piece", "data", 2)
    assert latest(book, after(3)) == [(MIDNIGHT + timedelta(days=2) - MINUTE, 2879.0)]
    book.forget("m", [ENERGY], after(3))
    assert latest(book, after(3)) == [(ahead.at, 9.0)]


def test_twins_among_what_is_imported_are_counted(book: Book) -> None:
    rows = 4
    columns = Columns(
        "", "m",
        array("q", [1_700_000_000_000 + 1000 * row for row in range(rows)] * 3),
        array("q", bytes(8 * 3 * rows)),
        {ENERGY: array("d", [1.0] * rows + [1.0, 2.0, ABSENT, 2.0] + [1.0] * rows)},
        array("B", bytes(3 * rows)),
    )  # fmt: skip
    kept = book.import_columns(columns, PRAGUE)
    assert (kept.new, kept.same, kept.conflicts) == (rows, rows + 1, rows - 1)


def test_a_gauge_that_begins_within_a_quarter_is_answered_as_before(book: Book) -> None:
    """From an instant in the same quarter of an hour, before the first reading."""
    begun = MIDNIGHT + 7 * MINUTE
    sagging = [
        Reading("m", begun + timedelta(seconds=5 * n), {"voltage": 200.0 if n < 60 else 230.0}) for n in range(9000)
    ]
    book.append(sagging, urgent=True).result(DONE_S)
    span = Span(MIDNIGHT + 5 * MINUTE, MIDNIGHT + timedelta(hours=6))
    told = []
    for _ in range(2):
        with BookReader(book.path) as reader:
            told.append(list(reader.aggregate("m", "voltage", span, Step.parse("15min"), PRAGUE, "min").values))
        book.seal(PRAGUE, after(2))
    assert told[0][:2] == [200.0, 230.0] and told[1] == told[0]


def test_a_register_that_is_told_rarely_is_answered_before_sealing_as_after(book: Book) -> None:
    """Twice a day, among 17,280 readings of power."""
    powers = [Reading("m", MIDNIGHT + timedelta(seconds=5 * n + 1), {"active_power": 360.0}) for n in range(17_280)]
    registers = [Reading("m", MIDNIGHT + timedelta(hours=12 * n), {ENERGY: 4320.0 * n}) for n in range(3)]
    for readings in (powers[:9_000], powers[9_000:], registers):
        book.append(readings, urgent=True).result(DONE_S)
    told = []
    for _ in range(2):
        with BookReader(book.path) as reader:
            for hours_in in ((8, 20), (9, 11)):
                span = Span(*(MIDNIGHT + timedelta(hours=hour) for hour in hours_in))
                told.append(
                    list(
                        reader.energy("m", ENERGY, span, Step.parse("12h"), PRAGUE, period=timedelta(seconds=5)).values
                    )
                )
        book.seal(PRAGUE, after(2))
    assert told[:2] == told[2:]
    assert sum(told[0]) == pytest.approx(4320.0) and sum(told[1]) == pytest.approx(720.0)


@pytest.mark.parametrize("wrong", [0.0, 99_999.0])
@pytest.mark.parametrize("every", [timedelta(hours=12), timedelta(days=1)])
def test_an_outlier_beside_what_is_asked_for_is_no_energy_of_a_sealed_day(
    book: Book, every: timedelta, wrong: float
) -> None:
    readings = [Reading("m", MIDNIGHT + number * every, {ENERGY: 1000.0 + number}) for number in range(40)]
    readings[20] = replace(readings[20], values={ENERGY: wrong})
    book.append(readings, urgent=True).result(DONE_S)
    beside = [Span(readings[9].at, readings[20].at), Span(readings[20].at + MINUTE, readings[30].at)]
    with BookReader(book.path) as reader:
        hot = [list(reader.energy("m", ENERGY, span, Step.parse("1y"), PRAGUE)) for span in beside]
        book.seal(PRAGUE, after(60))
        assert [list(reader.energy("m", ENERGY, span, Step.parse("1y"), PRAGUE)) for span in beside] == hot
    assert [point.value for points in hot for point in points] == [10.0, 11.0]


def test_an_hour_that_comes_again_after_midnight_is_sealed(book: Book) -> None:
    """At 0:01 on 7 November 2010 the clocks of Newfoundland went back to 23:01."""
    newfoundland = ZoneInfo("America/St_Johns")
    again = datetime(2010, 11, 7, 2, 37, tzinfo=UTC)  # 23:07, after a midnight that was at 2:30
    readings = [Reading("m", again + number * timedelta(hours=1), {ENERGY: float(number)}) for number in range(25)]
    book.append(readings, urgent=True).result(DONE_S)
    (columns,) = book.read("", 100).columns
    assert book.seal(newfoundland, after(0)).frames == 1
    assert book.import_columns(replace(columns, meter="imported"), newfoundland).new == len(readings)
    with BookReader(book.path) as reader:
        for meter in ("m", "imported"):
            assert len(reader.range(meter, ENERGY, Span(again, again + timedelta(days=3)))) == len(readings)


def test_a_reading_that_cannot_be_read_keeps_no_other_day_from_being_sealed(book: Book) -> None:
    write_days(book, 3)
    with closing(sqlite3.connect(book.path)) as connection, connection:
        connection.execute("UPDATE hot SET cells = x'91c0' WHERE seq = 7")
    sealed = book.seal(PRAGUE, after(3))
    assert sealed.frames == 2 and "cannot be read" in sealed.damaged[0]
