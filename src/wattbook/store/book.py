"""The book's writer: takes readings from any thread, commits them in groups, and says when they are durable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from wattbook.model import Batch, BookError, Clock, Columns, Event, Kept, Reading
from wattbook.store.connection import Connect, connect_writer
from wattbook.store.journal import Position
from wattbook.store.lock import BookLock
from wattbook.store.opening import open_file
from wattbook.store.reader import BookReader
from wattbook.store.statistics import BookStatistics
from wattbook.store.work import AppendEvent, AppendReadings, Correct, Decide, Forget, Redate, Seal, Told, begun
from wattbook.store.writer import Writer

if TYPE_CHECKING:
    from wattbook.store.forget import Forgetting
    from wattbook.store.seal import Sealing
    from wattbook.store.sealing import Sealed

# Readings in memory, urgent and others each: half a second of the fastest ingest, 23 h of three meters at 5 s; 30 MB.
WAITING_MAX = 50_000
_CLOSE_S = 60.0  # a last commit and checkpoint on a slow card; longer, and the disk hangs


class Book:
    """The one writer of a book. Append from any thread; a `Future` is done when its entries are durable.

    `append` never blocks. When more than WAITING_MAX urgent readings wait for the disk it refuses with
    BookError(retry=True), so callers slow down by waiting for their futures. Of those nobody waits for, the oldest
    beyond WAITING_MAX are dropped, counted, and told by the event "book.gap".
    """

    def __init__(self, path: Path, lock: BookLock, writer: Writer, site: str, opened_with: Sequence[str]) -> None:
        self.path = path
        self._site = site
        self.opened_with = tuple(opened_with)  # what had to be done to open it, for the log
        self._lock = lock
        self._writer = writer
        self._reader = BookReader(path)
        self._positions = writer.positions
        self._closing = threading.Lock()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Clock,
        site: str = "",
        commit_every_s: float = 1.0,
        connect: Connect = connect_writer,
        waiting_max: int = WAITING_MAX,
    ) -> Book:
        """Open or create the book and take its lock. `site` is this book's own name in readings.

        A damaged file is repaired as far as it can be read (see `opened_with`); BookError when another process
        writes it, it is not a book, or it is newer than this program.
        """
        lock = BookLock(path)
        try:
            opened = open_file(path, connect, crashed=lock.crashed, damaged=lock.damaged, now=clock.now())
            writer = Writer(opened, clock=clock, site=site, commit_every_s=commit_every_s, waiting_max=waiting_max)
            book = cls(path, lock, writer, site, opened.messages)
        except BaseException:
            lock.abandon()
            raise
        writer.start()
        for message in opened.messages:
            book.append_event(Event("book.repaired", "", clock.now(), {"what": message}))
        return book

    @property
    def lineage(self) -> str:
        """The random name of this book's numbers: another one after a restore."""
        return self._writer.lineage

    def append(self, readings: Sequence[Reading], *, fresh: bool = False, urgent: bool = False) -> Future[Kept]:
        """Write readings down; the future is done when they are durable.

        `fresh`: measured now by our own lines, so never a double; when its instant is taken it moves to the next free
        10 ms. `urgent`: somebody waits, so commit as soon as the writer is free, else within `commit_every_s`.
        The future raises BookError when a reading cannot be written (all of this call are refused then), or,
        with `retry`, when the disk is full.
        """
        future: Future[Kept] = begun()
        self._writer.submit(AppendReadings(readings, fresh, urgent, future))
        return future

    def measured(self, reading: Reading, answered: Callable[[BaseException | None], None]) -> None:
        """`append` of one fresh reading that nobody waits for; `answered` is told None, or why it is lost.

        It is called in the writer's thread, or at once in the caller's, and must not raise.
        """
        self._writer.submit(AppendReadings((reading,), fresh=True, urgent=False, future=Told(answered)))

    def append_event(self, event: Event, *, urgent: bool = False) -> Future[int]:
        """Write an event down; the future gives its number when it is durable, and all that came before it.

        `urgent`: somebody waits, so commit as soon as the writer is free.
        """
        work = AppendEvent(event, urgent)
        self._writer.submit(work)
        return work.future

    def correct(self, readings: Sequence[Reading], event: Event) -> Future[int]:
        """Write readings in the place of those of their identities (or as new ones), and the event that tells of it.

        They get new numbers, so followers receive them again. The caller puts into the event's body what undoes it.
        The future gives the event's number; it raises BookError, with `retry` when the disk is full.
        """
        work = Correct(tuple(readings), event)
        self._writer.submit(work)
        return work.future

    def seal(self, zone: ZoneInfo, now: datetime, *, late: bool = True) -> Sealed:
        """Seal what is due at this time: hours that are over, then local days.

        Blocks the caller, not the writer. `late`: also sealed days to which readings have come since.
        Raises BookError, with `retry` when the disk is full.
        """
        from wattbook.store.sealing import seal_due

        return seal_due(self._reader, self._swapped, zone, now, late=late)

    def forget(self, meter: str, quantities: Sequence[str], before: datetime, *, site: str = "") -> int:
        """Keep of days that were over by `before` only quarters of an hour; return how many days have less now.

        Of registers stays the value at each quarter, of gauges least, most, sum and count. Blocks the caller.
        """
        from wattbook.store.sealing import forget

        return forget(self._reader, self._forgotten, meter, quantities, before, site=site)

    def _forgotten(self, forgetting: Forgetting) -> Future[bool]:
        work = Forget(forgetting)
        self._writer.submit(work)
        return work.future

    def import_columns(self, columns: Columns, zone: ZoneInfo) -> Kept:
        """Write readings of one meter, in any order of time, straight into sealed days; return when they are durable.

        For much at once: what the book has stays, an equal reading is the same, another a conflict. Raises BookError.
        """
        from wattbook.store.sealing import import_columns

        if columns.site == self._site:
            columns = replace(columns, site="")
        return import_columns(self._reader, self._swapped, self._kept, columns, zone)

    def _swapped(self, sealing: Sealing) -> Future[bool]:
        work = Seal(sealing)
        self._writer.submit(work)
        return work.future

    def _kept(self, readings: Sequence[Reading]) -> Kept:
        return self.append(readings, urgent=True).result()

    def redate(self, *, before: datetime, by: timedelta) -> Future[int]:
        """Correct the readings of this run older than `before`: the clock was first set, a step of `by`.

        They get new numbers, so followers receive them again; an event keeps what undoes it. Gives how many.
        """
        work = Redate(before, by)
        self._writer.submit(work)
        return work.future

    def position(self, follower: str) -> Position | None:
        """Return a follower's last position, acknowledged in this run or stored before; None = none."""
        return self._positions.get(follower)

    def acknowledge(self, follower: str, after: str, bookmark: str = "") -> None:
        """Remember a follower's position; it rides on the next commit, so it costs no sync of its own."""
        position = Position(after, bookmark)
        self._positions[follower] = position
        self._writer.acknowledge(follower, position)

    def decide(self, follower: str, after: str, bookmark: str, events: Sequence[Event]) -> Future[Sequence[int]]:
        """Write what a follower decided and its position in one transaction; the future gives the events' numbers.

        It raises BookError with `retry` when the disk is full: then neither is written.
        """
        work = Decide(follower, Position(after, bookmark), tuple(events))

        def remember(future: Future[Sequence[int]]) -> None:
            if future.exception() is None:
                self._positions[follower] = work.position

        work.future.add_done_callback(remember)
        self._writer.submit(work)
        return work.future

    def read(self, after: str, limit: int) -> Batch:
        """Return up to `limit` durable readings and events after a position; "" = from the beginning."""
        try:
            return self._reader.read(after, limit)
        except BookError as error:
            if isinstance(error.__cause__, msgspec.MsgspecError):  # else whoever follows would wait there for ever
                self._writer.corrupt = True
            raise

    def on_commit(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` in the writer's thread after every commit that adds entries; return what ends that."""
        return self._writer.on_commit(wake)

    def statistics(self) -> BookStatistics:
        """Return what the book tells about itself."""
        return self._writer.statistics()

    def close(self) -> None:
        """Commit what waits, and close in order. A second call does nothing."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._reader.close()
            if not self._writer.stop(timeout_s=_CLOSE_S):
                self._lock.abandon()
                raise BookError(f"{self.path}: the disk did not answer for {_CLOSE_S:.0f} s; what waited may be lost")
            if self._writer.corrupt:
                self._lock.abandon(damaged=True)
            else:
                self._lock.release()

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
