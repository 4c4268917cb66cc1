"""A house whose sinks follow its book: the laboratory of the tests that deliver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from book_tools import START, StillClock
from shelf import Shelf, ShelfSettings
from wattbook.config import Config, examine
from wattbook.engine.run_sinks import RunningSink, make_sinks
from wattbook.model import Reading
from wattbook.store import Book, BookReader

WITHIN_S = 30.0  # far beyond what is needed: longer means stuck
HOUSE = """
[site]
timezone = "Europe/Prague"
[[meter]]
name = "main-a"
model = "push"
location = "house/panel"
[[meter]]
name = "main-b"
model = "push"
location = "house/garage"
"""


class House:
    """A book and the sinks that follow it."""

    def __init__(self, folder: Path, *sinks: ShelfSettings) -> None:
        (folder / "wattbook.toml").write_text(HOUSE, encoding="utf-8")
        config, problems = examine(folder / "wattbook.toml")
        assert config is not None and not problems
        self.config: Config = replace(config, sinks=sinks)
        self.clock = StillClock(START + timedelta(days=2))
        self.book = Book.open(config.book, clock=self.clock, commit_every_s=0.01)
        self.reader = BookReader(config.book)
        self.running: Sequence[RunningSink] = ()

    async def append(self, readings: Sequence[Reading]) -> None:
        await asyncio.wrap_future(self.book.append(readings, urgent=True))

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not true():
                await asyncio.sleep(0)

    async def drained(self) -> None:
        """Wait until every sink has taken everything."""
        await self.until(
            lambda: all(
                sink.status.state == "waiting" and not self.reader.behind(sink.status.after) for sink in self.running
            )
        )


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def house(folder: Path, *shelves: Shelf, **settings: Any) -> AsyncIterator[House]:
    """The sinks run until the block ends."""
    sinks = [ShelfSettings(name=f"sink {n}", shelf=shelf, **settings) for n, shelf in enumerate(shelves)]
    home = House(folder, *sinks)
    home.running = make_sinks(home.config, home.book, home.reader, home.clock)
    tasks = []
    for sink in home.running:
        sink.sleep = _at_once
        tasks.append(asyncio.create_task(sink.run()))
    try:
        yield home
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        home.book.close()
        home.reader.close()
