"""Copy a whole book beside its writer, prove the copy by reading it back, and put one back in its place."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wattbook.model import BookError
from wattbook.store.connection import connect_reader
from wattbook.store.lock import BookLock
from wattbook.store.opening import check_version
from wattbook.store.reader import BookReader
from wattbook.store.repair import instant_name
from wattbook.store.schema import TABLE_NAMES

_NAME = re.compile(r"wattbook-(\d{8}T\d{6}Z)\.db")
_PART = re.compile(r"wattbook-\d{8}T\d{6}Z\.part(-journal|-wal|-shm)?")
_PAGES_A_STEP = 2_000  # 4 MB: often enough for a bar, and to be stopped
_NUMBERS_SKIPPED = 1_000_000  # what the lost book gave out after the copy was made must not be given out again

Progress = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True, slots=True)
class Backup:
    """A proven copy."""

    path: Path
    size: int  # bytes
    readings: int
    removed: tuple[Path, ...]  # older copies that made room


def back_up(
    book: Path,
    folder: Path,
    *,
    now: datetime,
    keep: int | None = None,
    require_mount: bool = False,
    config: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Backup:
    """Copy the book into a folder and read the copy back; keep the newest `keep` copies of this book there.

    The copy is of one moment, whatever is written meanwhile. One reader stays open for as long as copying takes, so
    the log of the book grows by what is written in that time. Raises BookError; then nothing new is in the folder.
    """
    if require_mount:
        _require_mount(folder)
    if not book.exists():
        raise BookError(f"{book}: there is no book yet; `wattbook run` makes it")
    target = folder / f"wattbook-{instant_name(now)}.db"
    part = target.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_torn(folder)
        with _removed_when_failed(part):
            counts = _copy(book, part, progress)
            _prove(part, counts)
            _sync(part)
            part.rename(target)
        if config is not None:
            shutil.copyfile(config, target.with_suffix(".toml"))
        _sync(folder)
        removed = tuple(_remove_older(folder, _lineage(target), keep)) if keep else ()
        return Backup(target, target.stat().st_size, counts["hot"] + counts["sealed"], removed)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BookError(f"{folder}: no backup was made: {reason}; look at the room and the rights there") from error


def backups(folder: Path) -> list[tuple[datetime, Path]]:
    """The copies in a folder, the oldest first."""
    names = ((path, _NAME.fullmatch(path.name)) for path in folder.glob("wattbook-*.db"))
    return sorted((_instant_of(match[1]), path) for path, match in names if match)


def _instant_of(name: str) -> datetime:
    return datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _require_mount(folder: Path) -> None:
    place = folder.absolute()
    while not os.path.ismount(place):
        place = place.parent
    if place == Path(place.anchor):
        raise BookError(f"{folder}: nothing is mounted there; mount the disk of the backups first")


def _remove_torn(folder: Path) -> None:
    """Remove what a backup that was killed has left."""
    for part in folder.glob("wattbook-*.part*"):
        if _PART.fullmatch(part.name):
            part.unlink()


@contextmanager
def _removed_when_failed(part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)


def _copy(book: Path, part: Path, progress: Progress) -> dict[str, int]:
    """Copy all pages as of one moment; return how many rows each table had then."""
    with closing(connect_reader(book)) as source, closing(sqlite3.connect(part)) as target:
        check_version(source, book)
        source.execute("BEGIN")
        counts = _counts(source)  # and the moment is now
        source.backup(
            target, pages=_PAGES_A_STEP, progress=lambda _, left, total: progress(total - left, total), sleep=0.0
        )
        target.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, that may lie on a disk that is read-only
        return counts


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    counts = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own names
        for table in TABLE_NAMES
    }
    counts["sealed"] = connection.execute("SELECT coalesce(sum(n), 0) FROM frame").fetchone()[0]
    return counts


def _prove(copy: Path, counts: dict[str, int]) -> None:
    """Read a copy back. Raises BookError when it is not what was copied."""
    from wattbook.store.verify import require_whole, verify

    with closing(connect_reader(copy)) as connection:
        found = _counts(connection)
    if found != counts:
        raise BookError(f"{copy}: the copy has other rows than the book had: {found}, not {counts}")
    with BookReader(copy) as reader:
        require_whole(verify(reader))


def _remove_older(folder: Path, lineage: str, keep: int) -> Iterator[Path]:
    """Remove the oldest copies of this book, not those of others."""
    own = [path for _, path in backups(folder) if _lineage(path) == lineage]
    for path in own[:-keep]:
        path.unlink()
        path.with_suffix(".toml").unlink(missing_ok=True)
        yield path


def _lineage(copy: Path) -> str:
    """Which book a copy is of; "" = it cannot be told."""
    try:
        with closing(connect_reader(copy)) as connection:
            return str(connection.execute("SELECT lineage FROM book").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return ""


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def restore(copy: Path, book: Path, *, now: datetime, force: bool = False) -> Path | None:
    """Put a copy in the place of the book; return where the old one is now, None = there was none.

    The copy is proven first. The restored book has a lineage of its own and goes on with numbers that the lost one
    never gave out. Raises BookError; then everything is as it was. BookHeld: a daemon runs.
    """
    if not copy.is_file():
        raise BookError(f"{copy}: there is no such file")
    with BookReader(copy) as reader:
        from wattbook.store.verify import require_whole, verify

        require_whole(verify(reader))
    if book.exists() and not force:
        raise BookError(f"{book}: there is a book already; --force puts it aside")
    lock = BookLock(book)
    try:
        aside = _exchange(copy, book, now)
    except (OSError, sqlite3.Error) as error:
        lock.abandon()
        raise BookError(f"{book}: not restored: {error}; look at the room and the rights there") from error
    lock.release()
    return aside


def _exchange(copy: Path, book: Path, now: datetime) -> Path | None:
    part = book.with_name(book.name + ".restoring")
    with _removed_when_failed(part):
        shutil.copyfile(copy, part)
        with closing(sqlite3.connect(part)) as connection, connection:
            connection.execute(
                "UPDATE book SET lineage = ?, seq_next = seq_next + ?", (secrets.token_hex(8), _NUMBERS_SKIPPED)
            )
        _sync(part)
        aside = None
        if book.exists():
            aside = book.with_name(f"{book.name}.before-{instant_name(now)}")
            for suffix in ("", "-wal"):  # the log goes with its book
                old = book.with_name(book.name + suffix)
                if old.exists():
                    old.rename(aside.with_name(aside.name + suffix))
            book.with_name(book.name + "-shm").unlink(missing_ok=True)
        part.rename(book)
        _sync(book.parent)
    return aside
