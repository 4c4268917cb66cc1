"""A day of the house of seeds/001 through a real book: outages, restarts in the middle, a disk that hangs, a cut."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from book_tools import HangingDisk
from supply_house import RULE, START, at, history, in_short, reading, told
from wattbook.engine.decide_supply import NAME, SupplyDecider
from wattbook.engine.follow import follow
from wattbook.model import Event, Reading
from wattbook.store import Book

PATIENCE_S = 60.0
COMMIT_S = 0.005
DAY = (("utility", 10, 300), ("generator", 310, 900), ("dark", 900, 1500), ("utility", 1500, 1900))


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> object:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()


def day() -> list[Reading]:
    return sorted((each for span in DAY for each in told(*span)), key=lambda each: each.at)


def events_of(book: Book) -> list[Event]:
    found: list[Event] = []
    after = ""
    while len(batch := book.read(after, 5000)):
        found += [event for event in batch.events if event.kind.startswith("supply.")]
        after = batch.upto
    return found


class Run:
    """One run of wattbook: its book, and the follower that decides."""

    def __init__(self, path: Path, clock: Hands, *, boot: str = "first", disk: HangingDisk | None = None) -> None:
        connect = {"connect": disk.connect} if disk else {}
        self.book = Book.open(path, clock=clock, commit_every_s=COMMIT_S, **connect)  # type: ignore[arg-type]
        self.clock = clock
        self._hearing = False
        self.decider = SupplyDecider(RULE, clock, boot=boot, stalled=lambda: self._hearing)  # type: ignore[arg-type]
        self._task = asyncio.create_task(follow(self.book, self.decider, idle_s=0.05))

    async def hear(self, readings: Iterable[Reading], *, at_once: int = 7) -> None:
        """Let the readings come as they do: some at once, the clock with them; return when the follower has them.

        Here the clock leaps, and the disk takes its time: what is under way must not look like silence meanwhile.
        """
        waiting = list(readings)
        self._hearing = True
        while waiting:
            some, waiting = waiting[:at_once], waiting[at_once:]
            self.clock.at = max(self.clock.at, some[-1].at)
            await asyncio.wrap_future(self.book.append(some, urgent=True))
        await self.caught_up()
        self._hearing = False

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0)

    async def caught_up(self) -> None:
        """The follower has taken everything that there is."""

        def done() -> bool:
            position = self.book.position(NAME)
            return position is not None and not len(self.book.read(position.after, 1))

        await self.until(done)

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await asyncio.to_thread(self.book.close)


def expected() -> Sequence[tuple[str, float]]:
    return in_short(history(day(), until=1900))


async def test_a_day_becomes_its_events(tmp_path: Path) -> None:
    run = Run(tmp_path / "book.db", Hands())
    await run.hear(day())
    assert in_short(events_of(run.book)) == expected() == [
        ("utility", 10), ("generator", 310.2), ("dark", 895.2), ("utility", 1500),
    ]  # fmt: skip
    assert (run.decider.now.state, run.decider.now.since) == ("utility", at(1500))
    dark = run.decider.now.dark
    assert dark is not None and (dark.start, dark.end) == (at(895.2), at(1500))
    await run.stop()


async def test_silence_alone_makes_it_dark(tmp_path: Path) -> None:
    run = Run(tmp_path / "book.db", Hands())
    await run.hear(told("utility", 10, 60))
    run.clock.at = at(101)  # 45 s, and 2 s for readings that are under way
    await run.until(lambda: len(events_of(run.book)) == 1)
    run.clock.at = at(104)
    await run.until(lambda: len(events_of(run.book)) == 2)
    assert run.decider.now.state == "dark"
    assert in_short(events_of(run.book)) == [("utility", 10), ("dark", 55.1)]
    await run.stop()


async def test_restarts_within_the_day_change_nothing(tmp_path: Path) -> None:
    clock, readings, path = Hands(), day(), tmp_path / "book.db"
    for first in range(0, len(readings), 41):
        run = Run(path, clock)
        await run.hear(readings[first : first + 41])
        await run.stop()
    run = Run(path, clock)
    await run.caught_up()
    found = in_short(events_of(run.book))
    await run.stop()
    assert found == expected()


async def test_a_power_cut_of_the_machine_is_told_once_and_never_again(tmp_path: Path) -> None:
    clock, path = Hands(), tmp_path / "book.db"
    run = Run(path, clock, boot="first")
    await run.hear(told("utility", 10, 300))
    await run.stop()
    for number, start in enumerate((2000, 2100, 2200)):
        clock.at = at(start)
        run = Run(path, clock, boot="second")
        await run.hear(told("generator", start, start + 90))
        found = events_of(run.book)
        assert in_short(found) == [("utility", 10), ("dark", 295.1), ("generator", 2000.2)], number
        assert (found[1].body["from"], found[1].body["to"]) == ("2026-11-21T12:04:55.100Z", "2026-11-21T12:33:20.000Z")
        await run.stop()


async def test_cut_off_before_during_and_after_the_decision_no_event_is_doubled_or_lost(tmp_path: Path) -> None:
    """The book's files are copied while the transaction of a decision hangs, and go on from there: as after a kill."""
    disk, clock, path = HangingDisk(), Hands(), tmp_path / "book.db"
    run = Run(path, clock, disk=disk)
    run.decider.changed = lambda now: disk.hang() if now.state == "utility" else None  # as it decides
    readings = [*told("utility", 10, 40)]
    await run.hear(readings[:3])
    assert events_of(run.book) == []
    run.clock.at = readings[-1].at
    await asyncio.wrap_future(run.book.append(readings[3:], urgent=True))
    await asyncio.to_thread(disk.reached.wait, PATIENCE_S)
    before = _copy(path, tmp_path / "before")
    disk.go_on()
    await run.until(lambda: bool(events_of(run.book)))
    after = _copy(path, tmp_path / "after")
    await run.stop()
    for copy in (before, after):
        again = Run(copy, clock)
        await again.hear(told("utility", 40, 70))
        assert in_short(events_of(again.book)) == [("utility", 10)]
        await again.stop()


async def test_late_readings_do_not_change_what_is_so_now(tmp_path: Path) -> None:
    run = Run(tmp_path / "book.db", Hands())
    await run.hear(told("generator", 100, 200))
    shown = run.decider.now
    await asyncio.wrap_future(run.book.append([*told("utility", 10, 90)], urgent=True))
    await asyncio.wrap_future(run.book.append([reading("main-a", 86_400)], urgent=True))  # from a clock that is ahead
    await run.caught_up()
    assert run.decider.now == shown
    await run.hear(told("utility", 200, 260))
    assert run.decider.now.state == "utility"
    await run.stop()


async def test_a_clock_set_back_by_hand_keeps_the_state_and_its_changes(tmp_path: Path) -> None:
    run = Run(tmp_path / "book.db", Hands())
    await run.hear(told("utility", 4000, 4100))
    run.clock.at -= timedelta(hours=1)
    body = {"by_s": -3600.0, "first_set": False}
    await asyncio.wrap_future(run.book.append_event(Event("clock.step", "", run.clock.at, body)))
    await run.hear(told("generator", 510, 600))
    assert run.decider.now.state == "generator"
    await run.stop()


def _copy(path: Path, folder: Path) -> Path:
    """The book's files as they are now, without the lock."""
    folder.mkdir()
    for file in path.parent.glob(path.name + "*"):
        if file.is_file() and not file.name.endswith(".lock"):
            shutil.copy(file, folder / file.name)
    return folder / path.name
