"""Copy history from one store into another, and compare what was read with what then stands there.

Blocks of columns pass from one to the other, and the goal is read again. A move may be repeated: where the goal knows
readings by their identity, what is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wattbook.engine.sums import Difference, Instants, Sums, differences
from wattbook.exchange import Tally
from wattbook.model import Columns
from wattbook.sinks import Rejected

Told = Callable[[float], None]  # is told what share of all is done, from 0 to 1


class Origin(Protocol):
    """Where history comes from. Each instant of a meter comes once."""

    tally: Tally

    @property
    def title(self) -> str:
        """For people."""
        ...

    def blocks(self, told: Told) -> Iterator[Columns]:
        """Yield what there is. Raises ConfigError, SinkUnavailable, BookError."""
        ...

    def again(self) -> Origin:
        """The same, to be read once more."""
        ...


class Goal(Protocol):
    """Where history goes."""

    @property
    def title(self) -> str:
        """For people."""
        ...

    @property
    def rejected(self) -> Sequence[Rejected]:
        """What it will never take, the first of it."""
        ...

    @property
    def refused(self) -> int:
        """How many that are in all."""
        ...

    def wanted(self, columns: Columns) -> Columns | None:
        """What of a block it is to have."""
        ...

    def write(self, blocks: Iterable[Columns]) -> None:
        """Take everything, and return when it has it for good. Raises SinkUnavailable, BookError, ConfigError."""
        ...

    def written(self, meters: Sequence[str], told: Told) -> Iterator[Columns] | None:
        """Yield what stands there of these meters; None = it cannot be read again."""
        ...


@dataclass(slots=True)
class Moved:
    """What became of a move."""

    read: Sums = field(default_factory=Sums)
    there: Sums | None = None  # None = it was not read again
    differ: Sequence[Difference] = ()
    rejected: Sequence[Rejected] = ()  # the first of them
    refused: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def good(self) -> bool:
        """Whether everything that was read is there, as far as that can be told."""
        return not (self.differ or self.refused or self.tally.rejected)


def move(origin: Origin, goal: Goal, told: Told = lambda share: None, *, verify: bool = True) -> Moved:
    """Copy, then compare."""
    moved, instants = Moved(tally=origin.tally), Instants()
    reads_twice = 0.5 if verify else 1.0
    goal.write(_counted(origin.blocks(lambda share: told(share * reads_twice)), goal, moved.read, instants))
    instants.close()
    moved.rejected, moved.refused = goal.rejected, goal.refused
    if verify:
        meters = sorted({meter for meter, _ in moved.read.of})
        written = goal.written(meters, lambda share: told(reads_twice * (1 + share)))
        if written is not None:
            moved.there = _standing(written, moved.read, instants)
            moved.differ = differences(moved.read, moved.there)
    return moved


def _counted(blocks: Iterator[Columns], goal: Goal, sums: Sums, instants: Instants) -> Iterator[Columns]:
    """Pass blocks on, counting what the goal is to have."""
    for block in blocks:
        columns = goal.wanted(block)
        if columns is not None and len(columns):
            sums.add(columns)
            instants.add(columns)
            yield columns


def _standing(written: Iterator[Columns], read: Sums, instants: Instants) -> Sums:
    """Sums of what stands there of the instants and quantities that were read; there may be more beside them."""
    sums = Sums()
    for block in written:
        rows = instants.rows(block)
        if len(rows):
            kept = block if len(rows) == len(block) else block.take(list(rows))
            values = {name: cells for name, cells in kept.values.items() if (kept.meter, name) in read.of}
            sums.add(Columns(kept.site, kept.meter, kept.at_ms, kept.seq, values, kept.quality))
    return sums
