"""A house whose alerts are decided on a clock that is moved by hand, through a real book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wattbook import config
from wattbook.config import Config
from wattbook.engine.alerts import Alerts, make_alerts
from wattbook.engine.follow import Following, follow
from wattbook.engine.live import Live
from wattbook.engine.watch import KINDS, NAME
from wattbook.model import Event, Reading
from wattbook.store import Book, BookReader

START = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)  # noon in Prague
PATIENCE_S = 60.0
METERS = """
[site]
name = "House"
timezone = "Europe/Prague"
[backup]
dir = "backup"
[[meter]]
name = "main-a"
model = "push"
source = "utility"
[[meter]]
name = "generator"
model = "push"
source = "generator"
[[sink]]
name = "screen"
kind = "console"
"""


class Hands:
    """A clock that is moved by hand."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()


def settings(folder: Path, rules: str) -> Config:
    """The house with these rules."""
    file = folder / "wattbook.toml"
    file.write_text(METERS + rules, encoding="utf-8")
    return config.load(file)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def told(second: float, meter: str = "main-a", **values: float) -> Reading:
    return Reading(meter, at(second), values)


class Run:
    """One run of wattbook: its book, and the follower that decides."""

    def __init__(self, settings: Config, clock: Hands) -> None:
        self.clock = clock
        self.book = Book.open(settings.book, clock=clock, commit_every_s=0.005)
        self.reader = BookReader(settings.book)
        self.sink = Following("screen")
        self.live = Live(clock)
        self.alerts: Alerts = make_alerts(
            settings, self.book, self.reader, clock, lambda: [("screen", self.sink)], show=self.live.show_alerts
        )
        if self.book.position(NAME) is None:
            self.book.acknowledge(NAME, self.reader.end())
        self._taken = 0
        take = self.alerts.watcher.take

        async def counted(batch, bookmark):  # type: ignore[no-untyped-def]
            decision = await take(batch, bookmark)
            self._taken += 1
            return decision

        class Counted:
            name = NAME
            take = staticmethod(counted)

        self._task = asyncio.create_task(follow(self.book, Counted(), idle_s=0.02))  # type: ignore[arg-type]

    async def hear(self, *readings: Reading) -> None:
        """Readings come one by one, the clock with them; what is written is decided on at once."""
        for reading in readings:
            self.clock.at = max(self.clock.at, reading.at)
            await asyncio.wrap_future(self.book.append([reading], urgent=True))
            await self.settled()

    async def note(self, *events: Event) -> None:
        for event in events:
            self.clock.at = max(self.clock.at, event.at)
            await asyncio.wrap_future(self.book.append_event(event))
        await self.settled()

    async def wait(self, second: float, *, step_s: float = 60.0) -> None:
        """Time goes on to this second, by so much at once."""
        while self.clock.at < at(second):
            self.clock.at = min(at(second), self.clock.at + timedelta(seconds=step_s))
            await self.settled()

    async def settled(self) -> None:
        """The follower has taken all there is, and looked at the time of now."""
        seen = self._taken

        def done() -> bool:
            assert not self._task.done(), self._task.exception()
            position = self.book.position(NAME)
            return self._taken >= seen + 2 and position is not None and not len(self.book.read(position.after, 1))

        await self.until(done)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.002)

    def events(self) -> Sequence[tuple[str, str]]:
        """What was decided so far, in its order: (what, rule)."""
        return [(event.kind.removeprefix("alert."), event.subject) for event in self.whole_events()]

    def whole_events(self) -> Sequence[Event]:
        return list(reversed(self.reader.newest_events(KINDS, 1000)))

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self.reader.close()
        await asyncio.to_thread(self.book.close)


def power_rule(name: str, *, limit: float = 5000) -> str:
    """A rule about the power of main-a that says it at once."""
    return (
        f'[[alert]]\nname = "{name}"\nkind = "above"\nmeters = ["main-a"]\nquantity = "active_power"\nlimit = {limit}\n'
    )
