"""A disk that remembers every write and sync, and can be cut off at any of them.

SQLite runs over it through a VFS of apsw; the book's own statements and pragmas are what it sees. After a cut the disk
holds what was synced; of what was written since, any part: whole writes, some sectors of them, none, in any order.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import apsw

from wattbook.store.connection import prepare_writer

SECTOR = 512  # what a disk writes whole
_CHECKPOINT_PAGES = 12  # far more often than in use, so that cuts meet checkpoints too


@dataclass(frozen=True, slots=True)
class Write:
    file: str
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Truncate:
    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    file: str


@dataclass(frozen=True, slots=True)
class Delete:
    file: str
    synced: bool  # the folder too


Change = Write | Truncate | Sync | Delete


@dataclass
class RecordingDisk:
    """The log of all changes to the files of one folder, in their order."""

    log: list[Change] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _names: Any = field(default_factory=itertools.count)

    def note(self, change: Change) -> None:
        with self._lock:
            self.log.append(change)

    def moment(self) -> int:
        """How many changes there have been."""
        with self._lock:
            return len(self.log)

    def connector(self) -> Callable[[Path], Any]:
        """What the book connects with, to run over this disk."""
        vfs = _Vfs(f"recording-{id(self)}-{next(self._names)}", self)

        def connect(path: Path) -> Any:
            connection = LikeSqlite3(apsw.Connection(str(path), vfs=vfs.name), vfs)
            prepare_writer(connection)  # type: ignore[arg-type]  # has what the book uses of sqlite3.Connection
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}").fetchone()
            return connection

        return connect


def after_cut(log: Sequence[Change], moment: int, random: Random) -> dict[str, bytes]:
    """What the files hold when the power is cut after `moment` changes."""
    files: dict[str, bytearray] = {}
    for name in {change.file for change in log[:moment]}:
        changes = [change for change in log[:moment] if change.file == name]
        synced = max((place + 1 for place, change in enumerate(changes) if _is_durable(change)), default=0)
        content: bytearray | None = None
        for change in changes[:synced]:
            content = _apply(content, change)
        for change in _survivors(changes[synced:], random):
            content = _apply(content, change)
        if content is not None:
            files[name] = content
    return {name: bytes(content) for name, content in files.items()}


def _is_durable(change: Change) -> bool:
    """Whether this change and all before it to the same file survive."""
    return isinstance(change, Sync) or (isinstance(change, Delete) and change.synced)


def _survivors(unsynced: Iterable[Change], random: Random) -> list[Change]:
    """Any part of what was not synced; sometimes in another order."""
    survived: list[Change] = []
    for change in unsynced:
        fate = random.choice(("lost", "whole", "torn"))
        if fate == "whole" or (fate == "torn" and not isinstance(change, Write)):
            survived.append(change)
        elif fate == "torn" and isinstance(change, Write):
            survived += _sectors(change, random)
    if random.random() < 0.3:
        random.shuffle(survived)
    return survived


def _sectors(write: Write, random: Random) -> list[Change]:
    """Some of the sectors of a write."""
    pieces: list[Change] = []
    at = 0
    while at < len(write.data):
        end = min(at + SECTOR - (write.offset + at) % SECTOR, len(write.data))
        if random.random() < 0.5:
            pieces.append(Write(write.file, write.offset + at, write.data[at:end]))
        at = end
    return pieces


def _apply(content: bytearray | None, change: Change) -> bytearray | None:
    content = bytearray() if content is None else content
    match change:
        case Write(_, offset, data):
            content.extend(bytes(max(0, offset + len(data) - len(content))))
            content[offset : offset + len(data)] = data
        case Truncate(_, size):
            content.extend(bytes(max(0, size - len(content))))
            del content[size:]
        case Delete():
            return None
        case Sync():
            pass
    return content


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: RecordingDisk) -> None:
        self.name, self._disk = name, disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802 - SQLite's names
        return _File(name, flags, self._disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self._disk.note(Delete(Path(filename).name, syncdir))


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: RecordingDisk) -> None:
        super().__init__("", name, flags)
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "").name
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._disk.note(Write(self._name, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        super().xTruncate(size)
        self._disk.note(Truncate(self._name, size))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._disk.note(Sync(self._name))


class LikeSqlite3:
    """An apsw connection with what the book uses of `sqlite3.Connection`."""

    def __init__(self, connection: apsw.Connection, vfs: apsw.VFS) -> None:
        self._connection = connection
        self._vfs = vfs  # must live as long as the connection

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> apsw.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error

    def close(self) -> None:
        self._connection.close()
