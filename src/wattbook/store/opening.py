"""Open the file of a book for writing: make it, migrate it, or repair it; start is refused for nothing but words."""

from __future__ import annotations

import math
import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from wattbook.model import BookError
from wattbook.store.connection import Connect, connect_reader
from wattbook.store.files import beside, instant_name
from wattbook.store.journal import Position
from wattbook.store.repair import CHECK_S, damage, finish_repair, salvage
from wattbook.store.schema import APPLICATION_ID, MIGRATIONS, PAGE_SIZE, TABLES, VERSION
from wattbook.store.torn import first_torn

_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Opened:
    """An open book and what had to be done for it."""

    connection: sqlite3.Connection
    lineage: str
    seq_next: int
    positions: dict[str, Position]
    messages: list[str] = field(default_factory=list)


def open_file(
    path: Path,
    connect: Connect,
    *,
    crashed: bool,
    damaged: bool = False,
    now: datetime,
    migrations: Mapping[int, str] = MIGRATIONS,
) -> Opened:
    """Open the book at `path`, which the caller has locked.

    `crashed`: the last writer did not close it in order. `damaged`: a writer found it so, which makes the check take
    as long as it takes. Raises BookError for whatever the disk or the file does not allow.
    """
    try:
        return _open(path, connect, math.inf if damaged else CHECK_S if crashed else 0.0, now, migrations)
    except (OSError, sqlite3.DatabaseError) as error:
        raise BookError(
            f"{path}: the book cannot be opened: {error}; look at the disk and the rights", retry=True
        ) from error


def _open(path: Path, connect: Connect, check_s: float, now: datetime, migrations: Mapping[int, str]) -> Opened:
    messages = [message] if (message := finish_repair(path, now)) else []
    if found := _damage(path, connect, check_s):
        messages.append(salvage(path, connect, create, reason=found, now=now))
    connection = connect(path)
    try:
        _prepare(connection, path, migrations, messages, now)
        lineage, seq_next = connection.execute("SELECT lineage, seq_next FROM book").fetchone()
        stored = connection.execute("SELECT follower, after, bookmark FROM position").fetchall()
    except BaseException:
        connection.close()
        raise
    positions = {follower: Position(after, bookmark) for follower, after, bookmark in stored}
    return Opened(connection, lineage, seq_next, positions, messages)


def create(connection: sqlite3.Connection, lineage: str = "", seq_next: int = 1) -> None:
    """Make the tables of a new book."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(
        "INSERT INTO book (id, lineage, seq_next) VALUES (1, ?, ?)", (lineage or secrets.token_hex(8), seq_next)
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def check_version(connection: sqlite3.Connection, path: Path) -> int | None:
    """Return the book's version, None = an empty file. Raises BookError when it is no book or a newer one."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    try:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except UnicodeDecodeError as error:  # SQLite's own words about a damaged schema repeat it
        raise sqlite3.DatabaseError("the names of its tables are damaged") from error
    if not tables:
        return None
    if application != APPLICATION_ID:
        raise BookError(f"{path}: this is another program's database, not a book; name another file")
    if version > VERSION:
        raise BookError(
            f"{path}: the book is of version {version} and this wattbook knows {VERSION}; use a newer wattbook"
        )
    return int(version)


def _damage(path: Path, connect: Connect, check_s: float) -> str:
    """Why the file cannot be used as it is; "" = it can."""
    if not path.exists() or not path.stat().st_size:
        return ""
    check_kind(path)
    _roll_back(path)
    try:
        with closing(connect_reader(path)) as reader:  # which leaves another program's database as it is
            made = check_version(reader, path) is not None
            if made and (found := _wrong_count(reader)):
                return found
        with closing(connect(path)) as connection:
            found = damage(connection, within_s=check_s) if check_s else ""
            return found or (first_torn(connection, within_s=check_s) if made else "")
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return str(error)
        raise  # the disk or the rights, and nothing about the file
    except sqlite3.DatabaseError as error:
        return str(error)


def _roll_back(path: Path) -> None:
    """Let SQLite undo what a power cut left of the making of a book, which only a writer may do."""
    if beside(path, "-journal").exists():
        with closing(sqlite3.connect(path)) as connection:  # sets nothing: it may be another program's
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def check_kind(path: Path) -> None:
    """Raise BookError for a file that never was a book. A damaged one has whole pages, or zeros from a power cut."""
    with path.open("rb") as file:
        begins = file.read(len(_MAGIC))
    if begins != _MAGIC and any(begins) and path.stat().st_size % PAGE_SIZE:
        raise BookError(f"{path}: this is no book; name another file")


def _wrong_count(reader: sqlite3.Connection) -> str:
    """What is wrong with the row that counts the numbers; "" = nothing."""
    rows = reader.execute("SELECT typeof(lineage), typeof(seq_next) FROM book").fetchall()
    return "" if rows == [("text", "integer")] else "the row that counts its numbers is damaged"


def _prepare(
    connection: sqlite3.Connection, path: Path, migrations: Mapping[int, str], messages: list[str], now: datetime
) -> None:
    version = check_version(connection, path)
    if version is None:
        create(connection)
    elif version < VERSION:
        copy = beside(path, f".version-{version}-{instant_name(now)}")
        connection.execute("VACUUM INTO ?", (str(copy),))
        for each in range(version, VERSION):
            _migrate(connection, migrations[each], each + 1)
        messages.append(f"the book was of version {version} and is now of version {VERSION}; {copy.name} is as it was")


def _migrate(connection: sqlite3.Connection, script: str, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
