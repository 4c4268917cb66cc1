"""Where a move begins: the book, files of other systems, or a database that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from wattbook.engine.move import Told
from wattbook.engine.take_out import blocks_of
from wattbook.exchange import Intake, System, Tally
from wattbook.exchange.gather import Gather
from wattbook.exchange.servers import Server
from wattbook.model import Columns, Span
from wattbook.model.batch import from_ms, to_ms
from wattbook.store import BookReader

BeginIntake = Callable[[Tally, Callable[[int], None]], Intake]  # where to count, and who is told how much is read


@dataclass(slots=True)
class FromBook:
    """Readings of our own book, of these meters or of all."""

    reader: BookReader
    span: Span
    meters: Sequence[str] = ()
    title: str = "the book"
    tally: Tally = field(default_factory=Tally)

    def blocks(self, told: Told) -> Iterator[Columns]:
        """Yield the readings meter by meter."""
        known = self.reader.meters()
        yield from blocks_of(self.reader, [meter for meter in self.meters or known if meter in known], self.span, told)

    def again(self) -> FromBook:
        """The same, to be read once more."""
        return replace(self, tally=Tally())


@dataclass(slots=True)
class FromFiles:
    """Files of one system. What they tell of one instant in several places is joined; the first value stays."""

    files: Sequence[Path]
    system: System
    begin: BeginIntake
    span: Span
    tally: Tally = field(default_factory=Tally)

    @property
    def title(self) -> str:
        """For people."""
        return f"{', '.join(path.name for path in self.files)} ({self.system.title})"

    def blocks(self, told: Told) -> Iterator[Columns]:
        """Yield the readings in order of time."""
        size, read = max(1, sum(path.stat().st_size for path in self.files)), 0

        def seen(more: int) -> None:
            nonlocal read
            read += more
            told(min(1.0, read / size))

        intake = self.begin(self.tally, seen)
        with Gather(Tally()) as gather:
            for block in self.system.read(self.files, intake):
                _gather(gather, block, self.span)
            yield from gather.columns()

    def again(self) -> FromFiles:
        """The same, to be read once more."""
        return replace(self, tally=Tally())


@dataclass(slots=True)
class FromServer:
    """A database that is read while it runs."""

    server: Server
    begin: BeginIntake
    span: Span
    tally: Tally = field(default_factory=Tally)

    @property
    def title(self) -> str:
        """For people."""
        return self.server.title

    def blocks(self, told: Told) -> Iterator[Columns]:
        """Yield the readings in order of time."""
        intake = self.begin(self.tally, lambda size: None)
        yield from self.server.read(intake, to_ms(self.span.start), to_ms(self.span.end), told)

    def again(self) -> FromServer:
        """The same, to be read once more."""
        return replace(self, tally=Tally())


def _gather(gather: Gather, block: Columns, span: Span) -> None:
    at_ms = np.frombuffer(block.at_ms, np.int64)
    inside = (at_ms >= to_ms(span.start)) & (at_ms < to_ms(span.end))
    for name, cells in block.values.items():
        gather.add(block.meter, name, at_ms[inside], np.frombuffer(cells, np.float64)[inside])


def whole_time() -> Span:
    """From 1970 to the end of what can be told."""
    return Span(from_ms(0), from_ms(253_370_764_800_000))  # the year 9999
