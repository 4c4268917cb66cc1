"""Connections to the book's file: one that writes, and short-lived readers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from wattbook.store.schema import PAGE_SIZE

Connect = Callable[[Path], sqlite3.Connection]

_BUSY_S = 5.0  # a reader may find the log being recovered or closed; that takes milliseconds
_WAL_PAGES = 4096  # 8 MB of log between checkpoints: few enough to recover at once, many enough to write pages once
_CACHE_KB = 8_000  # holds what a commit for 1,000 meters touches; SQLite's 2 MB made it 1.3 times slower
_WAL_BYTES_KEPT = 64 << 20  # what an open reader made it grow beyond is given back


def connect_writer(path: Path) -> sqlite3.Connection:
    """The writer's connection: write-ahead log, synced at every commit. Only this one checkpoints."""
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    prepare_writer(connection)
    return connection


def prepare_writer(connection: sqlite3.Connection) -> None:
    """Set what makes a commit durable."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    # A new file turns to the log under a rollback journal; one that a power cut brings back would undo all of it.
    connection.execute("PRAGMA synchronous = EXTRA")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"this file system allows no write-ahead log (journal mode {mode})")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}").fetchone()
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}").fetchone()


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, so it never checkpoints either."""
    address = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
