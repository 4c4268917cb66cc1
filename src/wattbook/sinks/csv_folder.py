"""The files of one sink, and how far each is known to be written: its bookmark.

    {"n": 17, "folder": "/home/pi/logs", "mount": "/", "files": {"main-a_2026-11-28.csv": [4711, 17]}}

`n` counts writes, and so do the numbers behind the lengths: a file that was not written for long is forgotten, and
looked through when it comes again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wattbook.model import Columns, SinkUnavailable
from wattbook.sinks.csv_columns import ColumnPlan
from wattbook.sinks.csv_file import CsvFile, KeysThere, TooLarge, keys_behind, mend, read_header
from wattbook.sinks.csv_form import Form
from wattbook.sinks.csv_names import NUMBER_MAX, numbered, numbered_there

FILES_MAX = 2_000  # in a bookmark: 100 kB
WRITES_KEPT = 1_000  # a file that was not written for so many writes is not in the bookmark any more


@dataclass(slots=True)
class CsvFolder:
    """What is known of the files below a folder."""

    folder: Path
    plan: ColumnPlan
    form: Form
    writes: int = 0
    mount: str = ""
    _lengths: dict[str, list[int]] = field(default_factory=dict)  # name -> length, number of the last write
    _files: dict[str, CsvFile] = field(default_factory=dict)

    @classmethod
    def opened(cls, folder: Path, plan: ColumnPlan, form: Form, bookmark: str) -> CsvFolder:
        """Go on from a bookmark, and cut off what a crash left of lines. Raises OSError."""
        found = cls(folder, plan, form)
        known = _parsed(bookmark)
        found.writes = known.get("n", 0)
        if known.get("folder") == str(folder):
            found.mount, found._lengths = known["mount"], known["files"]
        for name, (length, _) in found._lengths.items():
            mend(folder / name, length)
        return found

    @property
    def bookmark(self) -> str:
        """The text to be kept with the position."""
        about = {"n": self.writes, "folder": str(self.folder), "mount": self.mount, "files": self._lengths}
        return json.dumps(about, ensure_ascii=False, separators=(",", ":"))

    def file(self, name: str, parts: Sequence[Columns]) -> CsvFile:
        """The file that takes these rows. Raises OSError, SinkUnavailable."""
        needed = self.plan.needed(parts)
        file = self._files.pop(name, None)
        if file is None or file.changed or not needed <= set(file.names):
            file = self._looked_up(name, needed, parts)
        self._files[name] = file  # the last ones stand last
        return file

    def wrote(self, lengths: Iterable[tuple[CsvFile, int]]) -> None:
        """Keep how long files are now, and forget those that were not written for long."""
        self.writes += 1
        for file, length in lengths:
            file.length, file.whole = length, False
            self._lengths.pop(file.name, None)
            self._lengths[file.name] = [length, self.writes]  # the last ones stand last
        old = {name for name, (_, written) in self._lengths.items() if written <= self.writes - WRITES_KEPT}
        for name in old.union(list(self._lengths)[:-FILES_MAX]):
            del self._lengths[name]
        kept = list(self._files.items())[-FILES_MAX:]
        self._files = {name: file for name, file in kept if file.whole or file.name in self._lengths}

    def make_ready(self, file: CsvFile) -> None:
        """Make the folder of a new file. Raises SinkUnavailable when what was mounted there is gone, and OSError."""
        mount = mount_of(self.folder)
        if self.mount not in ("", mount) and not any((self.folder / name).exists() for name in self._lengths):
            raise SinkUnavailable(
                f"{self.folder}: nothing is mounted at {self.mount} as it was before; mount it, "
                "or give the sink another folder"
            )
        self.mount = mount
        file.path.parent.mkdir(parents=True, exist_ok=True)

    def _looked_up(self, name: str, needed: frozenset[str], parts: Sequence[Columns]) -> CsvFile:
        """The last of the files of a name if the rows fit into it, else the next number."""
        there = numbered_there(self.folder / name)
        if not there:
            return CsvFile(name, self.folder / name, self.plan.header(parts), self.form)
        last = there[-1]
        names, form = read_header(last, self.form)
        keys = KeysThere(key for path in there for key in self._keys_of(path))
        if last.stat().st_size == 0:
            return CsvFile(self._name_of(last), last, self.plan.header(parts), self.form, there=keys)
        if needed <= set(names):
            return self._gone_on(last, names, form, keys)
        if len(there) == NUMBER_MAX:
            raise SinkUnavailable(f"{last}: the header of none of {NUMBER_MAX} files fits; move them away")
        path = numbered(self.folder / name, len(there) + 1)
        return CsvFile(self._name_of(path), path, self.plan.header(parts, names), self.form, there=keys)

    def _gone_on(self, path: Path, names: tuple[str, ...], form: Form, keys: KeysThere) -> CsvFile:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            ends = file.read(1) == b"\n"
            size = file.tell()
        return CsvFile(self._name_of(path), path, names, form, size, not ends or self._known_length(path) is None, keys)

    def _keys_of(self, path: Path) -> Sequence[int]:
        names, form = read_header(path, self.form)
        if not set(self.plan.keys) <= set(names):
            return ()
        places = [names.index(name) for name in self.plan.keys]
        try:
            return keys_behind(path, self._known_length(path) or 0, form, places)
        except TooLarge:
            raise SinkUnavailable(
                f"{path}: is too large to find out which rows it has already; move it away, and it is begun anew"
            ) from None

    def _known_length(self, path: Path) -> int | None:
        length = self._lengths.get(self._name_of(path), (None,))[0]
        return None if length is None or path.stat().st_size < length else length

    def _name_of(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _parsed(bookmark: str) -> Mapping[str, Any]:
    """What a bookmark says; one that another kind of sink left under this name says nothing."""
    try:
        found = json.loads(bookmark or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def mount_of(folder: Path) -> str:
    """Where the disk of a folder is mounted, whether the folder is there or not."""
    while not os.path.ismount(folder) and folder != folder.parent:
        folder = folder.parent
    return str(folder)
