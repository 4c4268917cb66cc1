"""Data blocks of IEC 62056-21: STX, data sets, `!` CR LF, ETX, and a block check character (BCC)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Literal

from wattbook.codecs.iec_text import check_syntax, format_data_sets, parse_data_sets
from wattbook.codecs.obis import DataSet
from wattbook.model import Garbled

SOH, STX, ETX, EOT, ACK, NAK = b"\x01", b"\x02", b"\x03", b"\x04", b"\x06", b"\x15"
_SHORTEST_SIZE = 6  # STX ! CR LF ETX BCC

_LAST_LINE = re.compile(rb"(?:\x02|(\r\n|\n\n|\n))!(?(1)\1|(?:\r\n|\n))\Z")
_CUT_END = re.compile(rb"(\r\n|\n\n|\n)!(?:\1\x03?)?\Z")  # nothing else came where the BCC should be

Check = Literal["required", "optional"]


@dataclass(frozen=True, slots=True)
class Block:
    """One data block."""

    data_sets: tuple[DataSet, ...]
    checked: bool  # whether a BCC vouches for it
    partial: bool = False  # another one follows when it is acknowledged


def block_check(data: bytes) -> int:
    """The BCC: exclusive or of the 7-bit characters after the first SOH or STX, up to and with ETX or EOT."""
    return reduce(xor, data, 0) & 0x7F


def encode_block(data_sets: Iterable[DataSet], *, partial: bool = False) -> bytes:
    """A data block: STX, a data set a line, `!`, ETX, BCC. A partial one ends with EOT and has no `!`."""
    lines = "".join(f"{line}\r\n" for line in format_data_sets(data_sets)).encode("ascii")
    checked = lines + EOT if partial else lines + b"!\r\n" + ETX
    return STX + checked + bytes([block_check(checked)])


def find_end(heard: bytes, start: int) -> int:
    """Where ETX or EOT stands after `start`, -1 = not yet."""
    ends = [end for end in (heard.find(ETX, start), heard.find(EOT, start)) if end >= 0]
    return min(ends, default=-1)


def missing_of_block(heard: bytes) -> int:
    """How many more bytes are certain to follow before the block is complete.

    Without STX that is never told: what looks like the last line of a meter that sends no frame may be followed by the
    ETX of one whose STX was damaged, so only silence is its end.
    """
    start = heard.find(STX)
    if start < 0:
        return 1 if _last_word(heard) >= 0 else _SHORTEST_SIZE
    end = find_end(heard, start)
    if end >= 0:
        return max(0, end + 2 - len(heard))
    return 2


def parse_block(heard: bytes, check: Check, *, first: bool = True) -> Block:
    """Parse what was heard, lead-in included. Raises Garbled with the offset of what is wrong.

    `first`: nothing of this readout was heard before. Only then may it be one without a frame: later, the rest of a
    damaged block would look the same.
    """
    start = heard.find(STX)
    if start < 0:
        return _unframed(heard, check if first else "required")
    end = find_end(heard, start)
    if end < 0 or end + 1 == len(heard):
        return _unchecked(heard, start, check)
    due = block_check(heard[start + 1 : end + 1])
    if max(heard[start:end]) > 0x7F:
        raise Garbled("characters of 8 bits in a 7-bit format; the line must be 7 bits, even parity", offset=start)
    if heard[end + 1] != due:
        raise Garbled(f"block check {heard[end + 1]:02X} does not fit, {due:02X} would", offset=end + 1)
    partial = heard[end : end + 1] == EOT
    # A damaged character that looks like ETX may by chance be followed by its BCC; the last line cannot be there.
    if not partial and not _LAST_LINE.search(heard, start, end):
        raise Garbled("the data block ends before its last line", offset=end)
    return Block(_data_sets(heard[start + 1 : end], start, strict=False), True, partial)


def _unchecked(heard: bytes, start: int, check: Check) -> Block:
    """A block whose end or BCC did not come."""
    last = _CUT_END.search(heard, start)
    if last is None:
        raise Garbled(f"the data block stops after {len(heard) - start} bytes", offset=len(heard))
    if check == "required":
        message = 'the block check character is missing (a meter without one needs check = "optional" in its profile)'
        raise Garbled(message, offset=len(heard))
    return Block(_data_sets(heard[start + 1 : last.start()], start, strict=True), False)


def _unframed(heard: bytes, check: Check) -> Block:
    last = _CUT_END.search(heard)
    if check == "required" or last is None or ETX in heard or EOT in heard:
        raise Garbled(f"{len(heard)} bytes without the start of a data block", offset=0)
    first = next((at for at, byte in enumerate(heard) if byte not in b"\x06\0\x7f\r\n"), 0)
    return Block(_data_sets(heard[first : last.start()], first, strict=True), False)


def _last_word(heard: bytes) -> int:
    """Where the line that is only `!` begins, -1 = it did not come."""
    at = heard.find(b"\n!")
    return at + 1 if at >= 0 else -1


def _data_sets(content: bytes, offset: int, *, strict: bool) -> tuple[DataSet, ...]:
    try:
        data_sets = parse_data_sets(content.decode("ascii"))
        if strict:
            check_syntax(data_sets)
    except ValueError as error:
        raise Garbled(str(error), offset=offset) from error
    return data_sets
