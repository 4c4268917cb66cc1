"""Retention by rules: what they fit, what they leave, and that the journal says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from book_tools import StillClock
from wattbook.config import RetentionSettings, examine
from wattbook.engine.retain import Term, forget_due, terms
from wattbook.model import Reading, Span
from wattbook.store import Book, BookReader

ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
NOW = FIRST + timedelta(days=10, hours=1)
DAY_S = 86_400.0


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    with Book.open(tmp_path / "wattbook.db", clock=StillClock(NOW)) as book:
        for meter in ("main-a", "main-b"):
            readings = [
                Reading(meter, FIRST + number * timedelta(minutes=10), {"voltage": 230.0, "current": float(number)})
                for number in range(10 * 144)
            ]
            book.append(readings, urgent=True).result(30)
        book.seal(ZONE, NOW)
        yield book


def days_of(book: Book, meter: str, quantity: str) -> int:
    with BookReader(book.path) as reader:
        return len(reader.range(meter, quantity, Span(FIRST, FIRST + 10 * DAY))) // 144


def test_the_first_rule_that_fits_counts(book: Book) -> None:
    rules = [
        RetentionSettings(raw=30 * DAY_S, meters=("main-a",), quantities=("volt*",)),
        RetentionSettings(raw=3 * DAY_S, quantities=("voltage",)),
        RetentionSettings(raw=5 * DAY_S, meters=("main-a",)),
    ]
    with BookReader(book.path) as reader:
        assert set(terms(rules, reader)) == {
            Term("main-a", ("voltage",), 30 * DAY_S),
            Term("main-a", ("current",), 5 * DAY_S),
            Term("main-b", ("voltage",), 3 * DAY_S),
        }
        assert forget_due(book, reader, rules, NOW) == 5 + 7
        assert forget_due(book, reader, rules, NOW) == 0
    assert days_of(book, "main-a", "voltage") == 10
    assert days_of(book, "main-a", "current") == 5
    assert days_of(book, "main-b", "voltage") == 3
    assert days_of(book, "main-b", "current") == 10


def test_a_follower_behind_is_told_what_it_missed(book: Book) -> None:
    with BookReader(book.path) as reader:
        forget_due(book, reader, [RetentionSettings(raw=4 * DAY_S, meters=("main-b",))], NOW)
    book.append([], urgent=True)
    book.close()
    with BookReader(book.path) as reader:
        batch = reader.read("", 100_000)
    (event,) = batch.events
    assert (event.kind, event.subject) == ("book.forgotten", "main-b")
    assert event.body["days"] == 6
    assert sum(len(columns) for columns in batch.columns if columns.meter == "main-b") == 4 * 144


def words_of(path: Path, rules: str) -> str:
    path.write_text(f'[[meter]]\nname = "main-a"\nmodel = "json"\n{rules}', encoding="utf-8")
    return "\n".join(problem.at(path) for problem in examine(path)[1])


def test_a_rule_that_names_nothing_is_refused_with_the_nearest(tmp_path: Path) -> None:
    words = words_of(
        tmp_path / "wattbook.toml",
        '[[retention]]\nraw = "30d"\nmeters = ["mian-a"]\nquantities = ["voltag"]\n',
    )
    assert 'no meter is called "mian-a" (did you mean "main-a"' in words
    assert 'no quantity is called "voltag" (did you mean "voltage"' in words


def test_a_day_at_least_stays(tmp_path: Path) -> None:
    assert "[[retention]] 1: raw" in words_of(tmp_path / "wattbook.toml", '[[retention]]\nraw = "1h"\n')


def test_a_damaged_day_stays_and_the_others_are_forgotten(book: Book) -> None:
    with closing(sqlite3.connect(book.path)) as connection, connection:
        connection.execute("UPDATE piece SET data = zeroblob(length(data)) WHERE id = 1")
    with BookReader(book.path) as reader:
        assert forget_due(book, reader, [RetentionSettings(raw=4 * DAY_S, meters=("main-a",))], NOW) == 5
