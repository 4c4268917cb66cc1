"""The file of people, beside the book: for its owner's eyes alone, written whole, read again when it changed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from wattbook.access.people import People
from wattbook.model import BookError

SIZE_MAX = 1_000_000  # bytes; 200 users and 200 tokens are 100 kB
_Stamp = tuple[int, int, int]  # inode, size, nanoseconds of its last change
_log = logging.getLogger(__name__)


class PeopleFile:
    """Who may come in, as the file says now. Only who holds the book's lock may change it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._people = People()

    def people(self) -> People:
        """What the file says. Raises BookError when it cannot be read: then nobody comes in.

        A file that vanishes while we run does not open the door: the people last read stay until the next start.
        """
        try:
            found = self.path.stat()
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp != self._stamp:
                self._people, self._stamp = self._read(found), stamp
        except FileNotFoundError:
            pass
        except OSError as error:
            raise BookError(f"{self.path}: {error.strerror}; nobody can log in until it can be read") from error
        return self._people

    def change(self, how: Callable[[People], People]) -> None:
        """Put other people in their place, durably. `how` may raise; then nothing changes. Raises BookError."""
        with self._lock:
            people = how(self.people())
            try:
                self._write(people)
            except OSError as error:
                raise BookError(f"{self.path}: {error.strerror}; nothing was changed", retry=True) from error
            self._people = people  # though the file be gone before it is next looked at

    def _read(self, found: os.stat_result) -> People:
        if found.st_mode & 0o077:
            _log.warning("%s could be read by others; its mode is 0600 now", self.path)
            self.path.chmod(0o600)
        if found.st_size > SIZE_MAX:
            raise BookError(f"{self.path}: larger than {SIZE_MAX} bytes; nobody can log in until it is put right")
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=People)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BookError(f"{self.path}: {error}; nobody can log in until it is put right") from error

    def _write(self, people: People) -> None:
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)  # of a write that a power cut ended
        private = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(private, "wb") as file:
            if os.geteuid() == 0:  # root's command must not shut the daemon's user out
                owner = (self.path if self.path.exists() else self.path.parent).stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(msgspec.json.format(msgspec.json.encode(people), indent=1))
            file.flush()
            os.fsync(file.fileno())
        new.rename(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
