"""What watchers see, and what happens to those who do not keep up."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

from wattbook.engine.live import WAITING_MAX, WATCHERS_MAX, Changed, Item, Live, Seen
from wattbook.engine.status import MeterStatus
from wattbook.model import Reading

START = datetime(2026, 11, 21, tzinfo=UTC)
PATIENCE_S = 30.0  # only reached when something is wrong


class Noon:
    """A clock that stands."""

    at = START + timedelta(hours=12)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


def make_live() -> Live:
    return Live(Noon())


def reading(second: int, meter: str = "main-a") -> Reading:
    return Reading(meter, START + timedelta(seconds=second), {"voltage": 230.0})


async def test_a_reading_published_in_a_thread_reaches_a_watcher() -> None:
    live = make_live()
    with live.watch() as watcher:
        thread = threading.Thread(target=live.publish, args=(reading(1), 7))
        thread.start()
        assert await watcher.take(PATIENCE_S) == (Seen(reading(1), 7),)
        thread.join()


async def test_nothing_comes_after_the_time_out() -> None:
    live = make_live()
    with live.watch() as watcher:
        assert await watcher.take(0.001) == ()


async def test_a_watcher_sees_its_meters_only() -> None:
    live = make_live()
    with live.watch(["main-b"]) as watcher:
        live.publish(reading(1))
        live.publish(reading(2, "main-b"))
        (item,) = await watcher.take(PATIENCE_S)
        assert item.meter == "main-b"


async def test_of_sent_readings_the_newest_is_live_and_the_past_is_not() -> None:
    live = make_live()
    live.seed([reading(10)])
    with live.watch() as watcher:
        live.publish_kept([reading(5), reading(11), reading(12), reading(3, "barn")], [1, 2, 3, 4])
        assert set(map(_key, await watcher.take(PATIENCE_S))) == {("main-a", 12, 3), ("barn", 3, 4)}
        live.publish_kept([reading(12), reading(1)], [3, 5])
        assert await watcher.take(0.001) == ()
    assert {each.meter: each.at for each in live.latest()} == {"main-a": reading(12).at, "barn": reading(3).at}


def _key(item: Item) -> tuple[str, int, int | None]:
    assert isinstance(item, Seen)
    return item.meter, int((item.reading.at - START).total_seconds()), item.seq


async def test_a_measured_reading_is_live_though_the_clock_went_back() -> None:
    live = make_live()
    live.publish(reading(100))
    with live.watch() as watcher:
        live.publish(reading(40))
        assert await watcher.take(PATIENCE_S) == (Seen(reading(40), None),)
    assert live.latest() == [reading(40)]


async def test_a_sent_reading_from_a_clock_that_was_ahead_does_not_stop_the_screen() -> None:
    live, year_s = make_live(), 365 * 86_400
    live.seed([reading(year_s)])
    live.publish_kept([reading(43_200)], [1])
    live.publish_kept([reading(43_100)], [2])  # what comes late is history again
    assert live.latest() == [reading(43_200)]


async def test_a_slow_watcher_is_let_go_and_the_others_are_not() -> None:
    live = make_live()
    with live.watch() as slow, live.watch() as quick:
        for second in range(WAITING_MAX + 1):
            live.publish(reading(second))
            if second % 100 == 0:
                await quick.take(PATIENCE_S)
        await asyncio.sleep(0)
        assert "behind" in slow.ended
        assert await slow.take(PATIENCE_S) == ()
        assert not quick.ended


async def test_a_stalled_loop_gathers_no_more_than_the_bound() -> None:
    live = make_live()
    with live.watch() as watcher, live.watch(["main-b"]) as other:
        live.publish(reading(0, "main-b"))
        for second in range(5 * WAITING_MAX):
            live.publish(reading(second))
            assert len(live._pending) <= WAITING_MAX
        await asyncio.sleep(0)
        assert watcher.ended
        assert other.ended, "what it missed was of its meter"
    with live.watch() as again:
        live.publish(reading(1))
        assert await again.take(PATIENCE_S) == (Seen(reading(1), None),)


async def test_closing_ends_every_stream_after_what_is_queued() -> None:
    live = make_live()
    with live.watch() as watcher:
        live.publish(reading(1))
        await asyncio.sleep(0)
        live.close()
        assert await watcher.take(PATIENCE_S) == (Seen(reading(1), None),)
        assert watcher.ended
        assert await watcher.take(PATIENCE_S) == ()
    with live.watch() as late:
        assert late.ended


async def test_changes_of_state_and_progress_are_shown_once() -> None:
    live, status = make_live(), MeterStatus("main-a", "pzem-016")
    task = asyncio.create_task(live.follow_statuses(lambda: [status], every_s=0.001))
    with live.watch() as watcher:
        assert await watcher.take(0.02) == ()
        status.state = "present"
        assert await watcher.take(PATIENCE_S) == (Changed("main-a"),)
        status.counters.polls += 1  # not shown by itself
        assert await watcher.take(0.02) == ()
        status.heard_bytes = 12
        assert await watcher.take(PATIENCE_S) == (Changed("main-a"),)
    task.cancel()


async def test_no_more_watchers_than_the_bound() -> None:
    live = make_live()
    watching = [live.watch() for _ in range(WATCHERS_MAX)]
    for each in watching:
        assert not live.full
        each.__enter__()
    assert live.full
    watching[0].__exit__(None, None, None)
    assert not live.full
    for each in watching[1:]:
        each.__exit__(None, None, None)


async def test_a_watcher_begins_with_what_stands() -> None:
    live = make_live()
    live.seed([reading(1), reading(2, "main-b")])
    live.publish_kept([reading(3)], [9])
    with live.watch(["main-a"]) as watcher:
        assert watcher.first == [Seen(reading(3), 9)]
