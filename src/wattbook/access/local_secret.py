"""The daemon's secret for commands on its machine: who may read this file may do what the daemon's owner may."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from wattbook.access.tokens import new_secret
from wattbook.model import BookError


class LocalSecret:
    """A secret in a file of mode 0600, anew for every start of a daemon."""

    def __init__(self, path: Path, *, before: LocalSecret | None = None) -> None:
        """Make the file; with the secret of the one before, which commands may have read. Raises BookError."""
        self._path = path
        self._secret: str = before._secret if before else new_secret()
        try:
            path.unlink(missing_ok=True)  # of a daemon that was killed: its mode and owner would stay
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "w", encoding="ascii") as text:
                text.write(self._secret)
        except OSError as error:
            raise BookError(f"{path}: {error.strerror}; commands need it to reach the daemon", retry=True) from error

    def is_it(self, given: str) -> bool:
        """Whether this is the secret; compared in a time that does not tell how much of it is right."""
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._secret.encode())

    def remove(self) -> None:
        """Take the file away; the secret is of no use after us."""
        self._path.unlink(missing_ok=True)
