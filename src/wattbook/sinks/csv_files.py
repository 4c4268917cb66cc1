"""CSV files: a new one each day, every row once, never half a line.

What is written is on the disk before `write` returns. Rows that a file has already, because a crash came before the
position was kept, because history is given again, or because another program wrote them, are skipped by meter and time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from wattbook.model import Batch, Columns, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.csv_columns import ColumnPlan, pairs_of, parse_columns, plain_columns, rx380_columns
from wattbook.sinks.csv_file import CsvFile, key_of, sync_folder
from wattbook.sinks.csv_folder import CsvFolder
from wattbook.sinks.csv_form import Form
from wattbook.sinks.csv_names import FileNames, parse_file_names
from wattbook.sinks.sink import SinkSettings, Written


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSettings(SinkSettings):
    """CSV files on this machine, a new one each day or as their name says."""

    kind: Literal["csv"] = "csv"  # CSV files in a folder of this machine
    file: Path = Path("readings/{meter}_{at:YYYY-MM-DD}.csv")  # by template; relative to wattbook.toml
    columns: Mapping[str, str] | tuple[tuple[str, str], ...] = ()  # header = template, or pairs; () = the layout's
    layout: Literal["plain", "rx380", "rx380-original"] = "plain"  # ready-made columns; "plain" is what import reads
    excel: bool = False  # as a spreadsheet opens it: UTF-8 mark, ";", decimal comma, CR LF, no formulas
    delimiter: Literal["", ",", ";", "\t", "|"] = ""  # between cells; "" = a comma, with `excel` a semicolon
    decimal: Literal["", ".", ","] = ""  # "" = a point, with `excel` a comma

    def make(self, around: Surroundings) -> CsvSink:
        """The sink of these settings. Raises ValueError."""
        return CsvSink(parse_file_names(self.file, around), self._plan(around), self._form())

    def _plan(self, around: Surroundings) -> ColumnPlan:
        if self.columns:
            if self.layout != "plain":
                raise ValueError(f'columns: the layout "{self.layout}" has its own; leave one of them out')
            return parse_columns(pairs_of(self.columns), around)
        if self.layout == "plain":
            return plain_columns(around, local=self.excel)
        return rx380_columns(around, twice=self.layout == "rx380-original")

    def _form(self) -> Form:
        form = Form(";", ",", "\r\n", bom=True, guarded=True) if self.excel else Form()
        form = replace(form, delimiter=self.delimiter or form.delimiter, decimal=self.decimal or form.decimal)
        if form.delimiter == form.decimal:
            raise ValueError('decimal: a comma needs another delimiter, such as ";"')
        return form if self.layout == "plain" else replace(form, newline="\r\n")


class CsvSink:
    """Files of one template."""

    any_order: ClassVar[bool] = False
    append_only: ClassVar[bool] = True

    def __init__(self, names: FileNames, plan: ColumnPlan, form: Form) -> None:
        self._names, self._plan, self._form = names, plan, form
        self._folder: CsvFolder | None = None
        self._bookmark = ""  # how it was left
        self._writing = threading.Lock()

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Append the rows. Raises SinkUnavailable: disk full, folder gone or not to be written."""
        return await asyncio.to_thread(self._write, batch, bookmark)

    async def aclose(self) -> None:
        """Nothing is kept open between writes."""

    def _write(self, batch: Batch, bookmark: str) -> Written:
        """In a thread: a disk may hang, and the thread then goes on after whoever delivers has given up."""
        if not self._writing.acquire(blocking=False):
            raise SinkUnavailable(
                f"{self._names.folder}: the disk does not answer; an earlier write still waits for it"
            )
        try:
            return self._written(batch, bookmark)
        except OSError as error:
            raise SinkUnavailable(_in_words(error, self._names.folder)) from error
        finally:
            self._writing.release()

    def _written(self, batch: Batch, bookmark: str) -> Written:
        by_name = self._by_name(batch)
        if not by_name:
            return Written(bookmark=bookmark)
        folder, self._folder = self._folder, None  # what fails halfway begins anew from the bookmark
        if folder is None or self._bookmark != bookmark:
            folder = CsvFolder.opened(self._names.folder, self._plan, self._form, bookmark)
        skipped = 0
        waiting: list[tuple[CsvFile, bytes]] = []
        for name, parts in by_name.items():
            file = folder.file(name, parts)
            self._check_meters(file, parts)
            rows, there = self._new_rows(file, parts)
            skipped += there
            if rows:
                waiting.append((file, file.form.encode(rows)))
        folder.wrote(_to_disk(folder, waiting))
        self._folder, self._bookmark = folder, folder.bookmark
        return Written(bookmark=self._bookmark, skipped=skipped)

    def _by_name(self, batch: Batch) -> Mapping[str, Sequence[Columns]]:
        found: dict[str, list[Columns]] = {}
        for columns in batch.columns:
            if len(columns) and self._plan.takes(columns):
                for name, part in self._names.cut(columns):
                    found.setdefault(name, []).append(part)
        return found

    def _new_rows(self, file: CsvFile, parts: Sequence[Columns]) -> tuple[list[tuple[object, ...]], int]:
        """The rows that the file does not have yet, and how many it has."""
        rows = self._plan.rows(parts, file.names, file.form)
        if not file.there:
            return rows, 0
        places = [file.names.index(name) for name in self._plan.keys]
        new = file.there.new([key_of([row[place] for place in places]) for row in rows])
        return [rows[row] for row in new], len(rows) - len(new)

    def _check_meters(self, file: CsvFile, parts: Sequence[Columns]) -> None:
        if self._plan.tells_meter:
            return
        meters = sorted({part.meter for part in parts} | ({file.meter} if file.meter else set()))
        if len(meters) > 1:
            raise SinkUnavailable(
                f"{file.path}: no column tells {' from '.join(meters[:2])}; "
                "put {meter} into `file` or `columns`, or name one meter in `meters`"
            )
        file.meter = meters[0]


def _to_disk(folder: CsvFolder, waiting: Sequence[tuple[CsvFile, bytes]]) -> Sequence[tuple[CsvFile, int]]:
    """Write lines to their files, all or none; returns how long the files are now. Raises OSError."""
    whole = [file for file, _ in waiting if file.whole]
    for file in whole:
        folder.make_ready(file)
    try:
        lengths = [(file, file.write_aside(lines) if file.whole else file.append(lines)) for file, lines in waiting]
        for file in whole:
            file.aside.replace(file.path.resolve())
    except OSError:
        for file, _ in waiting:
            file.cut_back()
        raise
    for parent in {file.path.resolve().parent for file in whole}:
        sync_folder(parent)
    return lengths


def _in_words(error: OSError, folder: Path) -> str:
    where = error.filename or folder
    match error:
        case PermissionError():
            return f"{where}: may not be written, or another program has it open"
        case FileNotFoundError() | NotADirectoryError():
            return f"{where}: is not there"
        case _:
            return f"{where}: {error.strerror or error}"
