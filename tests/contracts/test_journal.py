"""What every journal promises its followers: the book, and a small one of two partitions."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest

from book_tools import LATER, START, StillClock, poll, polls
from two_partitions import TwoPartitions
from wattbook.model import Batch, BookError, Event, Kept, Quality, Reading
from wattbook.store import Book, Journal, Position

METERS = ("main-a", "main-b", "generator")
DONE_S = 30.0


class Writing(Protocol):
    """A journal to append to, and to read as followers do."""

    journal: Journal

    def append(self, readings: Sequence[Reading]) -> Kept: ...

    def append_event(self, event: Event) -> int: ...


class InTheBook:
    def __init__(self, book: Book) -> None:
        self.journal: Journal = book
        self._book = book

    def append(self, readings: Sequence[Reading]) -> Kept:
        return self._book.append(readings, urgent=True).result(DONE_S)

    def append_event(self, event: Event) -> int:
        return self._book.append_event(event).result(DONE_S)


class InSealedTime(InTheBook):
    """All but each meter's newest reading is sealed after every word, as if days had gone by."""

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._zone = ZoneInfo("Europe/Prague")

    def append(self, readings: Sequence[Reading]) -> Kept:
        kept = super().append(readings)
        self._book.seal(self._zone, LATER + timedelta(days=2))
        return kept


class InMemory:
    def __init__(self) -> None:
        memory = TwoPartitions()
        self.journal: Journal = memory
        self.append, self.append_event = memory.append, memory.append_event


@pytest.fixture(params=["book", "sealed time", "two partitions"])
def writing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writing]:
    if request.param == "two partitions":
        yield InMemory()
        return
    with Book.open(tmp_path / "wattbook.db", clock=StillClock(), commit_every_s=0.01) as book:
        yield InTheBook(book) if request.param == "book" else InSealedTime(book)


def follow(journal: Journal, after: str, limit: int) -> Iterator[Batch]:
    """Read on to the end."""
    for _ in range(10_000):
        batch = journal.read(after, limit)
        if not len(batch):
            assert batch.upto == after
            return
        yield batch
        after = batch.upto
    raise AssertionError("the journal never ends")


@pytest.mark.parametrize("limit", [1, 2, 7, 1_000])
def test_everything_comes_once_and_in_order_of_each_meter(writing: Writing, limit: int) -> None:
    expected = {meter: polls(20, meter) for meter in METERS}
    for number in range(20):
        writing.append([expected[meter][number] for meter in METERS])
        writing.append_event(Event("number", str(number), START))
    batches = list(follow(writing.journal, "", limit))
    assert all(len(batch) <= limit for batch in batches)
    for meter, readings in expected.items():
        assert [each for batch in batches for each in batch.readings() if each.meter == meter] == readings
    assert [event.subject for batch in batches for event in batch.events] == [str(number) for number in range(20)]


def test_reading_on_from_any_position_gives_the_rest(writing: Writing) -> None:
    for number in range(10):
        writing.append([poll(number, meter) for meter in METERS])
    positions = ["", *(batch.upto for batch in follow(writing.journal, "", 4))]
    total = 10 * len(METERS)
    rests = [sum(map(len, follow(writing.journal, position, 1_000))) for position in positions]
    assert rests == [max(0, total - 4 * place) for place in range(len(positions))]


def test_what_comes_later_is_read_later(writing: Writing) -> None:
    writing.append(polls(3))
    first = writing.journal.read("", 100)
    writing.append([poll(5), poll(4)])
    second = writing.journal.read(first.upto, 100)
    assert {reading.at for reading in second.readings()} == {poll(4).at, poll(5).at}


def test_delivered_twice_is_kept_once_with_the_same_number(writing: Writing) -> None:
    kept = writing.append(polls(3))
    again = writing.append([poll(1), Reading("main-a", poll(2).at, {"voltage": 1.0})])
    assert (again.new, again.same, again.conflicts) == (0, 1, 1)
    assert again.seqs == kept.seqs[1:]
    assert sum(map(len, follow(writing.journal, "", 100))) == 3


def test_a_reading_comes_back_whole(writing: Writing) -> None:
    readings = [
        Reading("m", START, {"voltage": 230.1, "current": 0.123}, Quality.SUSPECT, {"current": Quality.GOOD}),
        Reading("m", START, {"frequency": 50.0}, site="Plant"),
    ]
    writing.append(readings)
    found = [reading for batch in follow(writing.journal, "", 1) for reading in batch.readings()]
    assert sorted(found, key=lambda reading: reading.site) == readings


def test_an_event_comes_back_whole_with_its_number(writing: Writing) -> None:
    event = Event("meter.away", "m", START, {"why": "silence", "count": 3}, actor="someone")
    seq = writing.append_event(event)
    (batch,) = follow(writing.journal, "", 10)
    assert batch.events == (Event("meter.away", "m", START, {"why": "silence", "count": 3}, "someone", seq),)


def test_positions_are_kept_for_each_follower(writing: Writing) -> None:
    journal = writing.journal
    assert journal.position("sink") is None
    journal.acknowledge("sink", "somewhere", "bookmark")
    journal.acknowledge("sink", "further")
    journal.acknowledge("alerts", "elsewhere")
    assert journal.position("sink") == Position("further")
    assert journal.position("alerts") == Position("elsewhere")


def test_a_decision_and_its_position_are_written_together(writing: Writing) -> None:
    journal = writing.journal
    writing.append(polls(2))
    journal.acknowledge("watch", "early", "old")
    events = [Event("alert", "one", START), Event("alert", "two", START)]
    seqs = journal.decide("watch", "late", "new", events).result(DONE_S)
    assert journal.position("watch") == Position("late", "new")
    (batch,) = follow(journal, "", 10)
    assert [(event.subject, event.seq) for event in batch.events] == list(zip(["one", "two"], seqs, strict=True))


def test_whoever_waits_is_woken_by_a_commit(writing: Writing) -> None:
    rung = threading.Event()
    writing.journal.on_commit(rung.set)
    writing.append(polls(1))
    assert rung.wait(DONE_S)


def test_a_position_of_another_journal_is_refused(writing: Writing) -> None:
    with pytest.raises(BookError, match="no position"):
        writing.journal.read("of/something:else", 10)
