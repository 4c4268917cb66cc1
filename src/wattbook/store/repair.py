"""A damaged book: find out, put it aside, and write what can still be read into a new one."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from wattbook.model import BookError
from wattbook.store.connection import Connect, connect_writer
from wattbook.store.files import READY, beside, exchange, sync
from wattbook.store.schema import PAGE_SIZE, TABLE_NAMES
from wattbook.store.torn import shapes, torn_rows

CHECK_S = 2.0  # a start may wait this long for each check, of pages and of rows; 2 s see about 1 GB
_STEPS_BETWEEN_LOOKS = 100_000  # of SQLite's machine: some ms
_ROWS = 4096  # read in one go, fewer where one of them is damaged
_HOLE = 4096  # numbers searched one by one at a damaged place; a damaged page holds some hundred
_ATTEMPTS_MAX = 200_000  # within damaged places: some seconds, then what is left of them in this table is given up
_STRIDES = 40  # a book of 10^12 readings
_NUMBERS_SKIPPED = 1_000_000  # the latest numbers may be among what is lost, and none may be used twice

Create = Callable[[sqlite3.Connection, str, int], None]


def damage(
    connection: sqlite3.Connection, *, within_s: float = CHECK_S, look: Callable[[], None] = lambda: None
) -> str:
    """What SQLite's quick check says, as far as it comes in that time; "" = nothing wrong was found.

    `look` is called every some ms; the check ends when it raises.
    """
    ends_s = monotonic() + within_s

    def enough() -> bool:
        look()
        return monotonic() > ends_s

    connection.set_progress_handler(enough, _STEPS_BETWEEN_LOOKS)
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            return str(error)
        return ""  # too large to see all of it now; what was seen is whole
    finally:
        connection.set_progress_handler(None, 0)
    return "" if found == "ok" else str(found).splitlines()[-1]


def finish_repair(path: Path, now: datetime) -> str:
    """Finish or undo a repair that was interrupted; return what happened, for the operator, "" = nothing.

    The book and its repaired copy change places only when the copy is whole and synced, so at every moment one of
    the two is there.
    """
    if path.exists():
        for name in (".new", READY, ".copy"):
            _remove(beside(path, name))
        return ""
    if not beside(path, READY).exists():
        return ""
    aside = exchange(path, "damaged", now)
    kept = f"; the damaged one is kept as {aside.name}" if aside.exists() else ""  # else a restore has put it aside
    return f"the repair or restore of {path.name} was interrupted and is finished now{kept}"


def salvage(path: Path, connect: Connect, create: Create, *, reason: str, now: datetime) -> str:
    """Put the damaged book aside and a new one of what can be read into its place; return what happened.

    Raises BookError when that is not possible now (a full disk); the damaged book is then as it was.
    """
    new, repaired = beside(path, ".new"), beside(path, READY)
    try:
        try:
            lost = _write_new(path, new, connect, create)
            sync(new)
            new.rename(repaired)
            sync(path.parent)
        finally:
            _remove(new)
            _remove(beside(path, ".copy"))
        aside = exchange(path, "damaged", now)
    except (OSError, sqlite3.Error) as error:
        raise BookError(
            f"{path}: the book is damaged ({reason}) and cannot be repaired now: {error}; make room on its disk",
            retry=True,
        ) from error
    return (
        f"{path.name} was damaged ({reason}); what could be read is in a new book"
        f"{f', {lost} places could not be read' if lost else ''}; the damaged one is kept as {aside.name}"
    )


def _remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        beside(database, suffix).unlink(missing_ok=True)


def _write_new(path: Path, new: Path, connect: Connect, create: Create) -> int:
    """Write what can be read into a book of its own; return how many places could not be."""
    with closing(_open_damaged(path, create)) as old, closing(connect(new)) as connection:
        lineage, seq_next = _identity(old)
        create(connection, lineage, seq_next + _NUMBERS_SKIPPED)
        lost = sum(_copy_table(old, connection, table) for table in TABLE_NAMES if table != "book")
        _make_whole(connection)
        # Closing would do it too, and be silent when the disk is full.
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy
    return lost


def _open_damaged(path: Path, create: Create) -> sqlite3.Connection:
    """Open a copy of the damaged book, so that the original stays as it is; a lost first page is put back."""
    copy = beside(path, ".copy")
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(beside(path, suffix), beside(copy, suffix))
    # What is left of a page that was cut would pass for a page whose other half is zeros.
    os.truncate(copy, copy.stat().st_size // PAGE_SIZE * PAGE_SIZE)
    connection = _connect_damaged(copy)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master, book").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
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
    fresh = beside(copy, ".page")
    try:
        with closing(connect_writer(fresh)) as connection:
            create(connection, "", 1)
        page = fresh.read_bytes()[:PAGE_SIZE]
    finally:
        _remove(fresh)
    with copy.open("r+b") as file:
        size = max(file.seek(0, 2), PAGE_SIZE)
        pages = -(-size // PAGE_SIZE)
        file.seek(0)
        file.write(page[:28] + pages.to_bytes(4, "big") + page[32:])
        file.truncate(pages * PAGE_SIZE)


def _identity(old: sqlite3.Connection) -> tuple[str, int]:
    """Lineage ("" = lost, so a new one) and the next number."""
    lineage, seq_next = "", 1
    with contextlib.suppress(sqlite3.DatabaseError):
        sound = "SELECT lineage, seq_next FROM book WHERE typeof(lineage) = 'text' AND typeof(seq_next) = 'integer'"
        lineage, seq_next = old.execute(sound).fetchone() or (lineage, seq_next)
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
    """Yield rows with their rowid, in its order; None for a place that cannot be read."""
    select = f"SELECT rowid, {', '.join(names)} FROM {table} WHERE rowid "  # noqa: S608 - our own names
    after, limit, attempts = 0, _ROWS, _ATTEMPTS_MAX
    while True:  # ends: each turn moves on or reads less at once
        try:
            rows = old.execute(f"{select} > ? ORDER BY rowid LIMIT ?", (after, limit)).fetchall()
            whole = _rising(rows, after)
        except sqlite3.DatabaseError:
            rows, whole = [()], []
        if not rows:
            return
        if whole:
            yield whole
            after, limit = whole[-1][0], min(2 * limit, _ROWS)
        elif limit > 1:
            limit = max(1, limit // 8)
        else:
            yield None
            beyond = _next_readable(old, table, after)
            last = min(after + _HOLE, beyond - 1) if beyond else after + _HOLE
            found = False
            for part in _within_hole(old, f"{select} BETWEEN ? AND ?", after + 1, last, attempts):
                attempts -= 1
                if part:
                    found = True
                    yield part
            if beyond and attempts <= 0:
                after = beyond - 1
            elif beyond or found:
                after = last
            else:
                return


def _rising(rows: Sequence[Any], after: int) -> Sequence[Any]:
    """The rows up to the first whose number does not rise: from there on a page holds anything."""
    for place, row in enumerate(rows):
        if row[0] <= after:
            return rows[:place]
        after = row[0]
    return rows


def _within_hole(old: sqlite3.Connection, query: str, first: int, last: int, attempts: int) -> Iterator[Sequence[Any]]:
    """Halve a range around what is damaged, the largest parts first; yield the rows of each attempt."""
    ranges = deque([(first, last)])
    while ranges and attempts > 0:
        attempts -= 1
        start, end = ranges.popleft()
        try:
            yield _rising(old.execute(query, (start, end)).fetchall(), start - 1)
        except sqlite3.DatabaseError:
            yield ()
            if start < end:
                middle = (start + end) // 2
                ranges += [(start, middle), (middle + 1, end)]


def _next_readable(old: sqlite3.Connection, table: str, after: int) -> int | None:
    """The first readable rowid found with strides that double; None = none, or the table ends."""
    query = f"SELECT rowid FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1"  # noqa: S608 - a constant
    for power in range(_STRIDES):
        with contextlib.suppress(sqlite3.DatabaseError):
            start = after + (1 << power)
            row = old.execute(query, (start,)).fetchone()
            if row is None or row[0] > start:
                return row and int(row[0])
    return None


def _make_whole(new: sqlite3.Connection) -> None:
    """Give lost meters a name, and drop what means nothing: rows that cannot be read, parts of frames."""
    new.execute("BEGIN IMMEDIATE")
    new.execute(
        "INSERT INTO meter (id, site, name) SELECT DISTINCT meter, '', 'lost-' || meter FROM hot"
        " WHERE meter NOT IN (SELECT id FROM meter)"
    )
    new.execute(
        "INSERT INTO meter (id, site, name) SELECT DISTINCT meter, '', 'lost-' || meter FROM frame"
        " WHERE meter NOT IN (SELECT id FROM meter)"
    )
    lengths, torn = shapes(new)
    new.executemany("DELETE FROM shape WHERE id = ?", [(shape_id,) for shape_id in torn])
    for table in ("event", "hot"):
        delete = f"DELETE FROM {table} WHERE seq = ?"  # noqa: S608 - a constant
        new.executemany(delete, [(seq,) for seq in list(torn_rows(new, table, lengths))])
    new.execute("DELETE FROM piece WHERE frame NOT IN (SELECT id FROM frame)")
    new.execute("COMMIT")
