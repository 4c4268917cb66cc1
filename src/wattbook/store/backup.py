"""Copy a whole book beside its writer, prove the copy by reading it back, and put one back in its place."""

from __future__ import annotations

import fcntl
import math
import os
import re
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from wattbook.model import BookError
from wattbook.model.batch import to_ms
from wattbook.store.connection import connect_reader
from wattbook.store.files import READY, beside, exchange, instant_name, sync
from wattbook.store.lock import BookLock
from wattbook.store.opening import check_kind, check_version
from wattbook.store.reader import BookReader
from wattbook.store.schema import TABLE_NAMES

_NAME = re.compile(r"wattbook-(\d{8}T\d{6}Z)\.db")
_PART = re.compile(r"wattbook-\d{8}T\d{6}Z\.part(-journal|-wal|-shm|\.toml|\.people)?")
_PAGES_A_STEP = 2_000  # 4 MB: often enough for a bar, and to be stopped
# What the lost book gave out after the copy was made must not be given out again: one import may be ten million.
_NUMBERS_SKIPPED = 1_000_000_000

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
    people: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Backup:
    """Copy the book into a folder and read the copy back; keep the newest `keep` copies of this book there.

    The copy is of one moment, whatever is written meanwhile. One reader stays open for as long as copying takes, so
    the log of the book grows by what is written in that time: 14 MB for 97 MB at 800 commits a second, in 0.7 s.
    Raises BookError; then nothing new is in the folder.
    """
    if require_mount:
        _require_mount(folder)
    if not book.exists():
        raise BookError(f"{book}: there is no book yet; `wattbook run` makes it")
    target = folder / f"wattbook-{instant_name(now)}.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            if target.exists():
                raise BookError(f"{target}: there is a backup of this second already; try again in the next")
            _remove_torn(folder)
            readings = _write(book, target, config, people, progress)
            removed = tuple(_remove_older(folder, target, keep)) if keep else ()
        return Backup(target, target.stat().st_size, readings, removed)
    except (OSError, sqlite3.Error) as error:
        if _is_damage(error):
            advice = "`wattbook verify` says what is damaged, `wattbook restore` puts a backup in its place"
            raise BookError(f"{book}: no backup was made: {error}; {advice}") from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BookError(f"{folder}: no backup was made: {reason}; look at the room and the rights there") from error


def _is_damage(error: Exception) -> bool:
    """Whether pages are not what they were; the disk, the room and the rights are OperationalErrors."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


def _write(book: Path, target: Path, config: Path | None, people: Path | None, progress: Progress) -> int:
    """Write the copy and what stands beside it under other names, and only then name them; how many readings."""
    part = target.with_suffix(".part")
    with _removed_when_failed(part):
        counts = _copy(book, part, lambda done, total: progress(done, 2 * total))
        _prove(part, counts, lambda done, total: progress(total + done, 2 * total))
        sync(part)
        if config is not None:
            named = beside(part, ".toml")
            copy_config(config, named)
            named.rename(target.with_suffix(".toml"))
        if people is not None and people.exists():
            named = beside(part, ".people")
            copy_people(people, named)
            named.rename(target.with_suffix(".people"))
        part.rename(target)
    sync(target.parent)
    return counts["hot"] + counts["sealed"]


def copy_config(source: Path, target: Path) -> None:
    """Copy a configuration, readable for nobody who could not read it before: passwords may be in it."""
    _copy_private(source, target, stat.S_IMODE(source.stat().st_mode))


def copy_people(source: Path, target: Path) -> None:
    """Copy the users and tokens of a book, readable for nobody else: they are hashed, and still worth guessing at."""
    _copy_private(source, target, 0o600)


def _copy_private(source: Path, target: Path, mode: int) -> None:
    # Not chmod: a file system without rights (a stick) refuses that.
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        file.write(source.read_bytes())
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder, so that no other backup takes what is half written for what a killed one left."""
    held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BookError(f"{folder}: another backup is being made there; wait for it", retry=True) from error
        except OSError:
            pass  # some network file systems know no locks on folders
        yield
    finally:
        os.close(held)


def backups(folder: Path) -> list[tuple[datetime, Path]]:
    """The copies in a folder, the oldest first. Raises BookError when the folder cannot be read."""
    try:
        names = [(path, _NAME.fullmatch(path.name)) for path in folder.glob("wattbook-*.db")]
    except OSError as error:  # a disk that went away while it was mounted
        raise BookError(f"{folder}: {error.strerror}; look at the disk of the backups", retry=True) from error
    return sorted((_instant_of(match[1]), path) for path, match in names if match)


def newest(folder: Path, book: Path, now: datetime) -> datetime | None:
    """When the newest copy of this book was made; one of another book, or of a clock that was ahead, is none."""
    lineage = lineage_of(book)
    made = (instant for instant, path in reversed(backups(folder)) if instant <= now and lineage_of(path) == lineage)
    return next(made, None)


def _instant_of(name: str) -> datetime:
    return datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _require_mount(folder: Path) -> None:
    place = folder.resolve()  # a link into a disk is on that disk
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
        _remove_part(part)


def _remove_part(part: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm", ".toml", ".people"):
        beside(part, suffix).unlink(missing_ok=True)


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


def _prove(copy: Path, counts: dict[str, int], progress: Progress) -> None:
    """Read a copy back. Raises BookError when it is not what was copied."""
    from wattbook.store.verify import require_whole, verify

    with closing(connect_reader(copy)) as connection:
        found = _counts(connection)
    if found != counts:
        raise BookError(f"{copy}: the copy has other rows than the book had: {found}, not {counts}")
    with BookReader(copy) as reader:
        require_whole(verify(reader, check_s=math.inf, progress=progress))


def _remove_older(folder: Path, made: Path, keep: int) -> Iterator[Path]:
    """Remove the oldest copies of this book: not those of others, nor the one just proven, whatever the names say."""
    lineage = lineage_of(made)
    own = [path for _, path in backups(folder) if path != made and lineage_of(path) == lineage]
    for path in own[: max(0, len(own) + 1 - keep)]:
        path.unlink()
        for suffix in (".toml", ".people"):
            path.with_suffix(suffix).unlink(missing_ok=True)
        yield path


def lineage_of(copy: Path) -> str:
    """Which book a copy is of; "" = it cannot be told."""
    try:
        with closing(connect_reader(copy)) as connection:
            return str(connection.execute("SELECT lineage FROM book").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return ""


def restore(copy: Path, book: Path, *, now: datetime, force: bool = False) -> Path | None:
    """Put a copy in the place of the book; return where the old one is now, None = there was none.

    The copy is proven first. The restored book has a lineage of its own and goes on with numbers that the lost one
    never gave out. Raises BookError; then everything is as it was. BookHeld: a daemon runs.
    """
    if not copy.is_file():
        raise BookError(f"{copy}: there is no such file")
    try:
        check_kind(copy)
    except OSError as error:
        raise BookError(f"{copy}: cannot be read: {error.strerror}") from error
    with BookReader(copy) as reader:
        from wattbook.store.verify import require_whole, verify

        require_whole(verify(reader, check_s=math.inf))
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
    """Let the two change places. From the moment the new one is ready, opening the book finishes what a kill left."""
    part = beside(book, ".restoring")
    _remove_part(part)  # a journal that a killed restore left must not meet another copy
    with _removed_when_failed(part):
        _copy(copy, part, lambda done, total: None)  # with its log, when it is a book that was put aside
        _make_new(part, _next_number(book), copy.name, now)
        sync(part)
        part.rename(beside(book, READY))
    sync(book.parent)
    aside = exchange(book, "before", now)
    return aside if aside.exists() else None


def _make_new(part: Path, at_least: int, origin: str, now: datetime) -> None:
    """Give a copy a lineage of its own, and numbers that neither it nor the book it replaces has given out.

    The event that says so is written with it: there is no restored book that does not know it is one.
    """
    lineage = secrets.token_hex(8)
    with closing(sqlite3.connect(part)) as connection, connection:
        was, seq_next = connection.execute("SELECT lineage, seq_next FROM book").fetchone()
        seq = max(seq_next + _NUMBERS_SKIPPED, at_least)
        connection.execute("UPDATE book SET lineage = ?, seq_next = ?", (lineage, seq + 1))
        body = msgspec.json.encode({"from": origin, "lineage": lineage, "was": was}).decode()
        connection.execute(
            "INSERT INTO event (seq, at, kind, subject, actor, body) VALUES (?, ?, 'book.restored', '', 'wattbook', ?)",
            (seq, to_ms(now), body),
        )


def _next_number(book: Path) -> int:
    """The next number of the book that is replaced, as far as it can be read, once its log is in it."""
    if not book.exists():
        return 1
    with suppress(sqlite3.Error, TypeError, ValueError), closing(sqlite3.connect(book)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # then one file holds all of it
        return int(connection.execute("SELECT seq_next FROM book").fetchone()[0])
    return 1  # damaged, or no book: it is put aside as it is
