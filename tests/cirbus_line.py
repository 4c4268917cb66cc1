"""A CIRBUS meter of a few lines, and a player of conversations, both independent of our codec and simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat

from wattbook.codecs.conversation import Conversation, Pause, Receive, Send, T

Line = Callable[[bytes], bytes]  # what comes back for what was sent


def frame(text: str) -> bytes:
    """A frame as the maker's manual describes it: text, the sum of its bytes, line feed."""
    total = 0
    for character in text:
        total = (total + ord(character)) & 0xFF
    return f"{text}{total:02X}\n".encode("latin-1")


def meter(answers: Mapping[str, str], address: str = "00") -> Line:
    """A meter that knows these commands; to others it is silent."""
    known = {frame(f"${address}{command}"): frame(f"${address}{data}") for command, data in answers.items()}
    return lambda sent: known.get(sent, b"")


def play(conversation: Conversation[T], line: Line, cuts: Iterator[int] | None = None) -> T:
    """Play it; what the line gives comes in chunks of these sizes, and is read no further than the codec asks."""
    sizes = cuts or repeat(1)
    waiting = b""
    answer: bytes | None = None
    try:
        while True:
            match conversation.send(answer):  # type: ignore[arg-type]
                case Send(data):
                    waiting, answer = line(data), None
                case Pause():
                    answer = None
                case Receive() as step:
                    answer = b""
                    while waiting and step.missing(answer) > 0 and len(answer) < step.size_max:
                        size = next(sizes)
                        answer, waiting = answer + waiting[:size], waiting[size:]
    except StopIteration as end:
        result: T = end.value
        return result


def endless(sizes: list[int]) -> Iterator[int]:
    """These sizes, and then the rest in one go."""
    return chain(sizes, repeat(1 << 20))


CVMK = {
    "RHI": "499",
    "RVI": "000000231000000229000000230000000230",
    "ROI": "000000400000000398000000399000000399",
    "RAI": "000010070000000500000001250000000012",
    "RPI": "000002310000000110000000280000002700",
    "RLI": "000000400000000020000000030000000450",
    "RCI": "000000000000000005000000000000000005",
    "RFI": "098095100098",
    "RWH": "012345678000000042",
    "RLH": "000765432",
    "RCH": "000001001000000000",
}
