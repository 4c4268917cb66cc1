"""What is sent to InfluxDB in one request: a part of a batch, and a half of it where that is too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wattbook.model import Columns

READINGS_A_REQUEST = 2_500  # InfluxDB takes 1,000 as fast as 50,000; while it has some, the next are encoded

Part = Sequence[Columns]


def parts_of(of_meters: Sequence[Columns]) -> Iterator[Part]:
    """Parts of a batch that are encoded and sent each in a request; never none."""
    part: list[Columns] = []
    room = READINGS_A_REQUEST
    for columns in of_meters:
        for row in range(0, len(columns), READINGS_A_REQUEST):
            some = columns.cut(slice(row, row + READINGS_A_REQUEST)) if len(columns) > READINGS_A_REQUEST else columns
            if part and len(some) > room:
                yield part
                part, room = [], READINGS_A_REQUEST
            part.append(some)
            room -= len(some)
    yield part


def halves(lines: bytes) -> tuple[bytes, bytes]:
    """Two parts of about one size, each of whole lines; the second is empty when there is one line."""
    cut = lines.find(b"\n", len(lines) // 2) + 1
    if cut == len(lines):
        cut = lines.rfind(b"\n", 0, len(lines) // 2) + 1 or cut
    return lines[:cut], lines[cut:]
