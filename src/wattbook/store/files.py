"""The files of a book: what lies beside it, how it is made durable, and how another takes its place."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

READY = ".repaired"  # a whole book that is to take the place: opening the book finishes what a kill has left


def instant_name(now: datetime) -> str:
    """An instant as a part of a file's name."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def beside(path: Path, suffix: str) -> Path:
    """A file beside another, named after it."""
    return path.with_name(path.name + suffix)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def exchange(book: Path, word: str, now: datetime) -> Path:
    """Put the book aside, named by a word and the instant, and what is READY in its place; return where it is now.

    There may be no book. A log alone, whose book somebody removed, goes aside too: SQLite would take it for the new
    one's.
    """
    aside = beside(book, f".{word}-{instant_name(now)}")
    count = 1
    while aside.exists():  # ends: each was put aside by one start or restore within this second
        count += 1
        aside = beside(book, f".{word}-{instant_name(now)}-{count}")
    for suffix in ("", "-wal"):  # the book first: from here on the next opening goes on; the log goes with its book
        with suppress(FileNotFoundError):
            beside(book, suffix).rename(beside(aside, suffix))
    beside(book, "-shm").unlink(missing_ok=True)
    beside(book, READY).rename(book)
    sync(book.parent)
    return aside
