"""Questions about history asked of a real book, and steps of the calendar."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from book_tools import START, StillClock
from wattbook.model import BookError, EnergyQuality, Point, Quality, Reading, Span
from wattbook.model.batch import from_ms
from wattbook.store import Book, BookReader, Step, UnknownMeter
from wattbook.store.steps import boundaries

PRAGUE = ZoneInfo("Europe/Prague")
UTC_ZONE = ZoneInfo("UTC")
MINUTE = timedelta(minutes=1)
ENERGY = "active_energy_import"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book.open(tmp_path / "wattbook.db", clock=StillClock()) as book:
        yield book


@pytest.fixture
def reader(book: Book) -> Iterator[BookReader]:
    with BookReader(book.path) as reader:
        yield reader


def keep(book: Book, readings: Sequence[Reading]) -> None:
    book.append(readings, urgent=True).result(30)


def register(minute: float, energy: float, quality: Quality = Quality.GOOD) -> Reading:
    return Reading("m", START + minute * MINUTE, {ENERGY: energy}, quality)


def hours(reader: BookReader, start: float, end: float) -> list[tuple[float, float | None, str]]:
    """(hour from START, energy, quality)"""
    hour = timedelta(hours=1)
    span = Span(START + start * hour, START + end * hour)
    points = reader.energy("m", ENERGY, span, Step.parse("1h"), UTC_ZONE, period=MINUTE)
    return [((point.at - START) / hour, point.value, str(point.quality)) for point in points]


def test_hourly_energy_of_a_register_read_every_minute(book: Book, reader: BookReader) -> None:
    keep(book, [register(minute, 1000 + minute / 10) for minute in range(-30, 181)])
    assert hours(reader, 0, 3) == [(0, 6.0, "measured"), (1, 6.0, "measured"), (2, 6.0, "measured")]
    assert hours(reader, 0.5, 1.5) == [(0.5, 3.0, "measured"), (1, 3.0, "measured")]


def test_energy_across_a_gap_is_spread_and_adds_up(book: Book, reader: BookReader) -> None:
    keep(book, [register(minute, 1000.0) for minute in range(-5, 31)])
    keep(book, [register(minute, 1120.0) for minute in range(150, 190)])
    assert hours(reader, 0, 3) == [(0, 30.0, "spread"), (1, 60.0, "spread"), (2, 30.0, "spread")]


def test_where_the_book_knows_nothing_energy_is_missing_and_never_zero(book: Book, reader: BookReader) -> None:
    keep(book, [register(minute, 1000.0 + minute) for minute in range(61, 80)])
    assert hours(reader, 0, 3) == [(0, None, "missing"), (1, 18.0, "spread"), (2, None, "missing")]


def test_the_step_in_progress_counts_up_to_the_last_reading(book: Book, reader: BookReader) -> None:
    keep(book, [register(minute, 1000.0 + minute) for minute in range(-2, 20)])
    span = Span(START, START + 20.5 * MINUTE)
    (point,) = reader.energy("m", ENERGY, span, Step.parse("1h"), UTC_ZONE, period=MINUTE)
    assert point == Point(START, 19.0, EnergyQuality.MEASURED)


def test_suspect_registers_are_never_energy(book: Book, reader: BookReader) -> None:
    keep(book, [register(minute, 1000.0 + minute) for minute in range(-2, 65) if minute != 30])
    keep(book, [register(30, 9e6, Quality.SUSPECT)])
    assert hours(reader, 0, 1) == [(0, 60.0, "measured")]


def test_energy_adds_up_beside_suspect_registers(book: Book, reader: BookReader) -> None:
    """Suspect readings just outside a span must not hide the good ones that decide its ends."""
    minutes = range(0, 301, 5)
    keep(
        book,
        [
            register(
                minute, minute * 10.0, Quality.SUSPECT if 100 < minute < 140 or 160 < minute < 200 else Quality.GOOD
            )
            for minute in minutes
        ],
    )
    parts = [hours(reader, begin, begin + 1)[0][1] or 0.0 for begin in (1, 2, 3)]
    assert sum(parts) == sum(value or 0.0 for _, value, _ in hours(reader, 1, 4)) == 1800.0


def test_a_replaced_meter_gives_no_negative_energy(book: Book, reader: BookReader) -> None:
    keep(book, [register(minute, 5000.0 + minute) for minute in range(-2, 90)])
    keep(book, [register(minute, 10.0 + minute - 90) for minute in range(90, 200)])
    assert hours(reader, 0, 3) == [(0, 60.0, "measured"), (1, 59.0, "estimated"), (2, 60.0, "measured")]


def test_the_period_is_found_from_the_readings_when_not_given(book: Book, reader: BookReader) -> None:
    keep(book, [register(minute, 100.0 + minute) for minute in range(-15, 200, 15)])
    (point,) = reader.energy("m", ENERGY, Span(START, START + 120 * MINUTE), Step.parse("1d"), UTC_ZONE)
    assert (point.value, point.quality) == (120.0, EnergyQuality.MEASURED)


def test_gauges_by_step_leave_out_what_nobody_measured(book: Book, reader: BookReader) -> None:
    volts = {0: 230.0, 1: 231.0, 59: 235.0, 121: 229.5}
    keep(book, [Reading("m", START + minute * MINUTE, {"voltage": value}) for minute, value in volts.items()])
    keep(book, [Reading("m", START + 2 * MINUTE, {"voltage": 999.0}, Quality.SUSPECT)])
    keep(
        book,
        [Reading("m", START + 200 * MINUTE, {"voltage": 77.0, "current": 1.0}, doubt={"voltage": Quality.SUSPECT})],
    )
    span = Span(START, START + 240 * MINUTE)

    def by_hour(aggregate: str) -> list[tuple[float, float | None, str]]:
        points = reader.aggregate("m", "voltage", span, Step.parse("1h"), UTC_ZONE, aggregate)  # type: ignore[arg-type]
        return [((point.at - START) / MINUTE, point.value, str(point.quality)) for point in points]

    last = [(120, 229.5, "good"), (180, 77.0, "suspect")]
    assert by_hour("mean") == [(0, 232.0, "good"), *last]
    assert by_hour("min") == [(0, 230.0, "good"), *last]
    assert by_hour("max") == [(0, 235.0, "good"), *last]
    assert by_hour("last") == [(0, 235.0, "good"), *last]
    with pytest.raises(BookError, match='did you mean "mean"'):
        by_hour("mena")


def test_a_range_gives_every_value_of_a_half_open_span(book: Book, reader: BookReader) -> None:
    keep(
        book,
        [Reading("m", START + second * timedelta(seconds=1), {"voltage": float(second)}) for second in range(25_000)],
    )
    span = Span(START + timedelta(seconds=5), START + timedelta(seconds=24_000))
    points = list(reader.range("m", "voltage", span))
    assert [point.value for point in points] == [float(second) for second in range(5, 24_000)]
    assert points[0] == Point(span.start, 5.0, Quality.GOOD)
    assert list(reader.range("m", "current", span)) == []


def test_an_unknown_meter_is_named_with_the_nearest(book: Book, reader: BookReader) -> None:
    keep(book, [Reading("main-a", START, {"voltage": 1.0})])
    with pytest.raises(UnknownMeter, match='did you mean "main-a"'):
        list(reader.range("mian-a", "voltage", Span(START, START)))


def local_edges(start: str, end: str, every: str, zone: ZoneInfo = PRAGUE) -> list[str]:
    span = Span(datetime.fromisoformat(start).replace(tzinfo=zone), datetime.fromisoformat(end).replace(tzinfo=zone))
    edges = map(from_ms, boundaries(span, Step.parse(every), zone))
    return [f"{edge.astimezone(zone):%m-%dT%H:%M%z}" for edge in edges]


@pytest.mark.parametrize(
    ("start", "end", "every", "edges"),
    [
        ("2026-03-28T00:00", "2026-03-31T00:00", "1d",
         ["03-28T00:00+0100", "03-29T00:00+0100", "03-30T00:00+0200", "03-31T00:00+0200"]),
        ("2026-03-29T01:00", "2026-03-29T05:00", "1h",
         ["03-29T01:00+0100", "03-29T03:00+0200", "03-29T04:00+0200", "03-29T05:00+0200"]),
        ("2026-10-25T01:30", "2026-10-25T04:00", "1h",
         ["10-25T01:30+0200", "10-25T02:00+0200", "10-25T02:00+0100", "10-25T03:00+0100", "10-25T04:00+0100"]),
        ("2026-01-15T00:00", "2026-03-02T00:00", "1mo",
         ["01-15T00:00+0100", "02-01T00:00+0100", "03-01T00:00+0100", "03-02T00:00+0100"]),
        ("2026-11-18T12:00", "2026-12-01T00:00", "1w",
         ["11-18T12:00+0100", "11-23T00:00+0100", "11-30T00:00+0100", "12-01T00:00+0100"]),
        ("2026-11-18T12:07", "2026-11-18T12:40", "15min",
         ["11-18T12:07+0100", "11-18T12:15+0100", "11-18T12:30+0100", "11-18T12:40+0100"]),
        ("2026-11-18T20:00", "2026-11-19T08:00", "7h",
         ["11-18T20:00+0100", "11-18T21:00+0100", "11-19T00:00+0100", "11-19T07:00+0100", "11-19T08:00+0100"]),
        ("2026-06-01T00:00", "2028-01-01T00:00", "1y", ["06-01T00:00+0200", "01-01T00:00+0100", "01-01T00:00+0100"]),
    ],
)  # fmt: skip
def test_steps_follow_the_local_calendar(start: str, end: str, every: str, edges: list[str]) -> None:
    assert local_edges(start, end, every) == edges


def test_a_day_that_skips_midnight_begins_when_the_clocks_do() -> None:
    edges = local_edges("2018-11-03T00:00", "2018-11-06T00:00", "1d", ZoneInfo("America/Sao_Paulo"))
    assert edges == ["11-03T00:00-0300", "11-04T01:00-0200", "11-05T00:00-0200", "11-06T00:00-0200"]


@pytest.mark.parametrize("text", ["", "h", "0h", "1x", "1 h", "-1h", "1.5h", "25h", "1M", "９h", "11y", "99999d"])
def test_what_is_no_step_is_refused_in_words(text: str) -> None:
    with pytest.raises(BookError, match=r"step of time|more than (a day|ten years)"):
        Step.parse(text)


@pytest.mark.parametrize("year", [1, 1899, 2201, 9999])
def test_years_no_meter_was_read_in_are_refused_in_words(year: int) -> None:
    other = datetime(year, 12, 30, tzinfo=UTC_ZONE)
    with pytest.raises(BookError, match="choose instants from 1900 to 2200"):
        boundaries(Span(min(START, other), max(START, other)), Step.parse("1y"), PRAGUE)


def test_the_steps_of_questions_until_now_are_not_kept_for_ever() -> None:
    tracemalloc.start()
    try:
        for seconds in range(24):  # a page asks again and again
            span = Span(START, START + timedelta(days=20, seconds=seconds))
            assert len(boundaries(span, Step.parse("1min"), PRAGUE)) > 28_000
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 12_000_000  # eight of them


def test_too_many_steps_are_refused_in_words() -> None:
    with pytest.raises(BookError, match="more than 100000 steps"):
        boundaries(Span(START, START + timedelta(days=3)), Step.parse("1s"), PRAGUE)


def test_a_reading_from_the_future_does_not_hide_those_of_a_clock_that_was_set_back(
    book: Book, reader: BookReader
) -> None:
    keep(book, [register(600, 7.0)])
    assert [reading.values[ENERGY] for reading in reader.latest(now=START)] == [7.0]  # there is no other
    keep(book, [register(1, 1.0), register(2, 2.0)])
    assert [reading.values[ENERGY] for reading in reader.latest(now=START + 3 * MINUTE)] == [2.0]
    assert [reading.values[ENERGY] for reading in reader.latest(now=START + 601 * MINUTE)] == [7.0]
