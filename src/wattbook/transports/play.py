"""Carry out a codec's conversation on a line: in a thread (`Player`) or on asyncio streams (`play_async`).

A blocking player sleeps through the time bytes are known to need on the wire and then reads once, instead of waking
per byte; all waits end at absolute instants, so lateness does not add up. A request asked before is expected to be
answered as long as last time; any other answer is recognised when its least size is there. On a Modbus line the
silence of 3.5 characters is counted from the last byte, heard or sent.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wattbook.codecs.conversation import Conversation, Pause, Receive, Send, SetBaud, Step, T
from wattbook.model.errors import Garbled
from wattbook.transports.link import Link, LinkLost

SLEEP_S_MAX = 0.2  # so that a stop and the readout's progress are seen soon, even at 300 Bd
SILENCE_S_MIN = 0.00175  # above 19200 Bd the standard gives a fixed time instead of 3.5 characters
SILENCE_CHARACTERS = 3.5
_PR_SET_TIMERSLACK = 29  # linux/prctl.h
_LATE_S = 0.0001  # the other end wakes up late as well; one early look costs more than this
_USUAL_MAX = 1024  # requests remembered: more than a full line of 247 meters needs
_QUIET_S_MAX = 1.0  # a line that talks this long without a pause has a fault that waiting will not cure


class Stopped(Exception):
    """The conversation was given up because the line is being stopped."""


def wake_on_time() -> None:
    """Ask Linux not to round this thread's wake-ups up by its usual 50 µs; elsewhere the rounding stays."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def frame_silence_s(character_s: float) -> float:
    """The silence between Modbus RTU frames (Modbus over Serial Line V1.02, 2.5.1.1)."""
    return max(SILENCE_CHARACTERS * character_s, SILENCE_S_MIN)


def _never() -> bool:
    return False


def _ignore(size: int) -> None:
    """Nobody watches the progress."""


@dataclass(slots=True)
class Player:
    """Plays conversations on one link, in one thread. Waits in seconds of `monotonic`.

    `heard` is told the bytes of the present answer as they come; `wire` (">" or "<", bytes) sees everything.
    """

    link: Link
    framed: bool = False  # keep the silence between frames (Modbus RTU)
    heard: Callable[[int], None] = _ignore
    stopped: Callable[[], bool] = _never
    wire: Callable[[str, bytes], None] | None = None
    first_byte_s: float = 0.0  # of the last answer, from the end of the request; an upper bound
    _busy_until: float = 0.0  # when the last byte, sent or heard, was through
    _asked: bytes = b""
    _usual: dict[bytes, int] = field(default_factory=dict)  # request -> size of its last answer
    _monotonic: Callable[[], float] = time.monotonic
    _sleep: Callable[[float], None] = time.sleep

    def play(self, conversation: Conversation[T]) -> T:
        """Return what the conversation returns, or raise what it raises; LinkLost when the link is gone."""
        answer: bytes | None = None
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

    def _carry_out(self, step: Step) -> bytes | None:
        match step:
            case Receive():
                return self._receive(step)
            case Send(data):
                self._send(data)
            case SetBaud(baud):
                self._sleep_until(self._busy_until)
                self.link.set_baud(baud)
            case Pause(seconds):
                self._sleep_until(self._busy_until + seconds)
        return None

    def _send(self, data: bytes) -> None:
        self._wait_for_silence()
        self.link.write(data)
        self._busy_until = self._monotonic() + len(data) * self.link.character_s
        self._asked = data
        if self.wire:
            self.wire(">", data)

    def _wait_for_silence(self) -> None:
        """Return when the line is quiet, and for a framed line has been for long enough; what was heard is dropped."""
        silence_s = frame_silence_s(self.link.character_s) if self.framed else 0.0
        give_up = self._monotonic() + _QUIET_S_MAX
        self._sleep_until(self._busy_until + silence_s)
        while stale := self.link.read(0):
            self._busy_until = now = self._monotonic()
            if self.wire:
                self.wire("<", stale)
            if now > give_up:
                raise Garbled("somebody talks on the line without a pause")
            self._sleep_until(now + silence_s)

    def _receive(self, step: Receive) -> bytes:
        heard = b""
        monotonic, link = self._monotonic, self.link
        asked = max(self._busy_until, monotonic())
        deadline = asked + step.timeout_s
        size = max(self._usual.pop(self._asked, 0), step.missing(heard))
        looked_at = asked + min(size * link.character_s, SLEEP_S_MAX) + _LATE_S
        self._sleep_until(min(looked_at, deadline))
        while True:
            chunk = link.read(min(max(deadline - monotonic(), 0.0), SLEEP_S_MAX))
            now = monotonic()
            if not chunk:
                if now >= deadline:
                    return heard
                self._check_stopped()
                continue
            if not heard:
                self.first_byte_s = now - asked
            heard += chunk
            self._busy_until = now
            self.heard(len(heard))
            if self.wire:
                self.wire("<", chunk)
            missing = step.missing(heard)
            if missing <= 0 or len(heard) >= step.size_max:
                self._expect(len(heard))
                return heard
            deadline = now + missing * link.character_s + step.gap_s
            # The byte heard last may be almost a character old, so the last one missing is waited for awake.
            # Long answers are looked at in between, for the progress shown and for an early end.
            self._sleep_until(now + min((max(missing, size - len(heard)) - 1) * link.character_s, SLEEP_S_MAX))

    def _expect(self, size: int) -> None:
        """Remember how long the answer to this request was."""
        if len(self._usual) >= _USUAL_MAX:
            self._usual.clear()
        self._usual[self._asked] = size

    def _sleep_until(self, instant: float) -> None:
        while (left := instant - self._monotonic()) > 0:
            self._check_stopped()
            self._sleep(min(left, SLEEP_S_MAX))

    def _check_stopped(self) -> None:
        if self.stopped():
            raise Stopped


async def play_async(conversation: Conversation[T], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> T:
    """Play a conversation on a TCP connection, for codecs that number their frames (Modbus TCP).

    Unlike on a serial line nothing heard is dropped: the codec itself tells late answers from its own.
    Raises LinkLost when the connection breaks.
    """
    answer: bytes | None = None
    try:
        while True:
            match conversation.send(answer):  # type: ignore[arg-type]
                case Send(data):
                    answer = None
                    writer.write(data)
                    await writer.drain()
                case Receive() as step:
                    answer = await _receive_async(step, reader)
                case Pause(seconds):
                    answer = None
                    await asyncio.sleep(seconds)
                case SetBaud():
                    answer = None  # a network has no speed to set
    except StopIteration as end:
        result: T = end.value
        return result
    except OSError as error:
        raise LinkLost(f"the connection broke ({error})") from error
    finally:
        conversation.close()


async def _receive_async(step: Receive, reader: asyncio.StreamReader) -> bytes:
    heard = b""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + step.timeout_s
    while step.missing(heard) > 0 and len(heard) < step.size_max:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await reader.read(step.size_max)
        except TimeoutError:
            return heard
        if not chunk:
            raise LinkLost("the other end closed the connection")
        heard += chunk
        deadline = loop.time() + step.gap_s
    return heard
