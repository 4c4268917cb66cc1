"""The book: identities, numbers, groups, positions, events, clock corrections, one writer."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from book_tools import LATER, START, HangingDisk, StillClock, poll, polls
from wattbook.model import BookError, Event, Kept, Quality, Reading
from wattbook.store import Book, BookReader, Position
from wattbook.store.schema import VERSION

DONE_S = 30.0  # far beyond any commit: a future that takes longer is stuck


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wattbook.db"


@pytest.fixture
def book(path: Path) -> Iterator[Book]:
    with Book.open(path, clock=StillClock(), site="House", commit_every_s=0.01) as book:
        yield book


def keep(book: Book, *readings: Reading, fresh: bool = False) -> Kept:
    return book.append(readings, fresh=fresh, urgent=True).result(DONE_S)


def all_readings(book: Book) -> list[Reading]:
    return list(book.read("", 10_000).readings())


def test_what_is_appended_is_read_back(book: Book) -> None:
    reading = Reading(
        "main-a", START, {"voltage": 230.1, "current": 1.234, "active_energy_import": 25409587},
        quality=Quality.SUSPECT, doubt={"current": Quality.GOOD},
    )  # fmt: skip
    assert keep(book, reading) == Kept((1,), new=1)
    assert all_readings(book) == [reading]


def test_numbers_rise_and_are_shared_with_events(book: Book) -> None:
    assert keep(book, *polls(3)).seqs == (1, 2, 3)
    assert book.append_event(Event("meter.away", "main-b", START, {"why": "silence"})).result(DONE_S) == 4
    assert keep(book, poll(3)).seqs == (5,)
    batch = book.read("3", 10)
    assert batch.events == (Event("meter.away", "main-b", START, {"why": "silence"}, seq=4),)
    assert [reading.at for reading in batch.readings()] == [poll(3).at]


def test_a_reading_delivered_twice_is_kept_once(book: Book) -> None:
    keep(book, *polls(5))
    assert keep(book, poll(2), poll(5), poll(4)) == Kept((3, 6, 5), new=1, same=2)
    assert len(all_readings(book)) == 6


def test_equal_values_are_the_same_reading_however_written(book: Book) -> None:
    keep(book, Reading("m", START, {"voltage": 230.0, "current": 1.0}))
    assert keep(book, Reading("m", START, {"current": 1, "voltage": 230})).same == 1


def test_the_first_of_two_different_readings_of_one_instant_stays(book: Book) -> None:
    keep(book, Reading("m", START, {"voltage": 230.0}))
    assert keep(book, Reading("m", START, {"voltage": 231.0})) == Kept((1,), conflicts=1)
    assert [reading.values for reading in all_readings(book)] == [{"voltage": 230.0}]
    assert book.statistics().conflicts == 1


def test_a_late_reading_finds_its_place_in_time(book: Book) -> None:
    keep(book, poll(0), poll(9))
    assert keep(book, poll(5), poll(4), poll(5)) == Kept((3, 4, 3), new=2, same=1)
    with BookReader(book.path) as reader:
        assert reader.latest(now=LATER) == [poll(9)]


def test_a_fresh_reading_is_never_a_double(book: Book) -> None:
    """The clock stood still or went back: the reading moves to the next free 10 ms."""
    assert keep(book, poll(0), poll(0), poll(0), fresh=True).new == 3
    milliseconds = timedelta(milliseconds=1)
    assert [(reading.at - START) // milliseconds for reading in all_readings(book)] == [0, 10, 20]
    keep(book, poll(10), fresh=True)
    assert keep(book, poll(0), fresh=True).new == 1  # an hour back, between what is there
    assert (all_readings(book)[-1].at - START) // milliseconds == 30


def test_meters_and_sites_have_their_own_identities(book: Book) -> None:
    own, foreign = Reading("m", START, {"voltage": 1.0}), Reading("m", START, {"voltage": 2.0}, site="Plant")
    assert keep(book, own, foreign, Reading("n", START, {"voltage": 3.0})).new == 3
    assert keep(book, Reading("m", START, {"voltage": 1.0}, site="House")).same == 1  # the book's own name
    with BookReader(book.path) as reader:
        assert reader.latest(now=LATER) == [own, Reading("n", START, {"voltage": 3.0})]
        assert reader.latest(["m"], site="Plant", now=LATER) == [foreign]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 2**53 + 1, 10**400])
def test_what_is_no_number_is_refused_with_its_whole_call_and_nothing_else(book: Book, value: float) -> None:
    with pytest.raises(BookError, match="main-a: voltage"):
        keep(book, poll(1), Reading("main-a", START, {"voltage": value}))
    assert keep(book, poll(1)).new == 1
    assert len(all_readings(book)) == 1


def test_a_refused_call_spoils_no_other_of_its_commit(path: Path) -> None:
    with Book.open(path, clock=StillClock(), commit_every_s=60) as book:
        good = book.append([poll(0)])
        bad = book.append([Reading("main-a", START, {"voltage": float("nan")})])
        other = book.append([poll(1)], urgent=True)
        assert (good.result(DONE_S).new, other.result(DONE_S).new) == (1, 1)
        assert isinstance(bad.exception(DONE_S), BookError)
        assert book.statistics().commits == 1


def test_lazy_readings_are_committed_together(path: Path) -> None:
    with Book.open(path, clock=StillClock(), commit_every_s=0.05) as book:
        futures = [book.append([poll(number)], fresh=True) for number in range(20)]
        assert [future.result(DONE_S).seqs for future in futures] == [(number + 1,) for number in range(20)]
        assert book.statistics().commits <= 3


def test_closing_commits_what_waits(path: Path) -> None:
    with Book.open(path, clock=StillClock(), commit_every_s=3600) as book:
        future = book.append(polls(3), fresh=True)
        book.acknowledge("sink", "2", "bookmark")
    assert future.result(0).new == 3
    with pytest.raises(BookError, match="closed"):
        book.append([poll(9)]).result(0)
    with Book.open(path, clock=StillClock()) as again:
        assert again.position("sink") == Position("2", "bookmark")
        assert len(all_readings(again)) == 3
        assert again.opened_with == ()


def test_numbers_go_on_after_opening_again(path: Path) -> None:
    with Book.open(path, clock=StillClock()) as book:
        first = keep(book, *polls(3))
        lineage = book.lineage
    with Book.open(path, clock=StillClock()) as book:
        assert keep(book, poll(3)).seqs[0] > first.seqs[-1]
        assert keep(book, poll(1)).seqs == (2,)
        assert book.lineage == lineage


def test_positions_cost_no_commit_of_their_own(book: Book) -> None:
    keep(book, poll(0))
    for number in range(100):
        book.acknowledge("sink", str(number))
    assert book.position("sink") == Position("99")
    assert book.position("other") is None
    assert book.statistics().commits == 1


def test_reading_on_meets_everything_once_in_order(book: Book) -> None:
    for number in range(50):
        keep(book, poll(number), poll(number, "main-b"))
        book.append_event(Event("meter.back", "main-b", START, {"number": number}))
    book.append_event(Event("last", "", START)).result(DONE_S)
    seen: list[int] = []
    after = ""
    while len(batch := book.read(after, 7)):
        assert len(batch) <= 7
        for columns in batch.columns:
            assert list(columns.seq) == sorted(columns.seq)
            seen += columns.seq
        seen += [event.seq for event in batch.events]
        after = batch.upto
    assert sorted(seen) == list(range(1, 152))
    assert book.read(after, 7).upto == after


def test_columns_hold_nothing_where_a_reading_lacks_a_quantity(book: Book) -> None:
    keep(book, Reading("m", START, {"voltage": 1.5}), Reading("m", START + timedelta(seconds=1), {"current": 2.5}))
    keep(book, Reading("m", START + timedelta(seconds=2), {"voltage": 3.25}))
    (columns,) = book.read("", 10).columns
    assert [list(map(repr, cells)) for cells in (columns.values["voltage"], columns.values["current"])] == [
        ["1.5", "nan", "3.25"],
        ["nan", "2.5", "nan"],
    ]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "１"])
def test_a_position_of_something_else_is_refused(book: Book, after: str) -> None:
    with pytest.raises(BookError, match="no position"):
        book.read(after, 10)


def test_readings_before_the_clock_was_set_are_redated_once(path: Path) -> None:
    unset = StillClock(START - timedelta(days=20_000))
    with Book.open(path, clock=unset) as book:
        keep(book, poll(-(10**8)))  # another run's: nobody knows by how much its clock was wrong
    with Book.open(path, clock=unset) as book:
        step = timedelta(days=20_000)
        wrong = [Reading("m", unset.at + timedelta(seconds=number), {"voltage": float(number)}) for number in range(3)]
        old = keep(book, *wrong, fresh=True)
        taken = Reading("m", START + timedelta(seconds=1), {"voltage": 9.0})
        keep(book, taken, Reading("n", START, {"voltage": 8.0}))
        assert book.redate(before=START - timedelta(days=1), by=step).result(DONE_S) == 3
        batch = book.read(str(old.seqs[-1] + 2), 10)
        moved = {reading.values["voltage"]: reading.at - START for reading in batch.readings()}
        assert moved == {
            0.0: timedelta(0), 1.0: timedelta(seconds=1, milliseconds=10), 2.0: timedelta(seconds=2),
        }  # fmt: skip
        (event,) = batch.events
        assert event.kind == "book.redated"
        assert event.body["last"] - event.body["first"] == 2
        assert list(event.body["gave_way"].values()) == [wrong[1].at.timestamp() * 1000]
        assert keep(book, Reading("m", START, {"voltage": 0.0})).same == 1
        assert book.redate(before=START - timedelta(days=1), by=step).result(DONE_S) == 0


def test_wakers_ring_after_commits_until_they_end(book: Book) -> None:
    rung = threading.Event()
    end = book.on_commit(rung.set)
    keep(book, poll(0))
    assert rung.wait(DONE_S)
    rung.clear()
    end()
    keep(book, poll(1))
    keep(book, poll(2))  # the second commit comes after the first one's wakers
    assert not rung.is_set()


async def test_a_caller_that_goes_away_stops_neither_its_readings_nor_the_book(path: Path) -> None:
    with Book.open(path, clock=StillClock(), commit_every_s=3600) as book:
        leaving = asyncio.ensure_future(asyncio.wrap_future(book.append([poll(0)])))
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert (await asyncio.wrap_future(book.append([poll(1)], urgent=True))).new == 1
        assert all_readings(book) == polls(2)


def test_a_second_writer_is_refused_in_words(book: Book, path: Path) -> None:
    with pytest.raises(BookError, match="is writing this book"):
        Book.open(path, clock=StillClock())


def test_readers_see_what_is_durable_while_the_writer_writes(book: Book) -> None:
    keep(book, *polls(3))
    with BookReader(book.path) as reader:
        assert reader.latest(now=LATER) == [poll(2)]
        keep(book, poll(3))
        assert reader.latest(["main-a", "unknown"], now=LATER) == [poll(3)]
        assert reader.meters() == ["main-a"]


def test_a_reader_without_a_book_says_so(path: Path) -> None:
    with BookReader(path) as reader, pytest.raises(BookError, match="there is no book yet"):
        reader.latest(now=LATER)


def test_too_much_that_somebody_waits_for_is_refused_for_later(path: Path) -> None:
    disk = HangingDisk()
    with Book.open(path, clock=StillClock(), connect=disk.connect, commit_every_s=3600, waiting_max=10) as book:
        disk.hang()
        held = book.append([poll(0)], urgent=True)
        assert disk.reached.wait(DONE_S)
        first = book.append(polls(10, first=1), urgent=True)
        error = book.append([poll(11)], urgent=True).exception(DONE_S)
        assert isinstance(error, BookError) and error.retry
        measured = book.append([poll(12)], fresh=True)  # which has its own room
        assert not first.done() and book.statistics().waiting == 12
        disk.go_on()
        assert (held.result(DONE_S).new, first.result(DONE_S).new, measured.result(DONE_S).new) == (1, 10, 1)
        assert book.statistics().waiting == 0


def test_too_much_that_was_measured_pushes_out_the_oldest_and_that_is_told(path: Path) -> None:
    disk = HangingDisk()
    with Book.open(path, clock=StillClock(), connect=disk.connect, commit_every_s=3600, waiting_max=10) as book:
        disk.hang()
        book.append([poll(0)], urgent=True)
        assert disk.reached.wait(DONE_S)
        pushed = book.append([poll(100)], urgent=True)
        measured = [book.append([poll(number)], fresh=True) for number in range(1, 16)]
        lost = [place for place, future in enumerate(measured) if future.done()]
        assert lost == [0, 1, 2, 3, 4]
        assert "dropped" in str(measured[0].exception())
        assert book.statistics().dropped == 5
        assert book.statistics().gap_since == START
        disk.go_on()
        assert pushed.result(DONE_S).new == 1
        assert [future.result(DONE_S).new for future in measured[5:]] == [1] * 10
        book.append([poll(200)], urgent=True).result(DONE_S)
        (gap,) = book.read("", 100).events
        assert (gap.kind, gap.body["readings"]) == ("book.gap", 5)
        assert gap.body["to"] == "2026-11-21T12:00:25.000Z"
        assert book.statistics().gap_since is None


def test_a_commits_worth_is_committed_however_long_the_time_between_commits(path: Path) -> None:
    with Book.open(path, clock=StillClock(), commit_every_s=3600, waiting_max=20_000) as book:
        measured = [book.append([poll(number)], fresh=True) for number in range(30_000)]
        assert measured[9_999].result(DONE_S).new == 1
    assert {future.result(0).new for future in measured} == {1}
    assert book.statistics().dropped == 0


def test_a_measured_reading_that_cannot_be_written_is_counted(path: Path) -> None:
    with Book.open(path, clock=StillClock(), commit_every_s=0.01) as book:
        future = book.append([Reading("m", START, {"voltage": float("nan")})], fresh=True)
        assert isinstance(future.exception(DONE_S), BookError)
        assert book.statistics().dropped == 1


def test_a_book_newer_than_the_program_is_refused_in_words(path: Path) -> None:
    Book.open(path, clock=StillClock()).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(BookError, match=f"version {VERSION + 1}.*use a newer wattbook"):
        Book.open(path, clock=StillClock())
    with BookReader(path) as reader, pytest.raises(BookError, match="use a newer wattbook"):
        reader.latest(now=LATER)


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(BookError, match="another program's database"):
        Book.open(path, clock=StillClock())
    assert path.read_bytes() == before


def test_a_book_in_a_folder_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="folder must exist"):
        Book.open(tmp_path / "no" / "wattbook.db", clock=StillClock())


def test_a_waker_that_fails_ends_neither_the_book_nor_the_others(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    rung = threading.Event()

    def fail() -> None:
        raise ValueError("a bug in a follower")

    book.on_commit(fail)
    book.on_commit(rung.set)
    for number in range(3):
        rung.clear()
        keep(book, poll(number))
        assert rung.wait(DONE_S)
    assert [record.getMessage() for record in caplog.records] == [
        "what was to be told of commits failed, and is told no more"
    ]


def test_work_in_hand_is_answered_when_a_bug_ends_the_writer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda died_of: died.append(died_of.exc_value))
    disk = HangingDisk()
    with Book.open(path, clock=StillClock(), connect=disk.connect, commit_every_s=3600) as book:
        keep(book, poll(0))
        with sqlite3.connect(path) as connection:  # a number taken by nobody knows whom
            connection.execute("INSERT INTO hot SELECT 2, meter, 1, shape, quality, doubt, cells FROM hot")
        connection.close()
        lazy = book.append([poll(1)], fresh=True)
        urgent = book.append([poll(2)], urgent=True)
        for future in (lazy, urgent):
            assert "closed before" in str(future.exception(DONE_S))
        assert "closed" in str(book.append([poll(3)]).exception(DONE_S))
    assert [type(error) for error in died] == [sqlite3.IntegrityError]
    assert book.statistics().waiting == 0
