"""The timer of backups on a virtual clock: when one is made, what a failure says and when it is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from book_tools import START, StillClock, polls
from wattbook.config import BackupSettings, Config, load
from wattbook.engine.back_up import keep_backups
from wattbook.model import Event
from wattbook.store import Book
from wattbook.store.backup import backups


class Settled(StillClock):
    """A clock that was set long ago."""

    settled = True


class Ended(Exception):
    """The scenario is over."""


def run(config: Config, book: Book, clock: Settled, minutes: int, meanwhile: Callable[[datetime], None]) -> list[Event]:
    """Let minutes go by; return what the journal says of backups."""
    passed = 0

    async def sleep(seconds: float) -> None:
        nonlocal passed
        if passed == minutes:
            raise Ended
        passed += 1
        clock.at += timedelta(seconds=seconds)
        meanwhile(clock.at)

    async def scenario() -> None:
        try:
            await keep_backups(config, book, clock, sleep=sleep)  # type: ignore[arg-type]
        except Ended:
            return

    asyncio.run(scenario())
    book.append([], urgent=True).result(30)
    return [event for event in book.read("", 100_000).events if event.kind.startswith("backup.")]


def configured(folder: Path, target: Path) -> Config:
    path = folder / "wattbook.toml"
    path.write_text('[[meter]]\nname = "main-a"\nmodel = "push"\n', encoding="utf-8")
    return replace(load(path), backup=BackupSettings(dir=target, every=3600.0, keep=2))


def test_backups_come_with_their_period_and_the_newest_stay(tmp_path: Path) -> None:
    clock = Settled()
    config = configured(tmp_path, tmp_path / "copies")
    with Book.open(config.book, clock=clock) as book:
        book.append(polls(10), urgent=True).result(30)
        events = run(config, book, clock, 200, lambda now: None)
    assert [event.kind for event in events] == ["backup.made"] * 4
    assert [event.at - START for event in events] == [timedelta(minutes=minute) for minute in (1, 61, 121, 181)]
    assert [instant for instant, _ in backups(tmp_path / "copies")] == [event.at for event in events[-2:]]


def test_a_failure_is_told_once_and_tried_again_every_ten_minutes(tmp_path: Path) -> None:
    clock = Settled()
    target = tmp_path / "copies"
    target.write_text("a file is in the way", encoding="utf-8")
    config = configured(tmp_path, target)

    def unplugged(now: datetime) -> None:
        if now == START + timedelta(minutes=25):
            target.unlink()

    with Book.open(config.book, clock=clock) as book:
        events = run(config, book, clock, 40, unplugged)
    assert [(event.kind, event.at - START) for event in events] == [
        ("backup.failed", timedelta(minutes=1)),
        ("backup.made", timedelta(minutes=31)),
    ]
    assert "no backup was made" in events[0].body["reason"]


def test_a_clock_that_may_be_wrong_makes_none(tmp_path: Path) -> None:
    clock = Settled()
    clock.settled = False
    config = configured(tmp_path, tmp_path / "copies")
    with Book.open(config.book, clock=clock) as book:
        assert run(config, book, clock, 100, lambda now: None) == []
