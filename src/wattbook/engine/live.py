"""What is on the screens now: the last reading of each meter, and streams of new ones to those who watch.

Lines publish from their threads; watchers read on the event loop. A watcher that falls behind is let go, because the
next reading of its meter is worth more than a queue of old ones, and everything is in the book anyway.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from wattbook.engine.status import AlertsNow, MeterStatus, SupplyNow
from wattbook.model import Clock, Reading, Readings
from wattbook.model.clock import supersedes

WAITING_MAX = 1000  # items a watcher may be behind: half a minute of a full RS-485 line
WATCHERS_MAX = 100  # a wall of screens; each holds a connection and its queue
BEGINS_ANEW = "another configuration comes into force"  # why streams end that may begin again at once
STATUS_EVERY_S = 0.25  # a readout at 300 Bd brings 7 bytes in this time


@dataclass(frozen=True, slots=True)
class Seen:
    """A new reading. `seq` is the journal's number, or None when it was shown before its commit."""

    reading: Reading
    seq: int | None

    @property
    def meter(self) -> str:
        return self.reading.meter


@dataclass(frozen=True, slots=True)
class Changed:
    """A meter's state or the progress of its readout changed."""

    meter: str


@dataclass(frozen=True, slots=True)
class SupplyChanged:
    """Another source feeds the house, or none."""

    now: SupplyNow

    meter = ""  # it is of no meter: who watches some meters is not told


@dataclass(frozen=True, slots=True)
class AlertsChanged:
    """Something was raised, is over, was paused, or was told."""

    now: AlertsNow

    meter = ""  # as of the supply


Item = Seen | Changed | SupplyChanged | AlertsChanged


class Watcher:
    """One open stream. Used on the event loop only."""

    def __init__(self, meters: frozenset[str] | None) -> None:
        self.ended = ""  # why, in words, once it is over
        self.first: Sequence[Seen] = ()  # what stood when it began, so that nothing falls between asking and watching
        self._meters = meters  # None = all
        self._items: deque[Item] = deque()
        self._ready = asyncio.Event()

    async def take(self, timeout_s: float) -> Sequence[Item]:
        """Wait for something and return all there is; nothing after the time-out or when the stream has ended."""
        if not self._ready.is_set() and not self.ended:
            try:
                async with asyncio.timeout(timeout_s):  # `wait_for` of 3.11 may lose a cancellation
                    await self._ready.wait()
            except TimeoutError:
                return ()
        items = tuple(self._items)
        self._items.clear()
        self._ready.clear()
        return items

    def wants(self, item: Item) -> bool:
        """Whether it is of a meter that was asked for."""
        return self._meters is None or item.meter in self._meters

    def offer(self, items: Iterable[Item]) -> None:
        """Queue what this watcher asked for; end the stream when it does not keep up."""
        if self.ended:
            return
        self._items += filter(self.wants, items)
        if len(self._items) > WAITING_MAX:
            self.fall_behind()
        elif self._items:
            self._ready.set()

    def fall_behind(self) -> None:
        """End the stream with nothing more: something of it is missing already."""
        self._items.clear()
        self.end(f"more than {WAITING_MAX} readings behind")

    def end(self, why: str) -> None:
        """Let the stream finish what is queued and stop."""
        self.ended = why
        self._ready.set()


class Live:
    """The last reading of each meter, and the watchers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: dict[tuple[str, str], Seen] = {}  # (site, meter) -> reading
        self._lock = threading.Lock()
        self._pending: list[Item] = []
        self._stalled = False  # the loop did not run for more than WAITING_MAX items, which are given up
        self._watchers: set[Watcher] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = asyncio.Event()
        self._closed = ""

    def seed(self, readings: Iterable[Reading]) -> None:
        """Take the last readings of the book, at the start."""
        with self._lock:
            for reading in readings:
                self._latest.setdefault((reading.site, reading.meter), Seen(reading, None))

    def publish(self, reading: Reading, seq: int | None = None) -> None:
        """Show a reading just measured. From any thread; it is the latest even when the clock was stepped back."""
        with self._lock:
            seen = self._latest[reading.site, reading.meter] = Seen(reading, seq)
            self._show([seen])

    def publish_kept(self, readings: Sequence[Reading], seqs: Sequence[int]) -> None:
        """Show what was sent to us and is in the book. From any thread.

        Only the newest of each meter, and only if it is newer than the last: the rest is history, not live. A last one
        from the future is not believed, or a clock that was once ahead would stop the screen for as long.
        """
        columns = Readings.of(readings)
        newest, now = columns.newest(), self._clock.now()
        with self._lock:
            shown = []
            for key, place in newest.items():
                last = self._latest.get(key)
                if supersedes(columns.at[place], last.reading.at if last else None, now=now):
                    seen = self._latest[key] = Seen(readings[place], seqs[place])
                    shown.append(seen)
            self._show(shown)

    def show_supply(self, now: SupplyNow) -> None:
        """Show what feeds the house. From any thread."""
        with self._lock:
            self._show([SupplyChanged(now)])

    def show_alerts(self, now: AlertsNow) -> None:
        """Show how the alerts stand. From any thread."""
        with self._lock:
            self._show([AlertsChanged(now)])

    def latest(self) -> list[Reading]:
        """The last reading of each meter."""
        with self._lock:
            return [seen.reading for seen in self._latest.values()]

    def _show(self, items: Iterable[Item]) -> None:
        """Hand items to the loop, one wake-up for as many as gather until it runs. Needs the lock."""
        if not self._watchers or self._loop is None or self._stalled:
            return
        first = not self._pending
        self._pending += items
        if first and self._pending:
            self._loop.call_soon_threadsafe(self._hand_out)
        if len(self._pending) > WAITING_MAX:
            self._pending.clear()
            self._stalled = True

    def _hand_out(self) -> None:
        with self._lock:
            items, self._pending = self._pending, []
            stalled, self._stalled = self._stalled, False
            watchers = tuple(self._watchers)
        for watcher in watchers:
            if stalled:  # what it missed may have been of its meters
                watcher.fall_behind()
            else:
                watcher.offer(items)

    @property
    def full(self) -> bool:
        """Whether `WATCHERS_MAX` streams are open; the next must be refused."""
        return len(self._watchers) >= WATCHERS_MAX

    @contextmanager
    def watch(self, meters: Iterable[str] | None = None) -> Iterator[Watcher]:
        """Open a stream of readings and changes, of these meters or all.

        On the event loop only; who opens one asks `full` first.
        """
        watcher = Watcher(None if meters is None else frozenset(meters))
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._watchers.add(watcher)
            watcher.first = [seen for seen in self._latest.values() if watcher.wants(seen)]
            if self._closed:
                watcher.end(self._closed)
        self._watched.set()
        try:
            yield watcher
        finally:
            with self._lock:
                self._watchers.discard(watcher)
                if not self._watchers:
                    self._watched.clear()

    def close(self, why: str = "wattbook is stopping") -> None:
        """End every stream, now and from now on. On the event loop only."""
        with self._lock:
            self._closed = why
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher.end(why)

    async def follow_statuses(
        self, statuses: Callable[[], Sequence[MeterStatus]], *, every_s: float = STATUS_EVERY_S
    ) -> None:
        """Show changes of state and progress as long as somebody watches. Runs until cancelled."""
        known: dict[str, tuple[object, ...]] = {}
        while True:
            await self._watched.wait()
            now = {status.meter: _visible(status) for status in statuses()}
            changed = [Changed(meter) for meter, visible in now.items() if known.get(meter, visible) != visible]
            known = now
            with self._lock:
                self._show(changed)
            await asyncio.sleep(every_s)


def _visible(status: MeterStatus) -> tuple[object, ...]:
    """What a card on the page shows beside the readings."""
    return (status.state, status.reason, status.since, status.heard_bytes, status.expected_bytes)
