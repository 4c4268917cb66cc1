"""The thread that alone writes the book: gathers work, commits it, acknowledges it, and outlives a full disk."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import assert_never

from wattbook.model import BookError, Clock, Kept
from wattbook.store.journal import Position
from wattbook.store.opening import Opened
from wattbook.store.pen import Pen
from wattbook.store.statistics import BookStatistics
from wattbook.store.work import AppendEvent, AppendReadings, Gap, Redate, Work, oldest_beyond

_COMMIT_MAX = 10_000  # readings in one transaction: some 50 ms, so that nobody waits long behind it
_RETRY_S = 1.0  # between tries while the book cannot be written; soon enough after somebody made room

_log = logging.getLogger("wattbook.book")
_STOP = object()


class Writer:
    """Owns the connection. `submit`, `acknowledge`, `statistics` and `on_commit` may be called from any thread."""

    def __init__(self, opened: Opened, *, clock: Clock, site: str, commit_every_s: float, waiting_max: int) -> None:
        self._connection = opened.connection
        self._clock = clock
        self._commit_every_s = commit_every_s
        self._waiting_max = waiting_max
        self._pen = Pen(opened.connection, site=site, seq_next=opened.seq_next)
        self.lineage = opened.lineage
        self.positions: dict[str, Position] = opened.positions
        self._inbox: queue.SimpleQueue[Work | object] = queue.SimpleQueue()
        self._admission = threading.Lock()  # guards the three below
        self._admitted = 0  # readings and events handed in and not yet answered
        self._stopped = False
        self._acknowledged: dict[str, Position] = {}
        self._wakers: tuple[Callable[[], None], ...] = ()
        self._waiting: deque[Work] = deque()  # the thread's own from here on
        self._urgent_waits = False
        self._due_s: float | None = None
        self._stopping = False
        self._gap: Gap | None = None
        self._retry_at_s = 0.0
        self._commits = self._readings = self._events = self._same = self._conflicts = self._dropped = 0
        self._last_commit_s = 0.0
        self._thread = threading.Thread(target=self._run, name="book", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, *, timeout_s: float) -> bool:
        """Commit what waits and close; return whether that ended in time."""
        with self._admission:
            self._stopped = True
        self._inbox.put(_STOP)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def submit(self, work: Work) -> None:
        """Hand in work. Its future fails at once when too much waits or the book is closed."""
        with self._admission:
            keeps = self._gap is not None and not work.urgent  # then the oldest makes room, see _drop_oldest
            if not self._stopped and (keeps or self._admitted < self._waiting_max):
                self._admitted += work.size
                self._inbox.put(work)  # inside, so that nothing comes after the last word
                return
            stopped = self._stopped
        work.future.set_exception(
            BookError("the book is closed")
            if stopped
            else BookError(f"{self._waiting_max} readings wait for the disk already; send again later", retry=True)
        )

    def acknowledge(self, follower: str, position: Position) -> None:
        """Write this position with the next commit."""
        with self._admission:
            self._acknowledged[follower] = position

    def on_commit(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after commits; return what ends that."""
        with self._admission:
            self._wakers = (*self._wakers, wake)

        def end() -> None:
            with self._admission:
                self._wakers = tuple(each for each in self._wakers if each is not wake)

        return end

    def statistics(self) -> BookStatistics:
        """Return a snapshot."""
        gap = self._gap
        return BookStatistics(
            commits=self._commits,
            readings=self._readings,
            events=self._events,
            same=self._same,
            conflicts=self._conflicts,
            dropped=self._dropped,
            waiting=self._admitted,
            last_commit_s=self._last_commit_s,
            gap_since=gap.since if gap else None,
            gap_reason=gap.reason if gap else "",
        )

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._gather()
                if self._gap is not None and monotonic() < self._retry_at_s and not self._stopping:
                    self._refuse_urgent(self._gap.reason)
                else:
                    self._commit()
            while self._waiting and self._gap is None:
                self._commit()
        finally:
            self._end()

    def _end(self) -> None:
        """Answer whatever is still open, also when a bug ends the thread."""
        with self._admission:
            self._stopped = True
        self._drain()
        for work in self._waiting:
            work.future.set_exception(BookError("the book was closed before this could be written"))
        self._connection.close()

    def _gather(self) -> None:
        """Wait until something is to be committed: urgent work, the first lazy work's time, or the end."""
        while not self._drain():
            now_s = monotonic()
            due_s = self._next_due_s()
            if due_s is not None and due_s <= now_s:
                break
            try:
                self._take(self._inbox.get(timeout=None if due_s is None else due_s - now_s))
            except queue.Empty:
                break
            if self._urgent_waits:
                self._drain()
                break
        self._due_s = None

    def _next_due_s(self) -> float | None:
        if self._gap is not None:
            return self._retry_at_s
        return self._due_s if self._waiting else None

    def _drain(self) -> bool:
        """Take what is there, one commit's worth at most; return whether that is reason to commit now."""
        for _ in range(_COMMIT_MAX):
            try:
                self._take(self._inbox.get_nowait())
            except queue.Empty:
                break
        return self._urgent_waits or self._stopping

    def _take(self, work: Work | object) -> None:
        if work is _STOP:
            self._stopping = True
            return
        assert isinstance(work, AppendReadings | AppendEvent | Redate)
        self._waiting.append(work)
        if work.urgent:
            self._urgent_waits = True
        elif self._due_s is None:
            self._due_s = monotonic() + self._commit_every_s

    def _commit(self) -> None:
        works = self._next_works()
        started_s = monotonic()
        with self._admission:
            positions, self._acknowledged = self._acknowledged, {}
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._write(work) for work in works]
            if self._gap is not None and self._gap.dropped:
                self._pen.append_event(self._gap.event(self._clock.now()))
            if positions:
                self._pen.acknowledge(positions)
            self._pen.finish()
            self._connection.execute("COMMIT")
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # our own mistake: trying again would not help
        except sqlite3.DatabaseError as error:
            self._undo(works, positions, str(error))
            return
        self._last_commit_s = monotonic() - started_s
        self._commits += 1
        self._end_gap()
        self._answer(works, results)
        if works:
            for wake in self._wakers:
                wake()

    def _next_works(self) -> list[Work]:
        """Take at most one transaction's worth from what waits."""
        works: list[Work] = []
        size = 0
        while self._waiting and (not works or size + self._waiting[0].size <= _COMMIT_MAX):
            works.append(self._waiting.popleft())
            size += works[-1].size
        self._urgent_waits = any(work.urgent for work in self._waiting)
        if self._waiting and self._due_s is None:
            self._due_s = monotonic()
        return works

    def _write(self, work: Work) -> object:
        """Write one piece of work into the open transaction; a BookError is its result, and nobody else's."""
        try:
            match work:
                case AppendReadings():
                    return self._pen.append(work.readings, fresh=work.fresh)
                case AppendEvent():
                    return self._pen.append_event(work.event)
                case Redate():
                    return self._pen.redate(before=work.before, by=work.by, at=self._clock.now())
                case _:
                    assert_never(work)
        except BookError as error:
            return error

    def _answer(self, works: list[Work], results: list[object]) -> None:
        for work, result in zip(works, results, strict=True):
            if isinstance(result, BookError):
                work.future.set_exception(result)
                continue
            if isinstance(result, Kept):
                self._count(result)
            elif isinstance(work, AppendEvent):
                self._events += 1
            work.future.set_result(result)  # type: ignore[arg-type]  # each kind of work has its own
        self._discharge(works)

    def _count(self, kept: Kept) -> None:
        self._readings += kept.new
        self._same += kept.same
        self._conflicts += kept.conflicts

    def _discharge(self, works: Sequence[Work]) -> None:
        with self._admission:
            self._admitted -= sum(work.size for work in works)

    def _undo(self, works: list[Work], positions: dict[str, Position], reason: str) -> None:
        """The disk is full or fails: keep what can wait, refuse what cannot, try again later."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._pen.forget()
        self._waiting.extendleft(reversed(works))
        with self._admission:
            self._acknowledged = positions | self._acknowledged
        self._retry_at_s = monotonic() + _RETRY_S
        if self._gap is None:
            self._gap = Gap(self._clock.now(), reason)
            _log.error("the book cannot be written: %s; readings wait in memory, make room on its disk", reason)
        self._gap.reason = reason
        self._refuse_urgent(reason)

    def _refuse_urgent(self, reason: str) -> None:
        refused = [work for work in self._waiting if work.urgent]
        self._waiting = deque(work for work in self._waiting if not work.urgent)
        self._urgent_waits = False
        for work in refused:
            work.future.set_exception(BookError(f"the book cannot be written: {reason}; send again later", retry=True))
        self._discharge(refused)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Make room in memory; what is lost is counted and told when the book can be written again."""
        assert self._gap is not None
        dropped = list(oldest_beyond(self._waiting, self._waiting_max))
        for work in dropped:
            self._gap.drop(work)
            self._dropped += work.size
        self._discharge(dropped)

    def _end_gap(self) -> None:
        if self._gap is not None:
            _log.warning("the book can be written again; %d readings were lost", self._gap.dropped)
            self._gap = None
