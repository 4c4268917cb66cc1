"""Finding a block by its marker (SunSpec Information Model): "SunS", blocks of id, length and data, then 0xFFFF."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from wattbook.model.errors import Garbled
from wattbook.profiles.profile import SunspecSettings

MARKER = (0x5375, 0x6E53)  # "SunS"
END = 0xFFFF
COMMON, COMMON_LENGTH = 1, 66  # the first block: who made the device
_BLOCKS_MAX = 100  # a device has some ten; more is a chain that leads in a circle

Walk = Generator[tuple[int, int], tuple[int, ...] | None, int]
"""Asks for (address, count), is sent the words or None where they cannot be read, returns where the block begins."""


def walk(settings: SunspecSettings) -> Walk:
    """Find the block that has the registers: where its id stands, on the wire. Raises Garbled when there is none."""
    for base in settings.bases:
        if (yield base, 2) == MARKER:
            return (yield from _follow(settings, base + len(MARKER)))
    raise Garbled(f"no SunSpec marker at {', '.join(map(str, settings.bases))}; is it switched on in the device?")


def _follow(settings: SunspecSettings, at: int) -> Walk:
    seen: list[int] = []
    for _ in range(_BLOCKS_MAX):
        head = yield at, 2
        if head is None or head[0] == END or at + 2 + head[1] > END:
            break
        if head[0] in settings.models:
            return at
        seen.append(head[0])
        at += 2 + head[1]
    raise Garbled(f"the device has the SunSpec models {', '.join(map(str, seen)) or 'none'}, and none of a meter")


def find_in(settings: SunspecSettings, words: Mapping[int, int]) -> int:
    """The same, among words that were read already (address -> word). Raises Garbled."""
    steps = walk(settings)
    want = next(steps)
    try:
        while True:
            first, count = want
            there = tuple(words[at] for at in range(first, first + count) if at in words)
            want = steps.send(there if len(there) == count else None)
    except StopIteration as end:
        found: int = end.value
        return found


SERIAL_AT, SERIAL_COUNT = 50, 16  # of the common block: from its id on, and how many registers of text


def serial_places(words: Mapping[int, int]) -> range:
    """Where a serial number stands among words of a device with a marker (address -> word); none without one."""
    for at in words:
        marked = (words[at], words.get(at + 1), words.get(at + 2)) == (*MARKER, COMMON)
        if marked:
            first = at + len(MARKER) + SERIAL_AT
            return range(first, first + SERIAL_COUNT)
    return range(0)
