"""Following the journal: in order, from its own position, through outages and restarts, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from book_tools import START, poll, polls
from two_partitions import TwoPartitions
from wattbook.engine.follow import Decision, Following, follow
from wattbook.model import Batch, BookError, Event, SinkUnavailable, WattbookError
from wattbook.store import Position

WITHIN_S = 30.0  # far beyond what is needed: longer means stuck


class Collector:
    """A follower that keeps what it takes, and fails as often as it is told."""

    name = "collector"

    def __init__(self, failures: int = 0) -> None:
        self.taken: list[int] = []
        self.bookmarks: list[str] = []
        self.failures = failures
        self._changed = asyncio.Event()

    async def take(self, batch: Batch, bookmark: str) -> str:
        if self.failures:
            self.failures -= 1
            raise SinkUnavailable("the other system does not answer")
        self.taken += [seq for columns in batch.columns for seq in columns.seq]
        self.bookmarks.append(bookmark)
        self._changed.set()
        return str(len(self.taken))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Sleeps:
    """Remembers how long was slept, and sleeps not at all."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept_s.append(seconds)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_everything_is_taken_then_whatever_is_committed() -> None:
    journal, follower = TwoPartitions(), Collector()
    journal.append(polls(25) + polls(25, "main-b"))
    task = asyncio.create_task(follow(journal, follower, batch_max=10))
    await follower.until(lambda: len(follower.taken) == 50)
    for number in range(25, 30):
        await asyncio.to_thread(journal.append, [poll(number)])  # commits come from another thread
        await follower.until(lambda number=number: len(follower.taken) == 26 + number)  # type: ignore[misc]
    await stop(task)
    assert sorted(follower.taken) == list(range(1, 56))
    assert follower.bookmarks[:3] == ["", "10", "20"]


async def test_it_goes_on_from_its_position_after_a_restart() -> None:
    journal, first = TwoPartitions(), Collector()
    journal.append(polls(30))
    task = asyncio.create_task(follow(journal, first, batch_max=10))
    await first.until(lambda: len(first.taken) == 30)
    await stop(task)
    journal.append([poll(30)])
    second = Collector()
    task = asyncio.create_task(follow(journal, second))
    await second.until(lambda: bool(second.taken))
    await stop(task)
    assert set(range(1, 32)) == {*first.taken, *second.taken}
    assert 31 in second.taken and len(second.taken) <= 11  # at most the batch whose acknowledgement was cut off


async def test_an_outage_is_waited_out_longer_each_time_and_nothing_is_lost() -> None:
    journal, follower, sleeps, status = TwoPartitions(), Collector(failures=9), Sleeps(), Following("collector")
    journal.append(polls(3))
    task = asyncio.create_task(follow(journal, follower, sleep=sleeps, status=status))
    await follower.until(lambda: len(follower.taken) == 3)
    await stop(task)
    assert sleeps.slept_s == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (status.retries, status.state != "away", status.reason) == (9, True, "")


async def test_a_journal_that_cannot_answer_now_is_asked_again_too() -> None:
    class Busy(TwoPartitions):
        """Fails at the first of every kind of question."""

        def __init__(self) -> None:
            super().__init__()
            self.asked: set[str] = set()

        def _fail_once(self, question: str) -> None:
            if question not in self.asked:
                self.asked.add(question)
                raise BookError("too many read the book at once; ask again later", retry=True)

        def position(self, follower: str) -> Position | None:
            self._fail_once("position")
            return super().position(follower)

        def read(self, after: str, limit: int) -> Batch:
            self._fail_once("read")
            return super().read(after, limit)

        def acknowledge(self, follower: str, after: str, bookmark: str = "") -> None:
            self._fail_once("acknowledge")
            super().acknowledge(follower, after, bookmark)

    journal, follower, sleeps, status = Busy(), Collector(), Sleeps(), Following("collector")
    journal.append(polls(3))
    task = asyncio.create_task(follow(journal, follower, sleep=sleeps, status=status))
    await follower.until(lambda: len(follower.taken) == 3)
    journal.append([poll(3)])
    await follower.until(lambda: len(follower.taken) == 4)
    await stop(task)
    assert journal.asked == {"position", "read", "acknowledge"}
    assert sleeps.slept_s == [1, 1, 1]
    assert (status.retries, status.reason) == (3, "")


async def test_an_error_that_time_does_not_heal_ends_the_following() -> None:
    class Broken(Collector):
        async def take(self, batch: Batch, bookmark: str) -> str:
            raise WattbookError("the table has other columns")

    journal = TwoPartitions()
    journal.append(polls(3))
    with pytest.raises(WattbookError, match="other columns"):
        await asyncio.wait_for(follow(journal, Broken()), WITHIN_S)
    assert journal.position("collector") is None
    assert journal.wakers == []


async def test_a_position_may_be_kept_where_the_effect_is() -> None:
    class Ledger:
        """Positions of another store."""

        def __init__(self) -> None:
            self.kept = Position("p1/1", "twelve")

        def position(self, follower: str) -> Position:
            return self.kept

        def acknowledge(self, follower: str, after: str, bookmark: str = "") -> None:
            self.kept = Position(after, bookmark)

    journal, follower, ledger = TwoPartitions(), Collector(), Ledger()
    journal.append(polls(2) + polls(2, "main-b"))
    task = asyncio.create_task(follow(journal, follower, positions=ledger))
    await follower.until(lambda: bool(follower.taken))
    await stop(task)
    assert (len(follower.taken), follower.bookmarks) == (2, ["twelve"])
    assert journal.position("collector") is None


async def test_what_a_follower_decides_is_in_the_journal_with_its_position() -> None:
    class Counting(Collector):
        async def take(self, batch: Batch, bookmark: str) -> Decision:  # type: ignore[override]  # it decides
            count = await super().take(batch, bookmark)
            events = (Event("count", count, START),) if len(self.taken) % 2 else ()
            return Decision(count, events)

    journal, follower = TwoPartitions(), Counting()
    task = asyncio.create_task(follow(journal, follower))
    for number in range(3):
        journal.append([poll(number)])
        await follower.until(lambda number=number: len(follower.taken) == number + 1)  # type: ignore[misc]
    await follower.until(lambda: len(follower.bookmarks) >= 4)  # its own events come too, and decide nothing more
    await stop(task)
    events = journal.read("", 100).events
    assert [event.subject for event in events][:2] == ["1", "3"]


async def test_silence_is_told_to_those_who_asked_for_it() -> None:
    class Listening(Collector):
        looks = 0

        async def take(self, batch: Batch, bookmark: str) -> str:
            self.looks += not len(batch)
            return await super().take(batch, bookmark) and bookmark

    journal, follower = TwoPartitions(), Listening()
    task = asyncio.create_task(follow(journal, follower, idle_s=0.001))
    await follower.until(lambda: follower.looks > 2)
    assert journal.position("collector") is None  # nothing to remember
    journal.append([poll(0)])
    await follower.until(lambda: follower.taken == [1])
    await stop(task)


@pytest.mark.parametrize("steps", range(6))
async def test_one_that_is_cancelled_as_something_is_committed_ends(steps: int) -> None:
    journal, follower, status = TwoPartitions(), Collector(), Following("collector")
    task = asyncio.create_task(follow(journal, follower, status=status, idle_s=WITHIN_S))
    async with asyncio.timeout(WITHIN_S):
        while status.state != "waiting":
            await asyncio.sleep(0)
    journal.append([poll(1)])
    for _ in range(steps):  # of the event loop: somewhere on the way from the bell to who waits for it
        await asyncio.sleep(0)
    task.cancel()
    ended, _ = await asyncio.wait([task], timeout=WITHIN_S)
    assert ended and task.cancelled()
