"""Asking on a line that the daemon reads: one exchange at a time, between its own polls.

Each exchange waits for its turn as a request of another master does: while our meters are due they have at least
every second turn. The line's speed and parity are not changed for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from wattbook.codecs.conversation import Conversation, Pause, Receive, Send, T
from wattbook.codecs.modbus_ask import Rtu
from wattbook.engine.asking import Asking, Tap
from wattbook.engine.orders import LineBusy
from wattbook.profiles.profile import SerialSettings
from wattbook.transports.link import LinkLost

TURN_S_MAX = 30.0  # for one turn: every meter of a full line and every guest may be asked before


class Submit(Protocol):
    """How an exchange gets its turn on a line."""

    def __call__(self, conversation: Conversation[T], /) -> Future[T]:
        """Play a conversation between two polls; the future raises LinkLost or LineBusy."""
        ...


@dataclass(frozen=True, slots=True)
class SharedLine:
    """A line of Modbus meters that the daemon reads."""

    name: str
    settings: SerialSettings
    units: frozenset[int]  # addresses of its meters
    submit: Submit

    @contextmanager
    def asking(self) -> Iterator[Asking]:
        """Ask there as on a line of one's own."""
        tap = Tap()
        yield Asking(Turns(self, tap), Rtu(), tap)


@dataclass(slots=True)
class Turns:
    """Plays conversations, in a thread that may wait: each question with its answer is one turn."""

    line: SharedLine
    tap: Tap
    sleep: Callable[[float], None] = time.sleep
    _question: Send = field(default_factory=lambda: Send(b""))

    @property
    def character_s(self) -> float:
        """How long a character takes on it."""
        return self.line.settings.character_s

    def play(self, conversation: Conversation[T]) -> T:
        """Return what the conversation returns, or raise what it raises; LinkLost when no turn comes."""
        answer: bytes | None = None
        try:
            while True:
                # A generator is started by sending None, which its type does not say.
                step = conversation.send(answer)  # type: ignore[arg-type]
                answer = None
                match step:
                    case Send():
                        self._question = step
                    case Receive():
                        answer = self._turn(_exchange(self._question, step))
                    case Pause(seconds):
                        self.sleep(seconds)
                    case _:
                        raise AssertionError("the speed of a line in use is not changed")
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            conversation.close()

    def _turn(self, exchange: Conversation[bytes]) -> bytes:
        done = self.line.submit(exchange)
        try:
            heard = done.result(TURN_S_MAX)
        except (TimeoutError, LineBusy) as error:  # not the silence of a meter
            done.cancel()
            raise LinkLost(f"it is too busy: no turn within {TURN_S_MAX:g} s", meter=self.line.name) from error
        self.tap.wire(">", self._question.data)
        self.tap.wire("<", heard)
        return heard


def _exchange(question: Send, receive: Receive) -> Conversation[bytes]:
    yield question
    heard = yield receive
    return heard
