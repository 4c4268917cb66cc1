"""Files that people name on the command line, read with a bound."""

from __future__ import annotations

import sys
from pathlib import Path

from wattbook.model import ConfigError


def read_bytes(path: Path, most: int, *, advice: str = "", stdin: bool = False) -> bytes:
    """The whole file, or standard input for "-" where that is meant. Raises ConfigError when it cannot be, or is larger
    than `most` bytes; `advice` says what to do then."""
    try:
        if stdin and str(path) == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with path.open("rb") as stream:
                data = stream.read(most + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=str(path)) from error
    if len(data) > most:
        raise ConfigError(f"larger than {most} bytes{advice}", place=str(path))
    return data
