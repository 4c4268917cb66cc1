"""The thread that alone writes the book: commits what waits, acknowledges it, and outlives a full disk."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import assert_never

import msgspec

from wattbook.model import BookError, Clock, Kept
from wattbook.store.inbox import Inbox
from wattbook.store.journal import Position
from wattbook.store.opening import Opened
from wattbook.store.pen import Pen
from wattbook.store.statistics import BookStatistics
from wattbook.store.work import AppendEvent, AppendReadings, Correct, Decide, Forget, Gap, Redate, Seal, Work

_RETRY_S = 1.0  # between tries while the book cannot be written; soon enough after somebody made room

_log = logging.getLogger("wattbook.book")


class Writer:
    """Owns the connection. `submit`, `acknowledge`, `statistics` and `on_commit` may be called from any thread."""

    def __init__(self, opened: Opened, *, clock: Clock, site: str, commit_every_s: float, waiting_max: int) -> None:
        self._connection = opened.connection
        self._clock = clock
        self._pen = Pen(opened.connection, site=site, seq_next=opened.seq_next)
        self.lineage = opened.lineage
        self.positions: dict[str, Position] = opened.positions
        self.corrupt = False  # the file is damaged: it is to be repaired at the next start
        self._inbox = Inbox(waiting_max=waiting_max, commit_every_s=commit_every_s)
        self._lock = threading.Lock()  # guards the four below
        self._acknowledged: dict[str, Position] = {}
        self._wakers: tuple[Callable[[], None], ...] = ()
        self._gap: Gap | None = None
        self._dropped = 0
        self._retry_at_s = 0.0  # the thread's own from here on
        self._commits = self._readings = self._events = self._same = self._conflicts = 0
        self._last_commit_s = 0.0
        self._thread = threading.Thread(target=self._run, name="book", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, *, timeout_s: float) -> bool:
        """Commit what waits and close; return whether that ended in time."""
        self._inbox.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def submit(self, work: Work) -> None:
        """Hand in work. Its future fails at once when it is not taken (see Inbox)."""
        try:
            dropped = self._inbox.put(work)
        except BookError as error:
            work.future.set_exception(error)
            return
        self._drop(dropped)

    def acknowledge(self, follower: str, position: Position) -> None:
        """Write this position with the next commit."""
        with self._lock:
            self._acknowledged[follower] = position

    def on_commit(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after commits; return what ends that."""
        with self._lock:
            self._wakers = (*self._wakers, wake)

        def end() -> None:
            with self._lock:
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
            waiting=self._inbox.waiting,
            last_commit_s=self._last_commit_s,
            gap_since=gap.since if gap else None,
            gap_reason=gap.reason if gap else "",
        )

    def _run(self) -> None:
        try:
            while not self._inbox.closed:
                self._inbox.wait(retry_at_s=self._retry_at_s if self._gap is not None else None)
                if self._gap is not None and monotonic() < self._retry_at_s:
                    self._refuse_urgent(self._gap.reason)
                else:
                    self._commit()
            self._commit()
            while self._inbox.waiting and self._gap is None:
                self._commit()
        finally:
            self._end()

    def _end(self) -> None:
        """Answer whatever is still open, also when a bug ends the thread."""
        self._inbox.close()
        lost = 0
        while works := self._inbox.take():  # nothing comes any more
            for work in works:
                work.future.set_exception(BookError("the book was closed before this could be written"))
                lost += 0 if work.urgent else work.size
            self._inbox.done()
        if lost:
            self._dropped += lost
            _log.error("the book was closed and %d readings and events could not be written: they are lost", lost)
        self._connection.close()

    def _commit(self) -> None:
        works = self._inbox.take()
        started_s = monotonic()
        with self._lock:
            positions, self._acknowledged = self._acknowledged, {}
            gap = self._gap
        try:
            results = self._transaction(works, gap, positions)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            self._inbox.put_back(works)
            raise  # our own mistake: trying again would not help
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            self._undo(works, positions, error)
            return
        except BaseException:
            self._inbox.put_back(works)
            raise
        self._last_commit_s = monotonic() - started_s
        self._commits += 1
        if works or (gap is not None and gap.dropped):  # an empty transaction succeeds on a full disk too
            self._end_gap(gap)
        self._answer(works, results)
        if works:
            self._wake()

    def _transaction(self, works: Sequence[Work], gap: Gap | None, positions: dict[str, Position]) -> list[object]:
        """Write all of it in one transaction; return what became of each work."""
        self._connection.execute("BEGIN IMMEDIATE")
        results = [self._write(work) for work in works]
        if gap is not None and gap.dropped:
            self._pen.append_event(gap.event(self._clock.now()))
        decided = {work.follower for work in works if isinstance(work, Decide)}  # what they acknowledged is older
        if riding := {follower: position for follower, position in positions.items() if follower not in decided}:
            self._pen.acknowledge(riding)
        self._pen.finish()
        self._connection.execute("COMMIT")
        return results

    def _write(self, work: Work) -> object:
        """Write one piece of work into the open transaction; a BookError is its result, and nobody else's."""
        try:
            match work:
                case AppendReadings():
                    return self._pen.append(work.readings, fresh=work.fresh)
                case AppendEvent():
                    return self._pen.append_event(work.event)
                case Decide():
                    self._pen.acknowledge({work.follower: work.position})
                    return [self._pen.append_event(event) for event in work.events]
                case Correct():
                    return self._pen.correct(work.readings, work.event)
                case Seal():
                    return self._pen.seal(work.sealing, self._clock.now())
                case Forget():
                    return self._pen.forget_readings(work.forgetting, self._clock.now())
                case Redate():
                    return self._pen.redate(before=work.before, by=work.by, at=self._clock.now())
                case _:
                    assert_never(work)
        except BookError as error:
            return error

    def _answer(self, works: Sequence[Work], results: Sequence[object]) -> None:
        self._inbox.done()
        for work, result in zip(works, results, strict=True):
            if isinstance(result, BookError):
                if not work.urgent:
                    self._count_dropped(work.size)
                work.future.set_exception(result)
                continue
            if isinstance(result, Kept):
                self._count(result)
            elif isinstance(work, AppendEvent):
                self._events += 1
            elif isinstance(work, Decide):
                self._events += work.size
            elif isinstance(work, Correct):
                self._readings += work.size - 1
                self._events += 1
            work.future.set_result(result)  # type: ignore[arg-type]  # each kind of work has its own

    def _count(self, kept: Kept) -> None:
        self._readings += kept.new
        self._same += kept.same
        self._conflicts += kept.conflicts

    def _count_dropped(self, count: int) -> None:
        with self._lock:
            self._dropped += count

    def _wake(self) -> None:
        for wake in self._wakers:
            try:
                wake()
            except Exception:  # noqa: BLE001 - somebody else's bug must not end the book; that one is called no more
                _log.exception("what was to be told of commits failed, and is told no more")
                with self._lock:
                    self._wakers = tuple(each for each in self._wakers if each is not wake)

    def _undo(self, works: list[Work], positions: dict[str, Position], error: Exception) -> None:
        """The disk is full or fails, or a row is damaged: keep what can wait, refuse what cannot, try again later."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._pen.forget()
        self._inbox.put_back(works)
        reason, advice = str(error), "make room on its disk"
        if not isinstance(error, sqlite3.OperationalError):  # SQLite's word for a file that is no whole database
            self.corrupt = True
            advice = "stop and start wattbook, which repairs it"
            reason += "; it will be repaired at the next start"
        self._retry_at_s = monotonic() + _RETRY_S
        with self._lock:
            self._acknowledged = positions | self._acknowledged
            before, self._gap = self._gap, replace(self._gap or Gap(self._clock.now(), reason), reason=reason)
        if before is None:
            _log.error("the book cannot be written: %s; readings wait in memory, %s", error, advice)
        self._refuse_urgent(reason)

    def _refuse_urgent(self, reason: str) -> None:
        for work in self._inbox.take_urgent():
            work.future.set_exception(BookError(f"the book cannot be written: {reason}; send again later", retry=True))
        self._drop(self._inbox.make_room())

    def _drop(self, works: Sequence[Work]) -> None:
        """What made room in memory is lost: it is counted, and told when the book can be written again."""
        if not works:
            return
        with self._lock:
            before = self._gap
            gap = before or Gap(self._clock.now(), "its disk does not keep up")
            self._gap = gap.with_dropped(works)
            self._dropped += sum(work.size for work in works)
        if before is None:
            _log.error("the book cannot be written fast enough: %s; the oldest readings that wait are lost", gap.reason)
        for work in works:
            work.future.set_exception(BookError(f"dropped, because the book could not be written: {gap.reason}"))

    def _end_gap(self, told: Gap | None) -> None:
        """The gap that was told has ended; what was dropped since begins another."""
        if told is None:
            return
        with self._lock:
            assert self._gap is not None
            since = self._gap.dropped - told.dropped
            self._gap = replace(self._gap, start=told.end, dropped=since) if since else None
        if not since:
            _log.warning("the book can be written again; %d readings were lost", told.dropped)
