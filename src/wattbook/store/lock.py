"""One writer for a book: a locked file beside it, which names the process and tells whether it closed in order."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from wattbook.model import BookError


class BookLock:
    """Holds `<book>.lock`. The kernel lets go of it when the process ends, however it ends.

    The file keeps the writer's process id until `release`, so a next writer that finds one knows of a crash.
    """

    def __init__(self, book: Path) -> None:
        """Take the lock, or raise BookError naming who holds it."""
        self.path = book.with_name(book.name + ".lock")
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BookError(f"{self.path}: {error.strerror}; the book's folder must exist and be writable") from error
        holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise BookError(
                f"{book}: process {holder or 'unknown'} is writing this book; go through it, or stop it first",
                retry=True,
            ) from error
        self.crashed = bool(holder)
        self._write(str(os.getpid()))

    def release(self) -> None:
        """Say that the book was closed in order, and let the next writer in."""
        self._write("")
        os.close(self._file)

    def abandon(self) -> None:
        """Let go without saying that the book is in order: opening it failed."""
        os.close(self._file)

    def _write(self, text: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)
        os.fsync(self._file)  # must not look closed in order after a power cut
