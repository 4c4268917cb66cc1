"""A small canvas of palette colours and its PNG file (ISO/IEC 15948), without a picture library."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

Colour = tuple[int, int, int]

# 5 x 7 dots; rows from the top, the five low bits of each.
_GLYPHS = {
    "0": "0e11131519110e", "1": "040c040404040e", "2": "0e11010204081f", "3": "1f02040201110e", "4": "02060a121f0202",
    "5": "1f101e0101110e", "6": "0608101e11110e", "7": "1f010204080808", "8": "0e11110e11110e", "9": "0e11110f01020c",
    "-": "0000001f000000", ".": "00000000000c0c", ":": "000c0c000c0c00", "k": "10101214181412", "M": "111b1515111111",
    "W": "1111111515150a", "V": "11111111110a04", "A": "0e11111f111111", "H": "1111111f111111", "z": "00001f0204081f",
    "h": "10101619111111", "%": "18190204081303", ",": "00000000060204", " ": "00000000000000",
}  # fmt: skip
GLYPH_WIDTH, GLYPH_HEIGHT = 6, 7  # with the gap between two


class Canvas:
    """Dots in the colours of a palette, at first all of the first colour."""

    def __init__(self, width: int, height: int, palette: Sequence[Colour]) -> None:
        assert 0 < len(palette) <= 256, "a palette has at most 256 colours"
        self.width, self.height, self._palette = width, height, palette
        self._dots = bytearray(width * height)

    def dot(self, x: int, y: int, colour: int) -> None:
        """Set one dot; outside nothing happens."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self._dots[y * self.width + x] = colour

    def column(self, x: int, top: int, bottom: int, colour: int) -> None:
        """A line from top to bottom, both included."""
        for y in range(min(top, bottom), max(top, bottom) + 1):
            self.dot(x, y, colour)

    def row(self, left: int, right: int, y: int, colour: int, *, dashed: bool = False) -> None:
        """A line from left to right, both included."""
        for x in range(left, right + 1):
            if not dashed or x % 8 < 4:
                self.dot(x, y, colour)

    def text(self, x: int, y: int, text: str, colour: int) -> None:
        """Write digits and units; what the font lacks is a blank."""
        for place, letter in enumerate(text):
            rows = bytes.fromhex(_GLYPHS.get(letter, _GLYPHS[" "]))
            for down, bits in enumerate(rows):
                for right in range(5):
                    if bits >> (4 - right) & 1:
                        self.dot(x + place * GLYPH_WIDTH + right, y + down, colour)

    def png(self) -> bytes:
        """The picture as a file."""
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        lines = [b"\0" + self._dots[y * self.width : (y + 1) * self.width] for y in range(self.height)]
        palette = b"".join(map(bytes, self._palette))
        chunks = _chunk(b"IHDR", head), _chunk(b"PLTE", palette), _chunk(b"IDAT", zlib.compress(b"".join(lines), 9))
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
