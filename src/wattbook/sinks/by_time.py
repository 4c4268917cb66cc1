"""Batches in the order of time, and in parts of it: for systems that take nothing older than what they have."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from wattbook.model import Columns

PARTS = 8  # of a batch that was refused: one bad reading among 5,000 is found in 33 requests

METERS_MAX = 100_000  # of which the newest instant is remembered

Part = Sequence[Columns]


def in_order(columns: Columns) -> Columns:
    """The same rows by instant; among rows of one instant the last stays."""
    at_ms = columns.at_ms
    if all(before < after for before, after in pairwise(at_ms)):
        return columns
    return columns.take([row for _, row in sorted({at: row for row, at in enumerate(at_ms)}.items())])


def split(part: Part) -> list[Part]:
    """Up to PARTS parts, the oldest first; of a single instant, by meter. A single reading stays one part."""
    instants = sorted({at for columns in part for at in columns.at_ms})
    if len(instants) <= 1:
        step = -(-len(part) // PARTS)
        return [part[at : at + step] for at in range(0, len(part), step)]
    step = -(-len(instants) // PARTS)
    bounds = [*instants[::step], instants[-1] + 1]
    return [_between(part, start, end) for start, end in pairwise(bounds)]


def size(part: Part) -> int:
    """How many readings there are."""
    return sum(map(len, part))


def _between(part: Iterable[Columns], start_ms: int, end_ms: int) -> Part:
    cut = (
        columns.cut(slice(bisect_left(columns.at_ms, start_ms), bisect_left(columns.at_ms, end_ms))) for columns in part
    )
    return [columns for columns in cut if len(columns)]


@dataclass(slots=True)
class Newest:
    """What is known to be over there: the newest instant of each meter."""

    _ms: dict[tuple[str, str], int] = field(default_factory=dict)

    def remember(self, part: Part) -> None:
        """All of it, or something newer, is there."""
        if len(self._ms) >= METERS_MAX:
            self._ms.clear()
        for columns in part:
            key, last = (columns.site, columns.meter), columns.at_ms[-1]
            self._ms[key] = max(last, self._ms.get(key, last))

    def late(self, part: Part) -> list[tuple[Columns, int]]:
        """The readings that are not newer, by their columns and instant."""
        return [(columns, at) for columns in part for at in columns.at_ms if at <= self._of(columns)]

    def news(self, part: Part) -> Part:
        """The others."""
        return [
            columns.cut(slice(row, None))
            for columns in part
            if (row := bisect_right(columns.at_ms, self._of(columns))) < len(columns)
        ]

    def _of(self, columns: Columns) -> int:
        return self._ms.get((columns.site, columns.meter), -(1 << 63))
