"""Where a move ends: the book, a file of its own, or a sink."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from wattbook.engine.bring_in import Into
from wattbook.engine.deliver import close
from wattbook.engine.move import Origin, Told
from wattbook.engine.move_from import BeginIntake, FromServer
from wattbook.engine.select import Selection
from wattbook.engine.take_out import blocks_of
from wattbook.exchange import SYSTEMS, Tally
from wattbook.exchange.build import joined
from wattbook.exchange.servers import Server
from wattbook.exchange.write_csv import csv_chunks
from wattbook.model import Batch, Columns, ConfigError, SinkRefused, SinkUnavailable, Span
from wattbook.model.around import Surroundings
from wattbook.sinks import Rejected, Sink, SinkSettings
from wattbook.store import BookReader

FILES = (".csv", ".xlsx", ".parquet")
TRIES = 6  # of a batch, while a database is away: a restart takes less than the half minute that they take
_LISTED_MAX = 10_000  # refused readings that are kept to be told: a whole history may be too old for a system
_JOINED_MAX = 200_000  # readings joined before the book gets them, so that it writes each day once
_ALL_REFUSED = 20  # readings refused and none taken: it is not the readings that are wrong


@dataclass(slots=True)
class IntoTheBook:
    """Our own book, by itself or through the daemon that has it."""

    opened: Callable[[], AbstractContextManager[Into]]
    reader: Callable[[], BookReader]
    span: Span
    title: str = "the book"
    new: int = 0
    same: int = 0
    conflicts: int = 0
    rejected: Sequence[Rejected] = ()
    refused: int = 0

    def wanted(self, columns: Columns) -> Columns | None:
        """Everything."""
        return columns

    def write(self, blocks: Iterable[Columns]) -> None:
        """See Goal. Where the book has other values for an instant, the first stay."""
        with self.opened() as into:
            for columns in _larger(blocks):
                kept = into.write(columns)
                self.new, self.same, self.conflicts = (
                    self.new + kept.new,
                    self.same + kept.same,
                    self.conflicts + kept.conflicts,
                )

    def written(self, meters: Sequence[str], told: Told) -> Iterator[Columns]:
        """See Goal."""
        with self.reader() as reader:
            known = reader.meters()
            yield from blocks_of(reader, [meter for meter in meters if meter in known], self.span, told)


def _larger(blocks: Iterable[Columns]) -> Iterator[Columns]:
    """Blocks of a meter joined: the book then writes each of its days once."""
    waiting: dict[str, list[Columns]] = {}
    held = 0
    for block in blocks:
        waiting.setdefault(block.meter, []).append(block)
        held += len(block)
        if held >= _JOINED_MAX:
            yield from map(joined, waiting.values())
            waiting, held = {}, 0
    yield from map(joined, waiting.values())


@dataclass(slots=True)
class IntoFile:
    """A plain table, a spreadsheet or Parquet. It becomes the file that is wanted when it is whole."""

    path: Path
    origin: Origin  # read once before, for the columns
    zone: ZoneInfo
    begin: BeginIntake
    rejected: Sequence[Rejected] = ()
    refused: int = 0
    _made: bool = False

    @property
    def title(self) -> str:
        """For people."""
        return str(self.path)

    def wanted(self, columns: Columns) -> Columns | None:
        """Everything."""
        return columns

    def write(self, blocks: Iterable[Columns]) -> None:
        """See Goal."""
        quantities = sorted({name for block in self.origin.again().blocks(_untold) for name in block.values})
        if not quantities:
            return  # a table of nothing is no table
        self._made = True
        part = self.path.with_name(self.path.name + ".part")
        try:
            self._write(part, blocks, quantities)
            part.replace(self.path)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", place=str(self.path)) from error
        finally:
            part.unlink(missing_ok=True)

    def _write(self, part: Path, blocks: Iterable[Columns], quantities: Sequence[str]) -> None:
        if self.path.suffix == ".xlsx":
            from wattbook.exchange.write_xlsx import write_xlsx

            write_xlsx(part, blocks, quantities, self.zone)
            return
        with part.open("wb") as file:
            if self.path.suffix == ".parquet":
                from wattbook.exchange.write_parquet import write_parquet

                write_parquet(file, blocks, quantities)
            else:
                file.writelines(csv_chunks(blocks, quantities, self.zone))

    def written(self, meters: Sequence[str], told: Told) -> Iterator[Columns] | None:
        """See Goal. Spreadsheets and Parquet are not read here."""
        if self.path.suffix != ".csv" or not self._made:
            return None
        size, read = max(1, self.path.stat().st_size), 0

        def seen(more: int) -> None:
            nonlocal read
            read += more
            told(min(1.0, read / size))

        return SYSTEMS["plain"].read([self.path], self.begin(Tally(), seen))


def _untold(share: float) -> None:
    """Nobody looks."""


@dataclass(slots=True)
class IntoSink:
    """Any sink, as it is set up, but for its own place in the journal, which stays where it is."""

    settings: SinkSettings
    around: Surroundings
    back: Server | None  # how what stands there is read again
    begin: BeginIntake
    span: Span
    pause: Callable[[float], None] = time.sleep
    rejected: list[Rejected] = field(default_factory=list)
    refused: int = 0
    _selection: Selection = field(init=False)
    _taken: int = 0
    _bookmark: str = ""

    def __post_init__(self) -> None:
        self._selection = Selection(replace(self.settings, start="beginning"), self.around)

    @property
    def title(self) -> str:
        """For people."""
        return f'the sink "{self.settings.name}" ({self.settings.kind})'

    def wanted(self, columns: Columns) -> Columns | None:
        """What the sink's own filters let through."""
        chosen = self._selection.of(Batch((columns,), (), "")).columns
        return chosen[0] if chosen else None

    def write(self, blocks: Iterable[Columns]) -> None:
        """See Goal."""
        with asyncio.Runner() as runner:
            sink = self.settings.make(self.around)
            try:
                for batch in _batches(blocks, self.settings.batch):
                    self._patiently(runner, sink, batch)
            finally:
                runner.run(close(sink))

    def written(self, meters: Sequence[str], told: Told) -> Iterator[Columns] | None:
        """See Goal."""
        return FromServer(self.back, self.begin, self.span).blocks(told) if self.back else None

    def _patiently(self, runner: asyncio.Runner, sink: Sink, batch: Batch) -> None:
        """Try again while the other system is away, each time a little later. Raises SinkUnavailable."""
        for failed in range(TRIES):
            try:
                return runner.run(self._in_parts(sink, batch))
            except SinkUnavailable:
                if failed == TRIES - 1:
                    raise
                self.pause(2.0**failed)
        return None

    async def _in_parts(self, sink: Sink, batch: Batch) -> None:
        try:
            async with asyncio.timeout(self.settings.timeout):
                written = await sink.write(batch, self._bookmark)
        except TimeoutError as error:
            await close(sink)
            raise SinkUnavailable(f"no answer within {self.settings.timeout:g} s") from error
        except SinkRefused as error:
            if len(batch) > 1:
                for half in batch.halves():
                    await self._in_parts(sink, half)
                return
            (columns,) = batch.columns
            self._set_aside([Rejected(columns.meter, columns.at_ms[0], str(error), columns.site)])
            return
        self._bookmark = written.bookmark
        self._taken += len(batch) - len(written.rejected)
        self._set_aside(written.rejected)

    def _set_aside(self, rejected: Sequence[Rejected]) -> None:
        self.refused += len(rejected)
        self.rejected += rejected[: max(0, _LISTED_MAX - len(self.rejected))]
        if all(each.late for each in rejected):
            return
        if not self._taken and self.refused >= _ALL_REFUSED:
            raise SinkRefused(f"{self.title} refuses every reading: {rejected[-1].reason}")


def _batches(blocks: Iterable[Columns], size: int) -> Iterator[Batch]:
    """Blocks cut and joined to batches of a sink's size. They have no position: a sink's own stays where it is."""
    waiting: list[Columns] = []
    held = 0
    for block in blocks:
        start = 0
        while start < len(block):
            part = block.cut(slice(start, start + size - held))
            start += len(part)
            held += len(part)
            waiting.append(part)
            if held >= size:
                yield Batch(tuple(waiting), (), "")
                waiting, held = [], 0
    if waiting:
        yield Batch(tuple(waiting), (), "")
