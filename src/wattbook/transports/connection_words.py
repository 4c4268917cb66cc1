"""Why there is no connection, in words, and what to do."""

from __future__ import annotations

import errno
import os
import socket

_REFUSED = "connection refused; does it run there, and is the port right?"


def connection_words(error: OSError) -> str:
    """What went wrong when a connection was begun; where and to what is for the caller to say."""
    match error:
        case socket.gaierror():
            return "no host of this name is known"
        case ConnectionRefusedError():
            return _REFUSED
        case OSError(errno=int(number)) if number > 0:  # asyncio puts its own words into strerror
            return os.strerror(number)
        case _ if f"[Errno {errno.ECONNREFUSED}]" in str(error):  # of every address of a name, as of "localhost"
            return _REFUSED
        case _:
            return str(error) or type(error).__name__
