"""One CSV file on the disk: looked at once, then appended to; after a crash a torn line is cut off.

A file whose length we know is appended to: what stands behind that length after a crash is ours, and its last line may
be torn. Any other file, a new one or one that was there before us, is written whole under another name and then
renamed, so that nobody ever finds a torn line in a file whose length is not known.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wattbook.sinks.csv_form import BOM, Form, as_text

LOOKED_AT_SIZE_MAX = 256_000_000  # bytes of rows that are looked through; a file of more is left as it is
HEADER_SIZE_MAX = 100_000


class TooLarge(Exception):
    """A file that was there has more rows than are looked through."""


class KeysThere:
    """Which rows a file has already: each keeps one row that comes again from being written twice."""

    def __init__(self, keys: Iterable[int] = ()) -> None:
        found = np.fromiter(keys, dtype=np.int64)  # 8 bytes a row, where a set of texts has a hundred
        self._keys, self._left = np.unique(found, return_counts=True)
        self._all = len(found)

    def __bool__(self) -> bool:
        return self._all > 0

    def new(self, keys: Sequence[int]) -> list[int]:
        """Which of these, by number, are not there yet."""
        places = np.searchsorted(self._keys, np.array(keys, dtype=np.int64)).tolist()
        return [row for row, (key, place) in enumerate(zip(keys, places, strict=True)) if not self._takes(key, place)]

    def _takes(self, key: int, place: int) -> bool:
        if place == len(self._keys) or self._keys[place] != key or not self._left[place]:
            return False
        self._left[place] -= 1
        self._all -= 1
        return True


@dataclass(slots=True)
class CsvFile:
    """A file that is written. `length` is known to be on the disk; 0 and `whole` = it is begun with the next rows."""

    name: str  # below the sink's folder
    path: Path
    names: tuple[str, ...]
    form: Form
    length: int = 0
    whole: bool = True  # in no bookmark yet: replaced as a whole
    there: KeysThere = field(default_factory=KeysThere)
    meter: str = ""

    @property
    def changed(self) -> bool:
        """Whether somebody else wrote, cut or removed it."""
        try:
            return self.path.stat().st_size != self.length
        except FileNotFoundError:
            return self.length > 0

    def append(self, lines: bytes) -> int:
        """Write lines behind the known length, and wait until the disk has them; returns the length. Raises OSError."""
        with self.path.open("r+b", buffering=0) as file:
            file.seek(self.length)
            _write_all(file.write, lines)
            os.fsync(file.fileno())
        return self.length + len(lines)

    def cut_back(self) -> None:
        """Undo a write that failed. What cannot be undone now is put right when the file is looked at again."""
        with contextlib.suppress(OSError):
            if self.whole:
                self.aside.unlink(missing_ok=True)
            elif self.path.stat().st_size > self.length:
                os.truncate(self.path, self.length)

    @property
    def aside(self) -> Path:
        """Where the whole is written before it is renamed."""
        return self.path.with_name(f".{self.path.name}.part")

    def write_aside(self, lines: bytes) -> int:
        """Write what is there and the lines under another name; returns the length. Raises OSError."""
        if self.length:
            shutil.copy2(self.path, self.aside)
        with self.aside.open("r+b" if self.length else "wb", buffering=0) as file:
            if self.length:
                file.seek(-1, os.SEEK_END)
                lines = lines if file.read(1) == b"\n" else self.form.newline.encode() + lines
            else:
                lines = self.form.header(self.names) + lines
            file.seek(0, os.SEEK_END)
            _write_all(file.write, lines)
            os.fsync(file.fileno())
            return file.tell()


def read_header(path: Path, form: Form) -> tuple[tuple[str, ...], Form]:
    """The names in the first line, as many as the last row has cells, and the form with the file's own line end."""
    with path.open("rb") as file:
        first = file.readline(HEADER_SIZE_MAX)
        file.seek(max(len(first), file.seek(0, os.SEEK_END) - HEADER_SIZE_MAX))
        rows = file.read().splitlines()
    try:
        names = form.split(first.removeprefix(BOM).decode().rstrip("\r\n"))
        width = len(form.split(rows[-1].decode())) if rows else len(names)
    except (UnicodeDecodeError, csv.Error):
        return (), form
    names = [name.strip() for name in names]
    # RX380's first logger names the time again behind the last column; its rows may or may not have it there.
    if width < len(names) and set(names[width:]) <= set(names[:width]):
        names = names[:width]
    return tuple(names), form.of_line(first)


def mend(path: Path, length: int) -> None:
    """Cut off what a crash left of a line behind a known length: no line end, or zeros of a lost write."""
    if not path.exists() or path.stat().st_size <= length:
        return
    with path.open("r+b") as file:
        file.seek(length)
        rest = file.read(LOOKED_AT_SIZE_MAX)
        zero = rest.find(b"\0")
        kept = rest[: zero if zero >= 0 else None].rfind(b"\n") + 1
        if kept < len(rest):
            file.truncate(length + kept)
            os.fsync(file.fileno())


def keys_behind(path: Path, length: int, form: Form, places: Sequence[int]) -> Sequence[int]:
    """The keys of the rows behind a length, made of the cells at these places. Raises TooLarge."""
    with path.open("rb") as file:
        file.seek(max(length - 1, 0))
        if length and file.read(1) != b"\n":  # somebody changed what stands before it
            file.seek(0)
        rest = file.read(LOOKED_AT_SIZE_MAX + 1)
    if len(rest) > LOOKED_AT_SIZE_MAX:
        raise TooLarge
    found = []
    for line in rest.decode("utf-8", "replace").split("\n"):
        with contextlib.suppress(csv.Error, IndexError):  # no row of ours
            cells = form.split(line.rstrip("\r"))
            found.append(key_of([cells[place] for place in places]))
    return found


def key_of(cells: Iterable[object]) -> int:
    """What tells rows apart, in 8 bytes: of ten million rows two are taken for one in one of 300,000 files."""
    return hash(tuple(map(as_text, cells)))


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the names of new files. Windows knows them by itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(write: Callable[[memoryview], int | None], lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        if not (taken := write(left)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[taken:]
