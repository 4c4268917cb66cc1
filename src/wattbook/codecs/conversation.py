"""A conversation with a meter, as data: what to send and what to wait for next.

A codec writes its dialogue once, as a generator of steps; a player (blocking on a serial line, asynchronous on TCP)
carries the steps out and sends back what it heard. So a codec can be tested without a port and a clock.

    def ask() -> Conversation[int]:
        yield Send(b"?")
        answer = yield Receive(missing=exactly(2), timeout_s=1.0)
        if len(answer) < 2:
            raise Unreachable("no answer")
        return int.from_bytes(answer)
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

Missing = Callable[[bytes], int]
"""How many more bytes are certain to follow these; 0 = the answer is complete. Asked again as bytes arrive."""


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes. Whatever was heard before is stale and is dropped."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for an answer. The player sends back what it heard, complete or not: empty means silence.

    `timeout_s` runs from the end of the request on the wire to the first byte, `gap_s` from byte to byte;
    `size_max` bounds what a talkative line can make us keep.
    """

    missing: Missing
    timeout_s: float
    gap_s: float = 0.1
    size_max: int = 65_536


@dataclass(frozen=True, slots=True)
class SetBaud:
    """Change the speed of the line, after what was sent has left it. Bits and parity stay."""

    baud: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Keep silent this long: a reaction time that the standard asks for."""

    seconds: float


Step = Send | Receive | SetBaud | Pause
Conversation = Generator[Step, bytes, T]


def exactly(size: int) -> Missing:
    """An answer of a known size."""
    return lambda heard: max(0, size - len(heard))


def until(end: bytes, more: int = 0) -> Missing:
    """An answer that ends with `end` and `more` bytes after it (a check character)."""

    def missing(heard: bytes) -> int:
        at = heard.find(end)
        if at < 0:
            return len(end) + more
        return max(0, at + len(end) + more - len(heard))

    return missing
