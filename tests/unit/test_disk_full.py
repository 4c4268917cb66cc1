"""A full disk: reading goes on, nothing acknowledged is lost, what had to be dropped is told."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from book_tools import START, StillClock, poll, polls
from wattbook.codecs.reading_json import format_instant
from wattbook.model import BookError, Event
from wattbook.store import Book
from wattbook.store.connection import connect_writer

DONE_S = 30.0
PAGES = 40  # 80 KB: some thousand readings


class SmallDisk:
    """Connects the book to a file that may not grow, until `make_room`."""

    def __init__(self) -> None:
        self._connections: list[sqlite3.Connection] = []

    def connect(self, path: Path) -> sqlite3.Connection:
        connection = connect_writer(path)
        connection.execute(f"PRAGMA max_page_count = {PAGES}").fetchone()
        self._connections.append(connection)
        return connection

    def make_room(self) -> None:
        self._connections[-1].execute("PRAGMA max_page_count = 1000000").fetchone()


def fill(book: Book) -> list[int]:
    """Append until the book refuses; return the numbers that were acknowledged."""
    seqs: list[int] = []
    for number in range(0, 100_000, 100):
        future = book.append(polls(100, first=number), urgent=True)
        error = future.exception(DONE_S)
        if error is not None:
            assert isinstance(error, BookError) and error.retry and "full" in str(error)
            return seqs
        seqs += future.result(0).seqs
    raise AssertionError("the disk never became full")


def numbers(book: Book) -> list[int]:
    return [seq for columns in book.read("", 100_000).columns for seq in columns.seq]


def test_nothing_acknowledged_is_lost_and_measuring_goes_on(tmp_path: Path) -> None:
    disk = SmallDisk()
    with Book.open(tmp_path / "wattbook.db", clock=StillClock(), connect=disk.connect, commit_every_s=0.01) as book:
        acknowledged = fill(book)
        assert acknowledged
        assert numbers(book) == acknowledged
        measured = [book.append([poll(1_000_000 + number)], fresh=True) for number in range(50)]
        noted = book.append_event(Event("meter.away", "main-b", START))
        refused = book.append([poll(2_000_000)], urgent=True).exception(DONE_S)
        assert isinstance(refused, BookError) and refused.retry
        statistics = book.statistics()
        assert statistics.gap_since == START and "full" in statistics.gap_reason
        assert statistics.waiting == 51
        disk.make_room()
        assert {future.result(DONE_S).new for future in measured} == {1}
        assert noted.result(DONE_S) > acknowledged[-1]
        assert book.statistics().gap_since is None
        assert len(numbers(book)) == len(acknowledged) + 50


def test_the_oldest_measured_readings_make_room_and_the_gap_is_told(tmp_path: Path) -> None:
    disk = SmallDisk()
    path = tmp_path / "wattbook.db"
    with Book.open(path, clock=StillClock(), connect=disk.connect, commit_every_s=0.01, waiting_max=100) as book:
        acknowledged = fill(book)
        measured = [book.append([poll(1_000_000 + number)], fresh=True) for number in range(250)]
        for future in measured[:150]:
            error = future.exception(DONE_S)
            assert isinstance(error, BookError) and "dropped" in str(error)
        disk.make_room()
        assert [future.result(DONE_S).new for future in measured[150:]] == [1] * 100
        assert book.statistics().dropped == 150
        (gap,) = [event for event in book.read(str(acknowledged[-1]), 1_000).events if event.kind == "book.gap"]
        assert gap.body["readings"] == 150
        assert gap.body["from"] == format_instant(poll(1_000_000).at)
        assert gap.body["to"] == format_instant(poll(1_000_149).at)


def test_a_gap_ends_when_something_was_written_and_not_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattbook.store.writer._RETRY_S", 0.01)
    disk = SmallDisk()
    with Book.open(tmp_path / "wattbook.db", clock=StillClock(), connect=disk.connect) as book:
        fill(book)
        commits = book.statistics().commits
        for number in range(50):  # each is tried or refused; between them nothing waits
            assert book.append(polls(100, first=1_000_000 + number), urgent=True).exception(DONE_S) is not None
            assert book.statistics().gap_since == START
        assert book.statistics().commits == commits
        assert "again" not in caplog.text
        disk.make_room()
        while book.append([poll(2_000_000)], urgent=True).exception(DONE_S) is not None:  # till the next try: 10 ms
            pass
        assert book.statistics().gap_since is None
        assert "can be written again; 0 readings" in caplog.text


def test_what_is_lost_at_the_close_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = SmallDisk()
    with Book.open(tmp_path / "wattbook.db", clock=StillClock(), connect=disk.connect) as book:
        fill(book)
        book.append(polls(5_000, first=1_000_000), fresh=True)
    assert "5000 readings and events could not be written" in caplog.text
    assert book.statistics().dropped == 5_000


@pytest.mark.parametrize("room", [False, True])
def test_a_full_book_closes_and_opens_again(tmp_path: Path, room: bool) -> None:
    disk = SmallDisk()
    path = tmp_path / "wattbook.db"
    with Book.open(path, clock=StillClock(), connect=disk.connect) as book:
        acknowledged = fill(book)
        waiting = book.append(polls(5_000, first=1_000_000), fresh=True)
        if room:
            disk.make_room()
    assert (waiting.exception(0) is None) == room
    with Book.open(path, clock=StillClock()) as book:
        assert book.opened_with == ()
        assert numbers(book)[: len(acknowledged)] == acknowledged
