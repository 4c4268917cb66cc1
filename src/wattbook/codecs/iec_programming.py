"""Frames of IEC 62056-21 programming mode: commands P, R, W, E and B, and their answers. The dialogue may follow.

> SOH R1 STX 0.9.2() ETX BCC
< STX 0.9.2(133010) ETX BCC
"""

from __future__ import annotations

from dataclasses import dataclass

from wattbook.codecs.iec_block import EOT, ETX, SOH, STX, block_check
from wattbook.codecs.iec_text import parse_data_sets
from wattbook.codecs.obis import DataSet
from wattbook.model import Garbled


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: a command, or an answer when `command` is ""."""

    command: str  # "P1", "R1", "W1", "B0" ...
    data_sets: tuple[DataSet, ...]
    partial: bool = False  # ends with EOT: more follows


def encode_frame(command: str = "", content: str = "") -> bytes:
    """Write a message: encode_frame("R1", "0.9.2()") asks, encode_frame(content="0.9.2(133010)") answers."""
    head = SOH + command.encode("ascii") if command else b""
    body = STX + content.encode("ascii") if content else b""
    framed = head + body + ETX
    return framed + bytes([block_check(framed[1:])])


def parse_frame(frame: bytes) -> Frame:
    """Parse one message with its BCC. Raises Garbled."""
    if frame[:1] not in (SOH, STX) or len(frame) < 3 or frame[-2:-1] not in (ETX, EOT):
        raise Garbled(f"no frame: {frame[:40]!r}")
    due = block_check(frame[1:-1])
    if frame[-1] != due:
        raise Garbled(f"block check {frame[-1]:02X} does not fit, {due:02X} would", offset=len(frame) - 1)
    head, _, content = frame[:-2].partition(STX)
    try:
        data_sets = parse_data_sets(content.decode("ascii"))
        return Frame(head[1:].decode("ascii"), data_sets, partial=frame[-2:-1] == EOT)
    except ValueError as error:
        raise Garbled(str(error), offset=1) from error
