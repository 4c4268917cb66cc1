"""DSMR P1, 2.2 to 5 and its national variants, and its ancestor, mode D of IEC 62056-21: the meter speaks first.

`/` identification CR LF, CR LF, data lines, `!`, from DSMR 4 on a CRC in 4 hexadecimal digits (some devices drop
leading zeros), CR LF. The CRC is CRC-16/ARC over everything from `/` to `!`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from wattbook.codecs.crc import crc_arc
from wattbook.codecs.framing import Cut, FrameDecoder
from wattbook.codecs.iec_text import (
    IDENTIFICATION,
    check_syntax,
    format_data_sets,
    parse_data_sets,
    parse_identification,
)
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Telegram

_START_SIZE = 5  # `/`, maker, speed: enough to know a telegram's start
_START = re.compile(rb"/[A-Za-z]{3}[^\r\n()*/!?\x80-\xff]")
_MAY_START = re.compile(rb"/[A-Za-z]{0,3}$")
_TURN = re.compile(rb"\n(?:!|/[A-Za-z]{3}[^\r\n()*/!?\x80-\xff])")  # the end, or another start before it
# The blank line below it tells an identification from data.
_ALMOST_START = re.compile(
    rb"(?s:[^/][A-Za-z]{3}.|/(?:.[A-Za-z]{2}|[A-Za-z].[A-Za-z]|[A-Za-z]{2}.).|/[A-Za-z]{3}.)"
    rb"[^\r\n()]{0,64}\r?\n\r?\n"
)
_ALMOST_END = re.compile(rb"(?:\n[^!]|[^\n]!)[0-9A-F]{1,4}\r?\n?\Z")
_END_LINE = re.compile(rb"([0-9A-F]{1,4})?\r?")
_END_LINE_SIZE_MAX = 6  # four digits, CR LF
# The version line; whoever sends it has a CRC. (DSMR 2 and 3 have neither.)
_VERSION_CODES = ("0.2.8", "96.1.4")


class DsmrDecoder(FrameDecoder):
    """Telegrams out of a stream. `crc` optional takes those without one, unless they say that they are DSMR 4 or 5."""

    def __init__(self, crc: Literal["required", "optional"] = "required") -> None:
        super().__init__()
        self._crc_required = crc == "required"

    def _find_start(self, buffer: bytearray) -> int:
        match = _START.search(buffer)
        return match.start() if match else -1

    def _may_start(self, buffer: bytearray) -> int:
        match = _MAY_START.search(buffer, max(0, len(buffer) - _START_SIZE))
        return len(buffer) - match.start() if match else 0

    def _almost_starts(self, junk: bytearray) -> bool:
        return _ALMOST_START.search(junk) is not None

    def _almost_ends(self, buffer: bytearray) -> bool:
        return _ALMOST_END.search(buffer) is not None

    def _counts(self, junk: bytes | bytearray) -> bool:
        # Some EasyMeter send lines of their own after the `!`; only values outside of a telegram are damage.
        return super()._counts(junk) if self._crc_required else b"(" in junk

    def _find_end(self, buffer: bytearray, *, final: bool) -> Cut | None:
        turn = _TURN.search(buffer, self._scanned)
        if turn is None:
            self._scanned = max(0, len(buffer) - _START_SIZE)
            return None
        if buffer[turn.start() + 1] != ord("!"):
            return Cut(turn.start() + 1, "a telegram without an end")
        end = turn.end()
        line_end = buffer.find(b"\n", end, end + _END_LINE_SIZE_MAX)
        if line_end < 0:
            if len(buffer) < end + _END_LINE_SIZE_MAX and not final:
                return None
            line_end = min(len(buffer), end + _END_LINE_SIZE_MAX)
        line = _END_LINE.fullmatch(buffer, end, line_end)
        if line is None:
            return Cut(end, "what follows the `!` is no CRC")
        return self._check(bytes(buffer[:end]), line[1], line_end + 1)

    def _check(self, text: bytes, crc: bytes | None, size: int) -> Cut:
        if crc is not None and int(crc, 16) != crc_arc(text):
            return Cut(size, f"CRC {crc.decode()} does not fit, {crc_arc(text):04X} would")
        try:
            telegram = _parse(text, checked=crc is not None, offset=self._offset)
        except ValueError as error:
            return Cut(size, str(error))
        if crc is None and (self._crc_required or _promises_crc(telegram)):
            return Cut(size, "no CRC (a meter without one needs a profile that says unchecked = true)")
        return Cut(size, telegram)


def _parse(text: bytes, *, checked: bool, offset: int) -> Telegram:
    """Parse a telegram up to its `!`. Raises ValueError."""
    first = IDENTIFICATION.match(text)
    if first is None:
        raise ValueError("a telegram without an identification line")
    identification = parse_identification(first[0])
    data_sets = parse_data_sets(text[first.end() : -1].decode("latin-1" if checked else "ascii"))
    if not checked:
        check_syntax(data_sets)
    return Telegram(data_sets, identification.maker, identification.name, checked=checked, offset=offset)


def _promises_crc(telegram: Telegram) -> bool:
    return any(data_set.obis.cde in _VERSION_CODES for data_set in telegram.data_sets)


def encode_telegram(identification: str, data_sets: Iterable[DataSet], *, crc: bool = True) -> bytes:
    """Write a telegram. `identification` is without `/`: "ISk5MT382-1000". No CRC: DSMR 2 and 3, mode D."""
    lines = "".join(f"{line}\r\n" for line in format_data_sets(data_sets))
    text = f"/{identification}\r\n\r\n{lines}!".encode("ascii")
    return text + (b"%04X\r\n" % crc_arc(text) if crc else b"\r\n")
