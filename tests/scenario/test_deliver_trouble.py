"""Delivering when things go wrong at the worst moment: bugs of sinks, pauses in the middle, replays and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from book_tools import START, poll, polls
from shelf import Roll, Shelf
from sink_house import House, house
from wattbook.engine.try_again import set_aside
from wattbook.model import Event, Reading
from wattbook.model.batch import to_ms


@dataclass
class Gated(Shelf):
    """One whose large batches wait at a gate."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, batch: Any, bookmark: str) -> Any:
        if len(batch) > 3:
            await self.gate.wait()
        return await super().write(batch, bookmark)


async def test_a_bug_that_the_live_lane_meets_ends_nothing_but_is_told(tmp_path: Path) -> None:
    class Buggy(Gated):
        async def write(self, batch: Any, bookmark: str) -> Any:
            if self.away:
                raise KeyError("what is this")
            return await super().write(batch, bookmark)

    shelf = Buggy()
    async with house(tmp_path, shelf, batch=10) as home:
        await home.append(polls(50))
        (sink,) = home.running
        await home.until(lambda: sink._delivery._live is not None)
        shelf.away = "yes"
        await home.append([poll(500, "main-b")])
        shelf.gate.set()
        await home.until(lambda: sink.status.state == "failed")
        shelf.away = ""
        await home.drained()
        assert len(shelf.rows) == 51


async def test_a_sink_that_cannot_let_go_ends_nothing(tmp_path: Path) -> None:
    class Clinging(Shelf):
        async def aclose(self) -> None:
            raise KeyError("never opened")

    shelf = Clinging()
    async with house(tmp_path, shelf) as home:
        await home.append(polls(5))
        await home.drained()
        await home.running[0].pause(who="anna")
        await home.append([poll(5)])
        await home.running[0].resume(who="anna")
        await home.drained()
        assert len(shelf.rows) == 6


async def test_a_pause_comes_through_while_the_live_lane_ends(tmp_path: Path) -> None:
    @dataclass
    class Slow(Gated):
        """One whose write for the live lane does not end at once when it is cancelled."""

        stays: asyncio.Event = field(default_factory=asyncio.Event)
        live: Callable[[], object] = lambda: None
        ending: bool = False

        async def write(self, batch: Any, bookmark: str) -> Any:
            if asyncio.current_task() is self.live() and not self.stays.is_set():
                try:
                    await asyncio.Event().wait()
                finally:
                    self.ending = True
                    await self.stays.wait()
            return await super().write(batch, bookmark)

    shelf = Slow()
    async with house(tmp_path, shelf, batch=10) as home:
        await home.append(polls(20))
        (sink,) = home.running
        shelf.live = lambda: sink._delivery._live
        await home.until(lambda: bool(sink._delivery._writing._waiters))
        shelf.gate.set()
        await home.until(lambda: shelf.ending)
        pausing = asyncio.create_task(sink.pause(who="anna"))
        await home.until(lambda: not sink._resumed.is_set())
        for _ in range(10):
            await asyncio.sleep(0)
        shelf.stays.set()
        await home.until(pausing.done)
        await pausing
        await home.until(lambda: sink.status.state == "paused")


async def test_a_replay_passes_over_nothing_that_still_waits(tmp_path: Path) -> None:
    shelf = Shelf(away="it is being moved")
    async with house(tmp_path, shelf) as home:
        await home.append(polls(50))
        (sink,) = home.running
        await home.until(lambda: sink.status.state == "away")
        await sink.replay(poll(40).at, who="anna")
        shelf.away = ""
        await home.drained()
        assert len(shelf.rows) == 50
        await sink.replay(START + timedelta(days=300), who="anna")
        await home.append([poll(50)])
        await home.drained()
        assert len(shelf.rows) == 51


async def test_a_pause_during_a_replay_holds_and_a_resume_waits_for_it(tmp_path: Path) -> None:
    shelf = Shelf()
    async with house(tmp_path, shelf) as home:
        await home.append(polls(20))
        await home.drained()
        (sink,) = home.running
        await asyncio.gather(sink.replay(None, who="anna"), sink.pause(who="bert"))
        await home.until(lambda: sink.status.state == "paused")
        assert not sink._resumed.is_set()
        shelf.rows.clear()
        await asyncio.gather(sink.replay(None, who="anna"), sink.resume(who="bert"))
        await home.until(lambda: len(shelf.rows) == 20)


async def test_what_is_refused_again_stays_set_aside(tmp_path: Path) -> None:
    shelf = Shelf(accept=lambda meter, value: "too odd for me" if value in (25_409_003, 25_409_017) else "")
    async with house(tmp_path, shelf) as home:
        await home.append(polls(30))
        await home.drained()
        (sink,) = home.running
        assert await sink.replay_refused(who="anna") == 0
        assert len(set_aside(home.reader, "sink 0").readings) == 2
        shelf.accept = lambda meter, value: ""
        assert await sink.replay_refused(who="anna") == 2
        assert not set_aside(home.reader, "sink 0").readings and len(shelf.rows) == 30


async def test_what_was_set_aside_comes_in_batches_and_only_what_is_wanted(tmp_path: Path) -> None:
    shelf = Shelf(accept=lambda meter, value: "not yet" if int(value) % 2 else "")
    async with house(tmp_path, shelf, batch=10, quantities=("active_energy_import",)) as home:
        await home.append(polls(60))
        await home.drained()
        (sink,) = home.running
        shelf.accept, shelf.writes = lambda meter, value: "", []
        assert await sink.replay_refused(who="anna") == 30
        assert max(shelf.writes) <= 10
        assert all(row.keys() == {"active_energy_import"} for row in shelf.rows.values()) and len(shelf.rows) == 60


async def test_a_row_of_an_interval_that_was_set_aside_is_that_row_again(tmp_path: Path) -> None:
    shelf = Shelf(accept=lambda meter, value: "not yet" if value == 25_409_011 else "")
    async with house(tmp_path, shelf, every=60.0) as home:
        await home.append(polls(36))
        await home.drained()
        (sink,) = home.running
        end = "main-a", to_ms(START + timedelta(minutes=1))
        assert end not in shelf.rows and len(shelf.rows) == 2
        shelf.accept = lambda meter, value: ""
        assert await sink.replay_refused(who="anna") == 1
        assert shelf.rows[end]["active_energy_import"] == 25_409_011
        await home.append(polls(12, first=36))
        await home.drained()
        assert len(shelf.rows) == 4


async def _correct(home: House, number: int, value: float) -> None:
    was = poll(number)
    new = replace(was, values={**was.values, "active_energy_import": value})
    rows = [{"meter": was.meter, "at": was.at.isoformat(), "values": {}}]
    event = Event("meter.corrected", was.meter, home.clock.now(), {"from": was.at.isoformat(), "was": rows})
    await asyncio.wrap_future(home.book.correct([new], event))


async def test_one_that_appends_gets_what_was_corrected_before_it_came_by(tmp_path: Path) -> None:
    roll = Roll(away="it is being moved")
    async with house(tmp_path, roll) as home:
        await home.append(polls(10))
        await home.until(lambda: home.running[0].status.state == "away")  # it holds readings as they were
        await _correct(home, 3, 7.0)
        await _correct(home, 3, 8.0)
        roll.away = ""
        await home.drained()
        assert len(roll.given) == 10 and len(roll.rows) == 10
    later = Roll()
    async with house(tmp_path, later) as home:
        home.book.acknowledge("sink/sink 0", "", "")
        await home.drained()
        assert len(later.given) == 10 and later.rows["main-a", to_ms(poll(3).at)]["active_energy_import"] == 8.0
        await _correct(home, 3, 9.0)
        await home.append([poll(10)])
        await home.drained()
        assert len(later.given) == 11 and home.running[0].status.skipped == 1


async def test_events_of_other_kinds_are_no_corrections(tmp_path: Path) -> None:
    roll = Roll()
    async with house(tmp_path, roll) as home:
        await home.running[0].pause(who="anna")
        await home.append(polls(5))
        supply = Event("supply.changed", "", home.clock.now(), {"from": "", "was": "grid", "was_since": ""})
        await asyncio.wrap_future(home.book.append_event(supply))
        await home.running[0].resume(who="anna")
        await home.drained()
        assert len(roll.given) == 5 and home.running[0].status.state == "waiting"


async def test_a_replay_forgets_no_interval_that_is_open(tmp_path: Path) -> None:
    shelf = Shelf()
    async with house(tmp_path, shelf, every=60.0) as home:
        home.clock.at = START + timedelta(seconds=50)
        await home.append([*polls(3, "main-b"), *polls(8, first=3)])
        await home.drained()
        (sink,) = home.running
        await sink.replay(poll(5).at, who="anna")
        home.clock.at = START + timedelta(days=1)
        await home.append(polls(12, first=24))
        await home.drained()
        assert ("main-b", to_ms(START + timedelta(minutes=1))) in shelf.rows


async def test_intervals_read_late_are_added_and_those_sent_are_not(tmp_path: Path) -> None:
    roll = Roll()
    async with house(tmp_path, roll, every=60.0) as home:
        await home.append([poll(500_000)])  # by a clock that was far ahead
        home.clock.at = START + timedelta(days=60)
        await home.drained()
        home.clock.at = START + timedelta(minutes=4, seconds=30)
        await home.append(polls(12))
        await home.append(polls(24, first=36))
        await home.drained()
        home.clock.at = START + timedelta(minutes=6)
        await home.append(polls(24, first=12))  # kept by the meter meanwhile
        await home.append([Reading("main-a", poll(3).at + timedelta(seconds=1), {"active_energy_import": 1.0})])
        await home.drained()
    minutes = sorted(round((at - to_ms(START)) / 60_000) for _, at in roll.given[1:])
    assert minutes == [1, 2, 3, 4, 5]
    assert home.running[0].status.skipped == 1


async def test_one_that_is_away_is_not_asked_by_the_live_lane(tmp_path: Path) -> None:
    @dataclass
    class Counting(Shelf):
        tries: int = 0

        async def write(self, batch: Any, bookmark: str) -> Any:
            self.tries += 1
            return await super().write(batch, bookmark)

    shelf = Counting(away="wrong password")
    patience = asyncio.Event()

    async def wait(seconds: float) -> None:
        await patience.wait()

    async with house(tmp_path, shelf, batch=10) as home:
        (sink,) = home.running
        sink.sleep = wait
        await home.append(polls(50))
        await home.until(lambda: sink.status.state == "away")
        for number in range(5):
            tries = shelf.tries
            await home.append([poll(100 + number)])
            for _ in range(200):
                await asyncio.sleep(0.0005)
        assert shelf.tries == tries
        shelf.away = ""
        patience.set()
        await home.drained()
        assert len(shelf.rows) == 55


async def test_the_live_lane_gives_no_correction_to_one_that_appends(tmp_path: Path) -> None:
    class Pile(Shelf):
        append_only = True

    shelf = Pile()
    async with house(tmp_path, shelf, batch=10) as home:
        await home.append(polls(5))
        await home.drained()
        await home.running[0].pause(who="anna")
        await home.append(polls(3_000, "main-b"))
        await _correct(home, 3, 7.0)
        await home.running[0].resume(who="anna")
        await home.drained()
    assert shelf.rows["main-a", to_ms(poll(3).at)]["active_energy_import"] != 7.0
