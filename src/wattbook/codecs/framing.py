"""Cut telegrams out of a stream of bytes that may begin anywhere, be damaged anywhere and end anywhere.

What is outside of telegrams and not blank counts as damage, with one exception. A meter that speaks by itself does not
wait for us: a piece at the very beginning or end that is shorter than the whole telegram next to it was cut off, not
damaged. A longer one was a telegram, and so was one whose start or end is there but for one byte.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from wattbook.codecs.telegram import Damage, Heard, Telegram

TELEGRAM_SIZE_MAX = 65_536  # bytes; the largest known, a P1 telegram with all its history, has some 4,000
_SLICE_SIZE = 16_384  # bytes looked at in one go, so that a whole file fed at once does not become the buffer
_JUNK_SIZE_MAX = 4096  # bytes without a telegram before it is said again: a line at the wrong speed must not be silent
_BLANK = b"\0\x7f\xff\r\n\t "  # idle lines and fill


@dataclass(frozen=True, slots=True)
class Cut:
    """What the first `size` bytes of the buffer are: a telegram, nothing of interest, or damage in words."""

    size: int
    heard: Telegram | str | None


def all_but_one(marker: bytes, then: bytes = b"") -> re.Pattern[bytes]:
    """What finds a marker of which one byte is wrong, with what follows it as an expression."""
    places = range(len(marker))
    spoiled = (re.escape(marker[:at]) + rb"[\s\S]" + re.escape(marker[at + 1 :]) for at in places)
    return re.compile(b"(?:" + b"|".join(spoiled) + b")" + then)


class FrameDecoder(ABC):
    """Makes telegrams out of a stream; a format says how they start and end."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte in everything fed
        self._scanned = 0  # bytes of the buffer already searched for the telegram's end
        self._inside = False
        self._resync = False  # damage was reported; what follows up to the next telegram belongs to it
        self._junk, self._junk_from = bytearray(), 0  # what is outside of telegrams, up to _JUNK_SIZE_MAX
        self._lead: Damage | None = None  # what came before the first telegram ...
        self._lead_size = 0
        self._whole_size = 0  # of the last good telegram; 0 = none yet
        self._said = False  # whether anything was reported at all

    def feed(self, data: bytes) -> list[Heard]:
        """Take more bytes; return what became complete by them."""
        heard: list[Heard] = []
        for at in range(0, len(data), _SLICE_SIZE):
            self._buffer += data[at : at + _SLICE_SIZE]
            self._work(heard, final=False)
        return heard

    def close(self) -> list[Heard]:
        """The input has ended: return what can be said about the rest."""
        heard: list[Heard] = []
        self._work(heard, final=True)
        if self._inside:
            if len(self._buffer) >= self._whole_size or self._almost_ends(self._buffer):
                self._damage("the input ends inside a telegram", heard)
        elif self._whole_size:
            self._junk_ends(heard)
        if not self._said and self._offset + len(self._buffer):
            heard.append(Damage("no telegram found", 0))
        return heard

    @abstractmethod
    def _find_start(self, buffer: bytearray) -> int:
        """Where the first telegram starts, -1 = nowhere."""

    @abstractmethod
    def _may_start(self, buffer: bytearray) -> int:
        """How many bytes at the buffer's end may be the beginning of a start."""

    @abstractmethod
    def _find_end(self, buffer: bytearray, *, final: bool) -> Cut | None:
        """Cut off the telegram that starts at the buffer's beginning; None = its end has not come yet."""

    @abstractmethod
    def _almost_starts(self, junk: bytearray) -> bool:
        """Whether a start is in it but for one byte."""

    @abstractmethod
    def _almost_ends(self, buffer: bytearray) -> bool:
        """Whether its last bytes are an end but for one byte."""

    def _counts(self, junk: bytes | bytearray) -> bool:
        """Whether these bytes outside of any telegram are damage."""
        return bool(junk.translate(None, _BLANK))

    def _work(self, heard: list[Heard], *, final: bool) -> None:
        while self._buffer:
            if not self._inside:
                start = self._find_start(self._buffer)
                if start < 0:
                    self._skip(len(self._buffer) - self._may_start(self._buffer), heard)
                    return
                self._skip(start, heard)
                self._junk_ends(heard)
                self._inside, self._scanned = True, 0
            cut = self._find_end(self._buffer, final=final)
            if cut is None and len(self._buffer) <= TELEGRAM_SIZE_MAX:
                return
            if cut is None or cut.size > TELEGRAM_SIZE_MAX:
                cut = Cut(1, f"no end after {TELEGRAM_SIZE_MAX} bytes")
            self._take(cut, heard)

    def _take(self, cut: Cut, heard: list[Heard]) -> None:
        if isinstance(cut.heard, str):
            self._damage(cut.heard, heard)
        else:
            self._good(cut.size, cut.heard, heard)
        self._drop(cut.size)
        self._inside = False

    def _good(self, size: int, telegram: Telegram | None, heard: list[Heard]) -> None:
        if self._lead is not None and self._lead_size >= size:
            heard.append(self._lead)
        if telegram is not None:
            heard.append(telegram)
        self._lead, self._resync, self._said, self._whole_size = None, False, True, size

    def _damage(self, message: str, heard: list[Heard]) -> None:
        heard.append(Damage(message, self._offset))
        self._lead, self._resync, self._said = None, True, True

    def _drop(self, size: int) -> None:
        size = min(size, len(self._buffer))  # the line end after the last telegram of a file may be missing
        del self._buffer[:size]
        self._offset += size
        self._junk_from = self._offset
        self._junk.clear()

    def _skip(self, size: int, heard: list[Heard]) -> None:
        """Pass over bytes outside of telegrams, in pieces that do not depend on how they came."""
        while size:
            piece = self._buffer[: min(size, _JUNK_SIZE_MAX - len(self._junk))]
            self._junk += piece
            del self._buffer[: len(piece)]
            self._offset += len(piece)
            size -= len(piece)
            if len(self._junk) == _JUNK_SIZE_MAX:
                self._resync = False  # so much no longer belongs to the damage before
                self._junk_ends(heard, enough=True)

    def _junk_ends(self, heard: list[Heard], *, enough: bool = False) -> None:
        if not self._junk:
            return
        junk, size = Damage(f"{len(self._junk)} bytes that are no telegram", self._junk_from), len(self._junk)
        if not self._resync and self._counts(self._junk):
            if self._whole_size or self._said or enough or self._almost_starts(self._junk):
                heard.append(junk)
                self._said = True
            else:
                self._lead, self._lead_size = junk, size
        self._junk_from = self._offset
        self._junk.clear()
