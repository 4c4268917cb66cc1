"""One writer for a book: a locked file beside it, which names the process and tells whether it closed in order."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from wattbook.model import BookError

_SIZE = 20  # a process id and the word; always written whole, so that nothing of another remains
_DAMAGED = " damaged"


class BookHeld(BookError):
    """Another process writes this book."""

    def __init__(self, book: Path, holder: str) -> None:
        super().__init__(f"{book}: process {holder} is writing this book; go through it, or stop it first", retry=True)


class BookLock:
    """Holds `<book>.lock`. The kernel lets go of it when the process ends, however it ends.

    The file keeps the writer's process id until `release`, so a next writer that finds one knows of a crash; or it
    says that the last writer found the book damaged.
    """

    def __init__(self, book: Path) -> None:
        """Take the lock, or raise BookHeld naming who holds it."""
        self.path = book.with_name(book.name + ".lock")
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BookError(f"{self.path}: {error.strerror}; the book's folder must exist and be writable") from error
        try:
            self._take(book)
        except BaseException:
            os.close(self._file)
            raise

    def _take(self, book: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._read().removesuffix(_DAMAGED) or "unknown"
            raise BookHeld(book, holder) from error
        found = self._read()
        self.crashed = bool(found)
        self.damaged = found.endswith(_DAMAGED)  # and stays so until the book is closed in order
        self._write(f"{os.getpid()}{_DAMAGED if self.damaged else ''}")

    def release(self) -> None:
        """Say that the book was closed in order, and let the next writer in."""
        try:
            self._write("")
        finally:
            os.close(self._file)

    def abandon(self, *, damaged: bool = False) -> None:
        """Let go without saying that the book is in order: opening it failed, or it was found `damaged`."""
        try:
            if damaged:
                self._write(f"{os.getpid()}{_DAMAGED}")
        finally:
            os.close(self._file)

    def _read(self) -> str:
        return os.pread(self._file, _SIZE, 0).decode("ascii", "replace").strip()

    def _write(self, text: str) -> None:
        # In place and without cutting the file first: a disk that is full must not cost what it says now.
        try:
            os.pwrite(self._file, text.ljust(_SIZE).encode(), 0)
            os.fsync(self._file)  # must not look closed in order after a power cut
        except OSError as error:
            raise BookError(f"{self.path}: {error.strerror}; make room on its disk", retry=True) from error
