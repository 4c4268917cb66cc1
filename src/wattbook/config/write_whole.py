"""Write wattbook.toml whole: a crash leaves the old file or the new one."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from wattbook.model.errors import ConfigError


def write_whole(path: Path, text: str) -> None:
    """Put a text in a file's place, durably. Mode and owner stay, and a link to the file stays one.

    Raises ConfigError; then the file is as it was.
    """
    real = path.resolve()
    try:
        with NamedTemporaryFile("wb", dir=real.parent, prefix=f".{real.name}.", suffix=".new", delete=False) as new:
            try:
                new.write(text.encode())
                new.flush()
                _like(real, new.fileno())
                os.fsync(new.fileno())
                Path(new.name).rename(real)
            except BaseException:
                with suppress(OSError):
                    Path(new.name).unlink()
                raise
        _sync_folder(real.parent)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(path)) from error


def _like(old: Path, new: int) -> None:
    """Give a new file the mode and owner of the old one; where that may not be, only the mode."""
    try:
        found = old.stat()
    except FileNotFoundError:
        mask = os.umask(0o022)
        os.umask(mask)
        os.fchmod(new, 0o666 & ~mask)
        return
    if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.fchown(new, found.st_uid, found.st_gid)
    os.fchmod(new, stat.S_IMODE(found.st_mode))


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
