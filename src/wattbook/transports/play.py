"""Carry out a codec's conversation on a line, in a thread (`stream` does it in the event loop).

A blocking player sleeps through the time bytes are known to need on the wire and then reads once, instead of waking
per byte; all waits end at absolute instants, so lateness does not add up. A request asked before is expected to be
answered as last time, as long and as late; any other answer is recognised when its least size is there. On a Modbus
line the silence of 3.5 characters is counted from the last byte, heard or sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from wattbook.codecs.conversation import Conversation, Pause, Receive, Send, SetBaud, Step, T
from wattbook.codecs.modbus import frame_silence_s
from wattbook.model.errors import Garbled
from wattbook.transports.link import Link
from wattbook.transports.pace import SLEEP_S_MAX, Pace, Stopped

_LATE_S = 0.00007  # the other end wakes up late as well; one early look costs more than this
_WOKEN_S_MAX = 0.0001  # more is a busy interpreter, not the way from the wire to us
_USUAL_MAX = 1024  # requests remembered: more than a full line of 247 meters needs
_EARLY_LOOK_EVERY = 16  # requests: two more wake-ups in so many
_QUIET_S_MAX = 1.0  # a line that talks this long without a pause has a fault that waiting will not cure

Wire = Callable[[str, bytes], None]  # sees what goes over the line: ">" or "<", and the bytes


def _ignore(size: int) -> None:
    """Nobody watches the progress."""


@dataclass(slots=True)
class _Usual:
    """How a request is usually answered: how long, and how much later than the wire alone would allow."""

    size: int = 0
    polls: int = 0
    thinking_s: deque[float] = field(default_factory=lambda: deque(maxlen=4))

    def complete_s(self, character_s: float, late_s: float) -> float:
        """When to look for the answer, after the request's end. Now and then that is early, to see whether the slave
        got quicker; else the quickest of the last early looks counts, so that no answer waits for us. Each of them
        was woken by the answer, and so saw it later than it came: by `late_s`, as a rule."""
        early = self.polls < 4 or self.polls % _EARLY_LOOK_EVERY == 0
        thinking_s = 0.0 if early or not self.thinking_s else max(min(self.thinking_s) - late_s, 0.0)
        return self.size * character_s + thinking_s

    def answered(self, size: int, after_s: float, character_s: float) -> None:
        """Note an answer, complete `after_s` after the request."""
        if size != self.size or self.polls < 4 or self.polls % _EARLY_LOOK_EVERY == 0:
            self.thinking_s.append(max(after_s - size * character_s, 0.0))
        self.size = size
        self.polls += 1


@dataclass(slots=True)
class Player:
    """Plays conversations on one link, in one thread.

    `heard` is told the bytes of the present answer as they come; `wire` (">" or "<", bytes) sees everything.
    """

    link: Link
    framed: bool = False  # keep the silence between frames (Modbus RTU)
    heard: Callable[[int], None] = _ignore
    pace: Pace = field(default_factory=Pace)
    wire: Wire | None = None
    first_byte_s: float = 0.0  # of the last conversation's slowest answer, from the request's end; an upper bound
    _busy_until: float = 0.0  # when the last byte, sent or heard, was through
    _asked: bytes = b""
    _usual: dict[bytes, _Usual] = field(default_factory=dict)  # by request

    @property
    def character_s(self) -> float:
        """How long a character takes on the wire."""
        return self.link.character_s

    def play(self, conversation: Conversation[T]) -> T:
        """Return what the conversation returns, or raise what it raises; LinkLost when the link is gone."""
        answer: bytes | None = None
        self.first_byte_s = 0.0
        try:
            while True:
                # A generator is started by sending None, which its type does not say.
                step = conversation.send(answer)  # type: ignore[arg-type]
                answer = self._carry_out(step)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            conversation.close()

    def look(self) -> None:
        """Find out that the line is gone before a question is lost on it: raises LinkLost. What came unasked is
        dropped, as before every question."""
        if stale := self.link.read(0):
            self._busy_until = self.pace.monotonic()
            if self.wire:
                self.wire("<", stale)

    def _carry_out(self, step: Step) -> bytes | None:
        match step:
            case Receive():
                return self._receive(step)
            case Send(data):
                self._send(data)
            case SetBaud(baud):
                self.pace.until(self._busy_until)
                self.link.set_baud(baud)
            case Pause(seconds):
                self.pace.until(self._busy_until + seconds)
        return None

    def _send(self, data: bytes) -> None:
        self._wait_for_silence()
        self._busy_until = self.pace.monotonic() + len(data) * self.link.character_s
        self.link.write(data)
        self._asked = data
        if self.wire:
            self.wire(">", data)

    def _wait_for_silence(self) -> None:
        """Return when the line is quiet, and for a framed line has been for long enough; what was heard is dropped."""
        silence_s = frame_silence_s(self.link.character_s) if self.framed else 0.0
        give_up = self.pace.monotonic() + _QUIET_S_MAX
        self.pace.until(self._busy_until + silence_s)
        while stale := self.link.read(0):
            self._busy_until = now = self.pace.monotonic()
            if self.wire:
                self.wire("<", stale)
            if now > give_up:
                raise Garbled("somebody talks on the line without a pause")
            self.pace.until(now + silence_s)

    def _receive(self, step: Receive) -> bytes:
        heard = b""
        monotonic, link = self.pace.monotonic, self.link
        asked = max(self._busy_until, monotonic())
        deadline = asked + step.timeout_s
        usual = self._usual.get(self._asked) or self._remember(self._asked)
        size = max(usual.size, step.missing(heard))
        complete_s = usual.complete_s(link.character_s, min(self.pace.late_s, _WOKEN_S_MAX))
        looked_at = max(complete_s, step.missing(heard) * link.character_s) + _LATE_S
        self.pace.until(asked + min(looked_at, SLEEP_S_MAX, step.timeout_s))
        while True:
            chunk = link.read(min(max(deadline - monotonic(), 0.0), SLEEP_S_MAX))
            now = monotonic()
            if not chunk:
                if now >= deadline:
                    return heard
                if self.pace.stopped():
                    raise Stopped
                continue
            if not heard:
                self.first_byte_s = max(self.first_byte_s, now - asked)
            heard += chunk
            self._busy_until = now
            self.heard(len(heard))
            if self.wire:
                self.wire("<", chunk)
            missing = step.missing(heard)
            if missing <= 0 or len(heard) >= step.size_max:
                usual.answered(len(heard), now - asked, link.character_s)
                return heard
            if self.pace.stopped():  # bytes that come one by one would keep it from being seen for a whole readout
                raise Stopped
            deadline = now + missing * link.character_s + step.gap_s
            # The byte heard last may be almost a character old, so the last one missing is waited for awake.
            # Long answers are looked at in between, for the progress shown and for an early end.
            self.pace.near(now + min((max(missing, size - len(heard)) - 1) * link.character_s, SLEEP_S_MAX))

    def _remember(self, request: bytes) -> _Usual:
        if len(self._usual) >= _USUAL_MAX:
            self._usual.clear()
        self._usual[request] = usual = _Usual()
        return usual
