"""Conversations that wait for their turn on a line: ours before every poll, guests' between polls."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wattbook.codecs.conversation import Conversation
from wattbook.model.errors import Unreachable
from wattbook.transports.link import LinkLost

T = TypeVar("T")

COMMANDS_MAX = 100  # waiting; a person or an alert gives a few, more is a fault of the caller
GUESTS_MAX = 64  # waiting: at 40 ms each beside as many polls they take longer than any master waits


class LineBusy(Unreachable):
    """Too many conversations wait for this line already."""


@dataclass(slots=True)
class Order:
    """One conversation and where its result goes. `guest`: of another program, through a proxy."""

    conversation: Conversation[Any]
    guest: bool
    done: Future[Any] = field(default_factory=Future)


class Orders:
    """The orders of one line. Anybody adds, the line's own thread or task takes.

    A command overtakes every poll. A guest goes when no poll is due; while polls are due, it goes only once they had
    as much time as the guest before it took. So guests never have more than half of a line that is full, and never
    two turns between two polls that are due; one that asks for a silent slave pays for the silence.
    """

    def __init__(self, line: str) -> None:
        self._line = line
        self._commands: deque[Order] = deque()  # at most COMMANDS_MAX
        self._guests: deque[Order] = deque()  # at most GUESTS_MAX
        self._guests_from = 0.0  # monotonic: until then polls that are due go first
        self._poll_owed = False  # a guest was served since the last poll

    def __bool__(self) -> bool:
        return bool(self._commands or self._guests)

    def make(self, conversation: Conversation[T], *, guest: bool = False) -> tuple[Order, Future[T]]:
        """An order to `put`, and its future; that holds LineBusy when too many wait already."""
        order = Order(conversation, guest)
        waiting, most = (self._guests, GUESTS_MAX) if guest else (self._commands, COMMANDS_MAX)
        if len(waiting) >= most:
            what = "requests of other masters" if guest else "commands"
            order.done.set_exception(LineBusy(f"{most} {what} wait already", meter=self._line))
        return order, order.done

    def put(self, order: Order) -> None:
        """Let it wait for its turn."""
        (self._guests if order.guest else self._commands).append(order)

    def next(self, now: float, *, poll_due: bool) -> Order | None:
        """The order to carry out now (it runs from here on: nobody can cancel it), or None: the polls go first."""
        while self._commands:
            if (order := self._commands.popleft()).done.set_running_or_notify_cancel():
                return order
        while self._guests and not (poll_due and (self._poll_owed or now < self._guests_from)):
            if (order := self._guests.popleft()).done.set_running_or_notify_cancel():
                return order
        return None

    def guest_was_served(self, began: float, now: float) -> None:
        """A guest's conversation is over; the polls get as much time."""
        self._guests_from = now + (now - began)
        self._poll_owed = True

    def polled(self) -> None:
        """One of our meters was asked."""
        self._poll_owed = False

    def drop(self, reason: str) -> None:
        """Tell everybody who waits that the line is gone. Two threads may do so at once."""
        for waiting in (self._commands, self._guests):
            with suppress(IndexError):
                while True:
                    done = waiting.popleft().done
                    if done.set_running_or_notify_cancel():
                        done.set_exception(LinkLost(reason, meter=self._line))
