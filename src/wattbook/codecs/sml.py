"""SML (Smart Message Language 1.04) as German meters push it: transport frame, messages, values.

A frame is 1B1B1B1B 01010101, messages, fill bytes, 1B1B1B1B 1A fill CRC CRC, its length a multiple of four; four
bytes 1B in the messages are doubled. The parser of messages is our own (docs/decisions): `smllib` refuses frames with
an empty value and does not tell how many bytes a number had, which one correction needs.
"""

from __future__ import annotations

import re

from wattbook.codecs.framing import Cut, FrameDecoder, all_but_one
from wattbook.codecs.sml_encode import ESCAPE, START, check, encode_telegram
from wattbook.codecs.sml_layout import Layout
from wattbook.codecs.sml_parse import SmlError, find_layout
from wattbook.codecs.telegram import Telegram
from wattbook.profiles.profile import SmlSettings

__all__ = ["SmlDecoder", "encode_telegram"]

_RUN = re.compile(rb"\x1b{4,}")
_END = 0x1A
_TRAILER_SIZE = 4  # 1A, number of fill bytes, CRC
_ALMOST_START = all_but_one(START, b"\x76")  # a message is a list of six
_ALMOST_END = all_but_one(ESCAPE, rb"\x1a[\0-\3][\s\S]{2}\Z")  # any other byte but the 1A is told as it comes


class SmlDecoder(FrameDecoder):
    """Telegrams out of a stream."""

    def __init__(self, settings: SmlSettings | None = None) -> None:
        super().__init__()
        self._settings = settings or SmlSettings()
        self._unsigned = frozenset(self._settings.unsigned_codes)
        self._layout: Layout | None = None  # of the last telegram that was not like the one before

    def _find_start(self, buffer: bytearray) -> int:
        return buffer.find(START)

    def _may_start(self, buffer: bytearray) -> int:
        return next((size for size in range(len(START) - 1, 0, -1) if buffer.endswith(START[:size])), 0)

    def _almost_starts(self, junk: bytearray) -> bool:
        return _ALMOST_START.search(junk) is not None

    def _almost_ends(self, buffer: bytearray) -> bool:
        return _ALMOST_END.search(buffer) is not None

    def _find_end(self, buffer: bytearray, *, final: bool) -> Cut | None:
        at = max(self._scanned, len(START))
        while run := _RUN.search(buffer, at):
            self._scanned = run.start()
            if len(buffer) < run.end() + (_TRAILER_SIZE if (run.end() - run.start()) % 8 >= 4 else 1):
                return None
            if (run.end() - run.start()) % 8 < 4:  # doubled data, and up to three more bytes of data
                at = run.end()
                continue
            return self._cut(buffer, run.end())
        self._scanned = max(at, len(buffer) - len(ESCAPE) + 1)
        return None

    def _cut(self, buffer: bytearray, escape_end: int) -> Cut:
        """Decide what the escape means that ends here."""
        if buffer[escape_end] == _END:
            return self._check(bytes(buffer[: escape_end + _TRAILER_SIZE]))
        if buffer.startswith(START, escape_end - len(ESCAPE)):
            return Cut(escape_end - len(ESCAPE), "a telegram without an end")
        return Cut(escape_end, "an escape sequence that means nothing")

    def _check(self, frame: bytes) -> Cut:
        size, fill = len(frame), frame[-3]
        due = check(frame[:-2], self._settings.crc)
        if frame[-2:] != due:
            return Cut(size, f"CRC {frame[-2:].hex()} does not fit, {due.hex()} would")
        if fill > 3:
            return Cut(size, f"{fill} fill bytes, where at most 3 can be")
        body = frame[len(START) : size - 2 * _TRAILER_SIZE - fill].replace(ESCAPE + ESCAPE, ESCAPE)
        layout = self._layout
        if layout is None or not layout.fits(body):
            try:
                layout = self._layout = find_layout(body, self._unsigned)
            except SmlError as error:
                return Cut(size, str(error))
        data_sets, server_id = layout.data_sets(body), layout.server_id
        telegram = Telegram(data_sets, _maker(server_id), server_id=server_id.hex(), offset=self._offset)
        return Cut(size, telegram if data_sets else None)


def _maker(server_id: bytes) -> str:
    """The three letters of a server id such as 0A 01 'DZG' 00 0282225E or 06 'EMH' 01 0271582051."""
    for letters in (server_id[2:5], server_id[1:4]):
        if len(server_id) == 10 and letters.isalpha() and letters.isascii():
            return letters.decode()
    return ""
