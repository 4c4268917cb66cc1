"""Readings as columns: the shape in which the journal, history and sinks move many of them.

One `Columns` per meter, plain `array` buffers (8 bytes a number), which numpy can wrap without a copy.
Order is promised within a meter only.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from wattbook.model.reading import Event, Quality, Reading

_Number = TypeVar("_Number", int, float)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
BEFORE_ALL_MS, AFTER_ALL_MS = -(2**62), 2**62  # every instant lies between them
ABSENT = math.nan  # how a column says "no value in this row"

QUALITY_CODES: Mapping[Quality, int] = {Quality.GOOD: 0, Quality.SUSPECT: 1}
GOOD_CODE, SUSPECT_CODE = QUALITY_CODES[Quality.GOOD], QUALITY_CODES[Quality.SUSPECT]
QUALITY_OF: Mapping[int, Quality] = {code: quality for quality, code in QUALITY_CODES.items()}


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware instant."""
    return (at - EPOCH) // _MS


def from_ms(at_ms: int) -> datetime:
    """The aware UTC instant of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=at_ms)


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings of one meter. All columns have `len(at_ms)` rows; rows rise in `seq`."""

    site: str
    meter: str
    at_ms: array[int]  # 'q', milliseconds since 1970 UTC
    seq: array[int]  # 'q', the journal's numbers
    values: Mapping[str, array[float]]  # quantity -> 'd', NaN where a reading lacks it
    quality: array[int]  # 'B', QUALITY_CODES
    doubt: Mapping[str, array[int]] = field(default_factory=dict)  # quantity -> 'B', 255 = as the reading

    def __len__(self) -> int:
        return len(self.at_ms)

    def cut(self, rows: slice) -> Columns:
        """Some of the rows."""
        return Columns(
            self.site,
            self.meter,
            self.at_ms[rows],
            self.seq[rows],
            {name: cells[rows] for name, cells in self.values.items()},
            self.quality[rows],
            {name: codes[rows] for name, codes in self.doubt.items()},
        )

    def take(self, rows: Sequence[int]) -> Columns:
        """Some rows, in this order."""

        def some(cells: array[_Number]) -> array[_Number]:
            return array(cells.typecode, [cells[row] for row in rows])

        return Columns(
            self.site,
            self.meter,
            some(self.at_ms),
            some(self.seq),
            {name: some(cells) for name, cells in self.values.items()},
            some(self.quality),
            {name: some(codes) for name, codes in self.doubt.items()},
        )

    def codes(self, name: str) -> array[int]:
        """The quality of every value of a quantity, as QUALITY_CODES."""
        doubts = self.doubt.get(name)
        if doubts is None:
            return self.quality
        codes = zip(self.quality, doubts, strict=True)
        return array("B", [quality if doubt == NO_DOUBT else doubt for quality, doubt in codes])

    def readings(self) -> Iterator[Reading]:
        """Yield the rows as readings, without absent values."""
        for row, at_ms in enumerate(self.at_ms):
            yield Reading(
                meter=self.meter,
                at=from_ms(at_ms),
                values={name: cells[row] for name, cells in self.values.items() if cells[row] == cells[row]},
                quality=QUALITY_OF[self.quality[row]],
                doubt={name: QUALITY_OF[codes[row]] for name, codes in self.doubt.items() if codes[row] != NO_DOUBT},
                site=self.site,
            )


NO_DOUBT = 255  # in a doubt column: this row's value is as good as its reading


@dataclass(frozen=True, slots=True)
class Batch:
    """What a follower gets: everything of the journal after its position, up to `upto`."""

    columns: tuple[Columns, ...]
    events: tuple[Event, ...]
    upto: str  # opaque: the position to acknowledge

    def __len__(self) -> int:
        return sum(map(len, self.columns)) + len(self.events)

    def readings(self) -> Iterator[Reading]:
        """Yield every reading, meter by meter."""
        for columns in self.columns:
            yield from columns.readings()

    def parts(self, most: int) -> Iterator[Batch]:
        """The readings, so many at once, without events; only the last, with which all is given, has the position."""
        part: list[Columns] = []
        room = most
        for piece in self.columns:
            while len(piece) > room:
                part += [piece.cut(slice(0, room))] if room else []
                yield Batch(tuple(part), (), "")
                piece, part, room = piece.cut(slice(room, None)), [], most
            part.append(piece)
            room -= len(piece)
        yield Batch(tuple(part), (), self.upto)

    def halves(self) -> tuple[Batch, Batch]:
        """The readings in two parts; see `parts`. There must be two at least."""
        count = sum(map(len, self.columns))
        first, second = self.parts((count + 1) // 2)
        return first, second
