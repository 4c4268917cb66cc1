"""What waits for the writer of the book: handed in by any thread, and bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from time import monotonic

from wattbook.model import BookError
from wattbook.store.work import Redate, Work

COMMIT_MAX = 10_000  # readings in one transaction: some 50 ms, so that nobody waits long behind it


class Inbox:
    """Oldest first. Any thread puts; the writer alone waits, takes and puts back.

    `waiting_max` bounds urgent and other (lazy) work each for itself: urgent work beyond it is refused, because its
    sender can send again; lazy work beyond it pushes out the oldest lazy work, because a meter cannot be asked what it
    showed a minute ago. So neither takes the other's room.
    """

    def __init__(self, *, waiting_max: int, commit_every_s: float) -> None:
        self._waiting_max = waiting_max
        self._commit_every_s = commit_every_s
        # A commit's worth is due at once, and well before the bound, however long `commit_every_s` is.
        self._commit_max = max(1, min(COMMIT_MAX, waiting_max // 2))
        self._changed = threading.Condition()  # guards all below
        self._works: deque[Work] = deque()
        self._urgent = self._lazy = self._in_hand = 0  # readings and events
        self._due_s: float | None = None  # when what waits lazily is to be committed
        self._closed = False

    @property
    def waiting(self) -> int:
        """Readings and events handed in and not yet answered."""
        with self._changed:
            return self._urgent + self._lazy + self._in_hand

    @property
    def closed(self) -> bool:
        """Whether nothing comes any more."""
        return self._closed

    def put(self, work: Work) -> list[Work]:
        """Hand in work; return what had to make room for it. Raises BookError when it is not taken."""
        with self._changed:
            if self._closed:
                raise BookError("the book is closed")
            if work.urgent and self._urgent >= self._waiting_max:
                raise BookError(f"{self._waiting_max} readings wait for the disk already; send again later", retry=True)
            self._works.append(work)
            self._count(work)
            if self._due_s is None:
                self._due_s = monotonic() + self._commit_every_s
                self._changed.notify()
            elif work.urgent or self._urgent + self._lazy >= self._commit_max:
                self._changed.notify()
            return self._make_room()

    def wait(self, *, retry_at_s: float | None = None) -> None:
        """Block until something is to be done: urgent work, a commit's worth, the first lazy work's time, or the end.

        `retry_at_s`: the disk is full, so nothing lazy is due before (monotonic time).
        """
        with self._changed:
            while not self._closed and not self._urgent:
                due_s = self._next_due_s(retry_at_s)
                left_s = None if due_s is None else due_s - monotonic()
                if left_s is not None and left_s <= 0:
                    return
                self._changed.wait(left_s)

    def _next_due_s(self, retry_at_s: float | None) -> float | None:
        if not self._works:
            return None
        if retry_at_s is not None:
            return retry_at_s
        return 0.0 if self._lazy >= self._commit_max else self._due_s

    def take(self) -> list[Work]:
        """Take at most one transaction's worth."""
        works: list[Work] = []
        with self._changed:
            while self._works and (not works or self._in_hand + self._works[0].size <= COMMIT_MAX):
                works.append(self._take_oldest())
                self._in_hand += works[-1].size
            self._due_s = 0.0 if self._works else None  # what is left over has waited long enough
        return works

    def done(self) -> None:
        """What was taken has been answered."""
        with self._changed:
            self._in_hand = 0

    def put_back(self, works: Sequence[Work]) -> None:
        """Return what was taken to its place, the oldest."""
        with self._changed:
            self._in_hand = 0
            self._works.extendleft(reversed(works))
            for work in works:
                self._count(work)
            self._due_s = 0.0

    def make_room(self) -> list[Work]:
        """Take out the oldest lazy work beyond the bound."""
        with self._changed:
            return self._make_room()

    def take_urgent(self) -> list[Work]:
        """Take out all that somebody waits for."""
        with self._changed:
            taken = [work for work in self._works if work.urgent]
            if taken:
                self._works = deque(work for work in self._works if not work.urgent)
                self._urgent = 0
            return taken

    def close(self) -> None:
        """Let nothing in any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _count(self, work: Work) -> None:
        if work.urgent:
            self._urgent += work.size
        else:
            self._lazy += work.size

    def _take_oldest(self) -> Work:
        work = self._works.popleft()
        if work.urgent:
            self._urgent -= work.size
        else:
            self._lazy -= work.size
        return work

    def _make_room(self) -> list[Work]:
        dropped: list[Work] = []
        passed_over: list[Work] = []
        while self._lazy > self._waiting_max:  # ends: lazy work is counted, so it is there
            if self._works[0].urgent or isinstance(self._works[0], Redate):
                passed_over.append(self._works.popleft())
            else:
                dropped.append(self._take_oldest())
        self._works.extendleft(reversed(passed_over))
        return dropped
