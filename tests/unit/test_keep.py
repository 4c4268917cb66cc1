"""The keeper: what nobody waits for is not lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from book_tools import START, StillClock, poll
from wattbook.engine.keep import BookKeeper
from wattbook.engine.live import Live
from wattbook.model import Event, Reading
from wattbook.store import Book


def test_a_polled_reading_that_the_book_refuses_is_logged_once_when_it_begins_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Book.open(tmp_path / "wattbook.db", clock=StillClock(), commit_every_s=3600) as book:
        keeper = BookKeeper(book, Live(StillClock()))
        for _ in range(3):
            keeper.measured(Reading("main-a", START, {"voltage": float("nan")}))
        keeper.measured(poll(1))
        keeper.measured(poll(2))
    messages = [record.getMessage() for record in caplog.records if record.name == "wattbook.keep"]
    assert len(messages) == 2
    assert messages[0].startswith("main-a: not kept in the book: main-a: voltage")
    assert messages[1] == "main-a: kept in the book again"
    assert book.statistics().dropped == 3


def test_an_event_for_a_closed_book_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Book.open(tmp_path / "wattbook.db", clock=StillClock()) as book:
        keeper = BookKeeper(book, Live(StillClock()))
    keeper.note(Event("meter.away", "main-a", START))
    assert "meter.away: not kept in the book: the book is closed" in caplog.text
