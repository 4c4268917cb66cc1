"""A damaged book: find out, put it aside, and write what can still be read into a new one."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from wattbook.store.connection import Connect, connect_writer
from wattbook.store.schema import PAGE_SIZE, TABLE_NAMES

CHECK_S = 2.0  # a start may wait this long for the check; 2 s see about 1 GB
_STEPS_BETWEEN_LOOKS = 100_000  # of SQLite's machine: some ms
_RANGE = 4096  # rows read in one go, before halving around what is damaged
_FAILURES_MAX = 200_000  # readings of damaged places: some seconds, then the rest of a table is given up
_NUMBERS_SKIPPED = 1_000_000  # the latest numbers may be among what is lost, and none may be used twice

Create = Callable[[sqlite3.Connection, str, int], None]


def damage(connection: sqlite3.Connection) -> str:
    """What SQLite's quick check says, within CHECK_S; "" = nothing wrong was found."""
    ends_s = monotonic() + CHECK_S
    connection.set_progress_handler(lambda: monotonic() > ends_s, _STEPS_BETWEEN_LOOKS)
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            return str(error)
        return ""  # too large to see all of it now; what was seen is whole
    finally:
        connection.set_progress_handler(None, 0)
    return "" if found == "ok" else str(found).splitlines()[-1]


def salvage(path: Path, connect: Connect, create: Create, *, reason: str, now: datetime) -> str:
    """Put the damaged book aside and make a new one of what can be read; return what happened, for the operator."""
    aside = _put_aside(path, now)
    old = _open_damaged(aside, create)
    new = connect(path)
    try:
        lineage, seq_next = _identity(old)
        create(new, lineage, seq_next + _NUMBERS_SKIPPED)
        lost = sum(_copy_table(old, new, table) for table in TABLE_NAMES if table != "book")
        _make_whole(new)
    finally:
        old.close()
        new.close()
        _without_copy(aside)
    return (
        f"{path.name} was damaged ({reason}); what could be read is in a new book"
        f"{f', {lost} places could not be read' if lost else ''}; the damaged one is kept as {aside.name}"
    )


def _put_aside(path: Path, now: datetime) -> Path:
    stem = f"{path.name}.damaged-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    aside = path.with_name(stem)
    count = 1
    while aside.exists():  # ends: each damaged book was put aside by one start within this second
        count += 1
        aside = path.with_name(f"{stem}-{count}")
    for suffix in ("-wal", ""):  # the book last, so that a crash between finds it again
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    with contextlib.suppress(FileNotFoundError):
        path.with_name(path.name + "-shm").unlink()
    return aside


def _copy_path(aside: Path) -> Path:
    return aside.with_name(aside.name + ".copy")


def _open_damaged(aside: Path, create: Create) -> sqlite3.Connection:
    """Open a copy of the damaged book, so that the original stays as it is; a lost first page is put back."""
    copy = _copy_path(aside)
    shutil.copyfile(aside, copy)
    wal = aside.with_name(aside.name + "-wal")
    if wal.exists():
        shutil.copyfile(wal, copy.with_name(copy.name + "-wal"))
    connection = _connect_damaged(copy)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master, book").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        _put_back_first_page(copy, create)
        return _connect_damaged(copy)
    return connection


def _connect_damaged(copy: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(copy, isolation_level=None)
    # Without this SQLite refuses a file that is shorter than its first page says.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _put_back_first_page(copy: Path, create: Create) -> None:
    """Every book of a version is made by the same statements, so its first page can be taken from a new one."""
    fresh = copy.with_name(copy.name + ".page")
    connection = connect_writer(fresh)
    create(connection, "", 1)
    connection.close()
    page = fresh.read_bytes()[:PAGE_SIZE]
    fresh.unlink()
    with copy.open("r+b") as file:
        size = max(file.seek(0, 2), PAGE_SIZE)
        pages = -(-size // PAGE_SIZE)
        file.seek(0)
        file.write(page[:28] + pages.to_bytes(4, "big") + page[32:])
        file.truncate(pages * PAGE_SIZE)


def _without_copy(aside: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            copy = _copy_path(aside)
            copy.with_name(copy.name + suffix).unlink()


def _identity(old: sqlite3.Connection) -> tuple[str, int]:
    """Lineage ("" = lost, so a new one) and the next number."""
    lineage, seq_next = "", 1
    with contextlib.suppress(sqlite3.DatabaseError, TypeError):  # TypeError: the row is gone
        lineage, seq_next = old.execute("SELECT lineage, seq_next FROM book").fetchone()
    for table in ("hot", "event"):
        with contextlib.suppress(sqlite3.DatabaseError):
            (last,) = old.execute(f"SELECT max(seq) FROM {table}").fetchone()  # noqa: S608 - a constant
            seq_next = max(seq_next, (last or 0) + 1)
    return lineage, seq_next


def _copy_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    """Copy what can be read of a table; return how many places could not be."""
    names = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    marks = ", ".join("?" * (len(names) + 1))
    insert = f"INSERT OR IGNORE INTO {table} (rowid, {', '.join(names)}) VALUES ({marks})"  # noqa: S608 - our own names
    failures = 0
    new.execute("BEGIN IMMEDIATE")
    for rows in _readable(old, table, names):
        if rows is None:
            failures += 1
        else:
            new.executemany(insert, rows)
    new.execute("COMMIT")
    return failures


def _readable(old: sqlite3.Connection, table: str, names: Sequence[str]) -> Iterator[Sequence[Any] | None]:
    """Yield rows with their rowid, or None for a place that cannot be read; halves ranges around damage."""
    query = f"SELECT rowid, {', '.join(names)} FROM {table} WHERE rowid BETWEEN ? AND ?"  # noqa: S608 - our own names
    first, last = _ends(old, table)
    ranges = [(start, min(start + _RANGE - 1, last)) for start in range(first, last + 1, _RANGE)][::-1]
    failures = 0
    while ranges and failures < _FAILURES_MAX:
        start, end = ranges.pop()
        try:
            rows = old.execute(query, (start, end)).fetchall()
        except sqlite3.DatabaseError:
            failures += 1
            if start == end:
                yield None
            else:
                middle = (start + end) // 2
                ranges += [(middle + 1, end), (start, middle)]
        else:
            yield rows


def _ends(old: sqlite3.Connection, table: str) -> tuple[int, int]:
    """The lowest and highest rowid; where an end of the tree is damaged, as far as a tree can be searched for it."""
    found = []
    for end in ("min", "max"):
        try:
            (rowid,) = old.execute(f"SELECT {end}(rowid) FROM {table}").fetchone()  # noqa: S608 - constants
        except sqlite3.DatabaseError:
            rowid = 1 if end == "min" else _highest_readable(old, table)
        found.append(rowid)
    return (found[0] or 1), (found[1] or 0)


def _highest_readable(old: sqlite3.Connection, table: str) -> int:
    """The end of the last range that gives a row, doubling from the beginning."""
    query = f"SELECT rowid FROM {table} WHERE rowid >= ? LIMIT 1"  # noqa: S608 - a constant
    highest = 0
    for power in range(62):
        with contextlib.suppress(sqlite3.DatabaseError):
            row = old.execute(query, (1 << power,)).fetchone()
            if row is None:
                break
            highest = max(highest, row[0])
    return highest * 2 + _RANGE


def _make_whole(new: sqlite3.Connection) -> None:
    """Give lost meters a name, and drop readings whose shape is lost: their cells mean nothing without it."""
    new.execute("BEGIN IMMEDIATE")
    new.execute(
        "INSERT INTO meter (id, site, name) SELECT DISTINCT meter, '', 'lost-' || meter FROM hot"
        " WHERE meter NOT IN (SELECT id FROM meter)"
    )
    new.execute("DELETE FROM hot WHERE shape NOT IN (SELECT id FROM shape)")
    new.execute("COMMIT")
