"""Whatever happens in whatever order, a sink ends up with what the book holds."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from book_tools import START, TORTURE, poll
from shelf import Ledger, Roll, Shelf
from sink_house import House, house
from wattbook.engine.condense import Intervals, rows_of
from wattbook.model import Event
from wattbook.model.batch import to_ms

SEEDS = range(200 if TORTURE else 4)
STEPS = 25
ODD = 25_409_013.0  # a value that is refused for ever
SHELVES = {"any order": Shelf, "appends": Roll, "keeps its position": Ledger}


@dataclass
class World:
    """What was done so far, by a seed."""

    dice: random.Random
    shelf: Shelf
    left: list[int] = field(default_factory=lambda: list(range(60)))
    written: list[int] = field(default_factory=list)
    corrected: set[int] = field(default_factory=set)
    paused: bool = False

    async def step(self, home: House) -> None:
        (sink,) = home.running
        what = self.dice.choice(["read", "read", "read", "late", "away", "back", "pause", "resume", "correct", "wait"])
        if what in ("read", "late") and self.left:
            count = self.dice.randint(1, 5)
            numbers = self.left[:count] if what == "read" else [self.left.pop(self.dice.randrange(len(self.left)))]
            self.left = [each for each in self.left if each not in numbers]
            self.written += numbers
            await home.append([poll(each, self.dice.choice(["main-a", "main-b"])) for each in numbers])
        elif what in ("away", "back"):
            self.shelf.away = "it is being moved" if what == "away" else ""
        elif what == "pause":
            await sink.pause(who="law")
        elif what == "resume":
            await sink.resume(who="law")
        elif what == "correct" and self.written:
            await self._correct(home)
        else:
            for _ in range(self.dice.randint(1, 60)):
                await asyncio.sleep(0.0001)

    async def _correct(self, home: House) -> None:
        number = self.dice.choice(self.written)
        for meter in ("main-a", "main-b"):
            old = poll(number, meter)
            if (meter, to_ms(old.at)) in _book(home):
                self.corrected.add(number)
                new = replace(old, values={**old.values, "active_energy_import": 1000.0 + self.dice.randrange(1000)})
                rows: list[Any] = [{"meter": meter, "at": old.at.isoformat(), "values": {}}]
                event = Event("meter.corrected", meter, home.clock.now(), {"from": old.at.isoformat(), "was": rows})
                await asyncio.wrap_future(home.book.correct([new], event))


def _book(home: House) -> Mapping[tuple[str, int], dict[str, float]]:
    """Everything in the book, by identity."""
    return {
        (reading.meter, to_ms(reading.at)): dict(reading.values)
        for columns in home.reader.read("", 100_000).columns
        for reading in columns.readings()
    }


def _condensed(home: House, every_s: float) -> Mapping[tuple[str, int], dict[str, float]]:
    intervals = Intervals.remember(every_s, home.config.site.timezone, "")
    found: dict[tuple[str, int], dict[str, float]] = {}
    for meter in {meter for meter, _ in _book(home)}:
        starts = sorted({intervals.span_of(at_ms)[0] for name, at_ms in _book(home) if name == meter})
        columns = rows_of(home.reader, intervals, "", meter, starts, "last")
        for row, at_ms in enumerate(columns.at_ms):
            cells = {name: its[row] for name, its in columns.values.items() if not math.isnan(its[row])}
            found[meter, at_ms] = cells
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("every", [None, 20.0])
@pytest.mark.parametrize("kind", SHELVES)
async def test_the_shelf_holds_what_the_book_holds(tmp_path: Path, kind: str, every: float | None, seed: int) -> None:
    dice = random.Random(f"{seed} {kind} {every}")
    shelf = SHELVES[kind]()
    world = World(dice, shelf)
    if kind == "any order":
        shelf.accept = lambda meter, value: "too odd for me" if value == ODD else ""
    for _ in range(3):  # runs of the daemon
        async with house(tmp_path, shelf, every=every, batch=dice.choice([1, 3, 7, 50])) as home:
            for _ in range(STEPS):
                await world.step(home)
    shelf.away = ""
    async with house(tmp_path, shelf, every=every, batch=7) as home:
        home.clock.at = START + timedelta(days=3)
        await home.running[0].resume(who="law")
        await home.append([poll(1000, "main-a"), poll(1000, "main-b")])
        await home.drained()
        holds = _book(home) if every is None else _condensed(home, every)
        _compare(kind, shelf, holds)


def _compare(kind: str, shelf: Shelf, holds: Mapping[tuple[str, int], dict[str, float]]) -> None:
    wanted = {who: row for who, row in holds.items() if shelf.accept(who[0], row["active_energy_import"]) == ""}
    if kind == "any order":
        assert {who: shelf.rows[who] for who in wanted} == wanted
        assert shelf.rows.keys() <= holds.keys()
        return
    assert shelf.rows.keys() == holds.keys()
    if kind == "keeps its position":  # others may get once more what was written just before they were stopped
        assert max(Counter(shelf.given).values()) == 1, "written twice"
