"""Delivering to a sink: what it is given, in which parts and lanes, what is set aside, over pauses and restarts."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from book_tools import START, poll, polls
from shelf import Ledger, Roll, Shelf
from sink_house import House, house
from wattbook.engine.deliver import REFUSED
from wattbook.engine.order_sinks import carry_out
from wattbook.model import Batch, Event, Quality, Reading
from wattbook.model.batch import to_ms
from wattbook.sinks import Rejected


def energies(shelf: Shelf) -> list[float]:
    return sorted(row["active_energy_import"] for row in shelf.rows.values())


async def test_every_sink_gets_everything_and_one_that_is_away_touches_no_other(tmp_path: Path) -> None:
    one, other = Shelf(), Shelf(away="it is being moved")
    async with house(tmp_path, one, other) as home:
        await home.append(polls(30) + polls(20, "main-b"))
        await home.until(lambda: len(one.rows) == 50)
        await home.until(lambda: home.running[1].status.retries > 3)
        assert home.running[1].status.reason == "it is being moved" and home.running[1].status.state == "away"
        other.away = ""
        await home.drained()
        assert one.rows == other.rows
        assert len(one.given) == len(other.given) == 50


async def test_it_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    first, second = Shelf(), Shelf()
    async with house(tmp_path, first) as home:
        await home.append(polls(30))
        await home.drained()
        await home.append([poll(30)])
        await home.drained()
    async with house(tmp_path, second) as home:
        await home.append([poll(31)])
        await home.drained()
    assert {**first.rows, **second.rows}.keys() == {("main-a", to_ms(each.at)) for each in polls(32)}
    assert len(second.rows) < 32


async def test_only_what_is_wanted_is_sent(tmp_path: Path) -> None:
    by_meter, by_place = tmp_path / "meter", tmp_path / "place"
    by_meter.mkdir(), by_place.mkdir()
    shelf = Shelf()
    async with house(by_meter, shelf, meters=("*-b",), quantities=("volt*",)) as home:
        await home.append(polls(5) + polls(5, "main-b"))
        await home.drained()
    assert {meter for meter, _ in shelf.rows} == {"main-b"}
    assert all(row.keys() == {"voltage"} for row in shelf.rows.values())
    shelf = Shelf()
    async with house(by_place, shelf, locations=("house/panel",), suspect=False) as home:
        doubtful = replace(poll(7), doubt={"voltage": Quality.SUSPECT})
        await home.append([*polls(5), *polls(5, "main-b"), replace(poll(6), quality=Quality.SUSPECT), doubtful])
        await home.drained()
    assert {meter for meter, _ in shelf.rows} == {"main-a"} and len(shelf.rows) == 6
    assert shelf.rows["main-a", to_ms(doubtful.at)].keys() == {"active_energy_import"}


async def test_what_is_refused_for_ever_is_set_aside_and_can_be_replayed(tmp_path: Path) -> None:
    shelf = Shelf(accept=lambda meter, value: "too odd for me" if value in (25_409_003, 25_409_017) else "")
    async with house(tmp_path, shelf) as home:
        await home.append(polls(100))
        await home.drained()
        assert len(shelf.rows) == 98 and len(shelf.given) == 98
        (sink,) = home.running
        assert sink.status.rejected == 2
        (event,) = home.reader.events_about("sink 0", (REFUSED,))
        assert [row["reason"] for row in event.body["readings"]] == ["too odd for me"] * 2
        shelf.accept = lambda meter, value: ""
        assert await sink.replay_refused(who="anna") == 2
        assert len(shelf.rows) == 100
        again = await carry_out(sink, {"do": "replay", "refused": True}, who="anna", zone=UTC, now=START)
        assert again == {"done": "replay", "taken": 0}
        await home.append([poll(100)])
        await home.drained()
        assert energies(shelf) == [25_409_000 + number for number in range(101)]


@pytest.mark.parametrize("year", [1, 1899, 2201])
@pytest.mark.parametrize("every", [None, 60.0])
async def test_a_reading_of_an_impossible_year_is_set_aside_and_stops_nothing(
    tmp_path: Path, year: int, every: float | None
) -> None:
    """Books hold some from the time when they were taken: a program without a clock sends the first of January 1."""
    shelf, odd = Shelf(), replace(poll(0), at=datetime(year, 1, 1, tzinfo=UTC))
    async with house(tmp_path, shelf, every=every) as home:
        await home.append([odd, *polls(100)])
        await home.drained()
        (sink,) = home.running
        written = dict(shelf.rows)
        assert sink.status.rejected == 1 and len(written) == (100 if every is None else 9)
        (event,) = home.reader.events_about("sink 0", (REFUSED,))
        assert [row["reason"] for row in event.body["readings"]] == ["its instant is of no year from 1900 to 2200"]
        assert await sink.replay_refused(who="anna") == 0
        assert shelf.rows == written
        await home.append([poll(100), replace(odd, at=odd.at + timedelta(hours=1))])
        await home.drained()
        assert sink.status.rejected == 2


async def test_one_that_refuses_everything_keeps_it_and_is_marked(tmp_path: Path) -> None:
    shelf = Shelf(accept=lambda meter, value: "no column of this name")
    async with house(tmp_path, shelf) as home:
        await home.append(polls(100))
        (sink,) = home.running
        await home.until(lambda: sink.status.state == "away")
        assert "no column of this name" in sink.status.reason and not sink.status.rejected
        shelf.accept = lambda meter, value: ""
        await home.drained()
        assert len(shelf.rows) == 100


class Short(Shelf):
    """One that keeps nothing older than an instant, and says which readings are."""

    async def write(self, batch: Any, bookmark: str) -> Any:
        oldest_ms = to_ms(START) + 50 * 5_000
        late = [(part, at) for part in batch.columns for at in part.at_ms if at < oldest_ms]
        told = tuple(Rejected(part.meter, at, "it is too old", late=True) for part, at in late)
        kept = [part.cut(slice(bisect_left(part.at_ms, oldest_ms), None)) for part in batch.columns]
        return replace(await super().write(Batch(tuple(kept), (), ""), bookmark), rejected=told)


async def test_history_that_is_too_old_for_a_new_sink_does_not_hold_it_up(tmp_path: Path) -> None:
    shelf = Short()
    async with house(tmp_path, shelf, batch=30) as home:
        await home.append(polls(100))
        await home.drained()
        (sink,) = home.running
        assert (len(shelf.rows), sink.status.rejected) == (50, 50)
        assert sum(len(event.body["readings"]) for event in home.reader.events_about("sink 0", (REFUSED,))) == 50


async def test_much_that_is_too_old_is_not_noted_one_by_one(tmp_path: Path) -> None:
    shelf = Short()
    async with house(tmp_path, shelf) as home:
        await home.append([replace(poll(0), at=START - timedelta(seconds=number)) for number in range(1000, 0, -1)])
        await home.append(polls(60))
        await home.drained()
        (sink,) = home.running
        assert (len(shelf.rows), sink.status.rejected) == (10, 1050)
        assert len(home.reader.events_about("sink 0", (REFUSED,))) <= 1


async def test_a_meter_that_is_refused_does_not_hold_up_those_behind_it(tmp_path: Path) -> None:
    shelf = Shelf(accept=lambda meter, value: "no such meter" if meter == "main-a" else "")
    async with house(tmp_path, shelf) as home:
        (sink,) = home.running
        await sink.pause(who="anna")
        await home.append(polls(40) + polls(300, "main-b"))
        await sink.resume(who="anna")
        await home.drained()
        assert {meter for meter, _ in shelf.rows} == {"main-b"}
        assert (len(shelf.rows), len(shelf.given)) == (300, 301)  # one to see whether anything is taken
        assert (sink.status.rejected, sink.status.written) == (40, 300)


async def test_a_network_that_hangs_is_given_up_and_tried_again(tmp_path: Path) -> None:
    shelf = Shelf(hangs=True)
    async with house(tmp_path, shelf, timeout=0.05) as home:
        await home.append(polls(10))
        (sink,) = home.running
        await home.until(lambda: sink.status.retries > 1)
        assert sink.status.reason == "no answer within 0.05 s to 10 readings" and shelf.closed
        shelf.hangs = False
        await home.drained()
        assert len(shelf.rows) == 10


async def test_one_that_is_slow_gets_as_much_at_once_as_it_takes_in_time(tmp_path: Path) -> None:
    class Slow(Shelf):
        async def write(self, batch: Any, bookmark: str) -> Any:
            if len(batch) > 100:
                await asyncio.Event().wait()
            return await super().write(batch, bookmark)

    shelf = Slow()
    async with house(tmp_path, shelf, timeout=0.05) as home:
        await home.append(polls(1_000))
        await home.drained()
        assert len(shelf.rows) == 1_000
        assert max(shelf.writes) <= 100 and len(shelf.given) < 3_000


async def test_a_bug_of_a_sink_is_told_once_and_it_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy(Shelf):
        tries = 0

        async def write(self, batch: Any, bookmark: str) -> Any:
            if self.away:
                self.tries += 1
                raise KeyError("what is this")
            return await super().write(batch, bookmark)

    shelf, other = Buggy(away="yes"), Shelf()
    async with house(tmp_path, shelf, other) as home:
        await home.append(polls(10))
        await home.until(lambda: home.running[0].status.state == "failed")
        await home.until(lambda: len(other.rows) == 10 and shelf.tries >= 3)
        assert caplog.text.count("begins anew") == 1
        shelf.away = ""
        await home.drained()
        assert len(shelf.rows) == 10


async def test_what_is_read_now_passes_a_backlog(tmp_path: Path) -> None:
    shelf = Shelf()
    async with house(tmp_path, shelf, batch=100) as home:
        await home.append([*polls(5_000), poll(5_000, "main-b")])
        await home.drained()
        assert len(shelf.rows) == 5_001 and not home.running[0].status.behind
        (place, last) = (n for n, (meter, _) in enumerate(shelf.given) if meter == "main-b")
        assert place < 3_500 and last >= 5_000  # the two lanes take turns, and the backlog has the last word


async def test_one_that_needs_order_gets_a_backlog_in_order(tmp_path: Path) -> None:
    roll = Roll()
    async with house(tmp_path, roll, batch=100) as home:
        await home.append(polls(2_000))
        await home.drained()
    assert roll.given == [("main-a", to_ms(each.at)) for each in polls(2_000)]


async def test_a_correction_reaches_what_can_be_changed_and_is_counted_where_not(tmp_path: Path) -> None:
    shelf, roll = Shelf(), Roll()
    async with house(tmp_path, shelf, roll) as home:
        await home.append(polls(10))
        await home.drained()
        was = poll(3)
        new = replace(was, values={**was.values, "active_energy_import": 7.0})
        body = {"from": was.at.isoformat(), "was": [{"meter": was.meter, "at": was.at.isoformat(), "values": {}}]}
        await asyncio.wrap_future(home.book.correct([new], Event("meter.corrected", "main-a", home.clock.now(), body)))
        await home.append([poll(10)])
        await home.drained()
        assert shelf.rows["main-a", to_ms(was.at)]["active_energy_import"] == 7.0
        assert roll.rows["main-a", to_ms(was.at)]["active_energy_import"] != 7.0
        assert len(roll.given) == 11 and home.running[1].status.skipped == 1


async def test_one_row_an_interval_registers_last_gauges_as_asked(tmp_path: Path) -> None:
    shelf = Shelf()
    async with house(tmp_path, shelf, every=60.0, aggregate="mean") as home:
        home.clock.at = START + timedelta(seconds=130)
        await home.append(polls(26))  # 12:00:00 to 12:02:05, and the third minute is not over
        await home.drained()
        ends = [to_ms(START + timedelta(minutes=minute)) for minute in (1, 2)]
        assert list(shelf.rows) == [("main-a", end) for end in ends]
        first = shelf.rows["main-a", ends[0]]
        assert first["active_energy_import"] == 25_409_011
        assert abs(first["voltage"] - sum(poll(n).values["voltage"] for n in range(12)) / 12) < 1e-9
        late = Reading("main-a", START + timedelta(seconds=58), {"active_energy_import": 25_409_500.0})
        await home.append([late])
        await home.drained()
        assert shelf.rows["main-a", ends[0]]["active_energy_import"] == 25_409_500


async def test_intervals_that_were_open_are_known_after_a_restart_and_appended_once(tmp_path: Path) -> None:
    first, second = Roll(), Roll()
    async with house(tmp_path, first, every=60.0) as home:
        home.clock.at = START + timedelta(seconds=70)
        await home.append(polls(14))
        await home.drained()
        assert len(first.given) == 1
    async with house(tmp_path, second, every=60.0) as home:
        await home.append(polls(4, first=14))  # the clock is far beyond: both minutes are over
        await home.drained()
        await home.append([poll(30)])
        await home.drained()
    assert [at for _, at in second.given] == [to_ms(START + timedelta(minutes=minute)) for minute in (2, 3)]


async def test_a_pause_lasts_over_restarts_and_loses_nothing(tmp_path: Path) -> None:
    first, second = Shelf(), Shelf()
    async with house(tmp_path, first) as home:
        await home.append(polls(5))
        await home.drained()
        await home.running[0].pause(who="anna")
        await home.append(polls(5, first=5))
        await home.until(lambda: home.running[0].status.state == "paused")
        assert len(first.rows) == 5
    async with house(tmp_path, second) as home:
        await home.until(lambda: home.running[0].status.state == "paused")
        await home.running[0].resume(who="anna")
        await home.drained()
    assert len({**first.rows, **second.rows}) == 10


async def test_a_replay_delivers_once_more_from_an_instant_on(tmp_path: Path) -> None:
    shelf = Shelf()
    async with house(tmp_path, shelf) as home:
        await home.append(polls(50))
        await home.drained()
        shelf.rows.clear()
        await home.running[0].replay(poll(40).at, who="anna")
        await home.until(lambda: len(shelf.rows) == 10)
        await home.drained()
        await home.running[0].replay(None, who="anna")
        await home.until(lambda: len(shelf.rows) == 50)


async def test_a_new_sink_starts_now_or_at_a_date(tmp_path: Path) -> None:
    now, dated = Shelf(), Shelf()
    home = House(tmp_path)
    await home.append(polls(50))
    home.book.close()
    async with house(tmp_path, now, start="now") as home:
        await home.drained()
        await home.append([poll(50)])
        await home.drained()
    assert list(now.rows) == [("main-a", to_ms(poll(50).at))]
    other = tmp_path / "other"
    other.mkdir()
    async with house(other, dated, start=poll(40).at) as home:
        await home.append([*polls(50), poll(2, "main-b")])
        await home.drained()
    assert len(dated.rows) == 10


async def test_a_sink_may_keep_its_own_position_and_that_one_counts(tmp_path: Path) -> None:
    ledger = Ledger()
    async with house(tmp_path, ledger) as home:
        await home.append(polls(20))
        await home.drained()
        lineage = home.book.lineage
    assert ledger.kept is not None and ledger.kept[0].startswith(f"{lineage}:")
    async with house(tmp_path, ledger) as home:
        home.book.acknowledge("sink/sink 0", "", "")  # as if the crash came between its commit and ours
        await home.append([poll(20)])
        await home.drained()
    assert len(ledger.given) == 21
    ledger.kept = "another-book:99999", ""
    async with house(tmp_path, ledger) as home:
        await home.append([poll(21)])
        await home.drained()
    assert len(ledger.given) == 22
