"""A serial line behind a TCP connection, bytes as they are in both directions (see `stream` for Modbus TCP)."""

from __future__ import annotations

import select
import socket
from contextlib import suppress

from wattbook.profiles.profile import SerialSettings
from wattbook.transports.connection_words import connection_words
from wattbook.transports.link import LinkLost, faster

CONNECT_S_MAX = 3.0  # a host on the same network answers in milliseconds; the other lines have threads of their own
_WRITE_S_MAX = 2.0
_READ_MAX = 65_536
# A peer that lost its power never says so. Asked after 15 s of silence and then every 5 s, or not confirming what was
# sent (in ms), it is gone after 30 s; the system's own patience is two hours. Not every system has all four.
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}


def ask_for_life(connection: socket.socket) -> None:
    """Have the system notice when the other end is gone though nothing is sent."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, setting in _KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), setting)


class TcpLink:
    """A raw TCP connection to a serial server. `settings` tell how fast the wire behind it is."""

    def __init__(self, host: str, port: int, settings: SerialSettings) -> None:
        self._name, self._settings = f"{host}:{port}", settings
        self.character_s = settings.character_s
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_S_MAX)
        except OSError as error:
            raise self._gone(error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_life(self._socket)
        self._socket.settimeout(_WRITE_S_MAX)

    def write(self, data: bytes) -> None:
        """Hand the bytes to the connection."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._gone(error) from error

    def read(self, timeout_s: float) -> bytes:
        """Return what is there, waiting at most `timeout_s` for the first of it."""
        try:
            if not select.select([self._socket], [], [], max(timeout_s, 0))[0]:
                return b""
            data = self._socket.recv(_READ_MAX)
        except (OSError, ValueError) as error:
            raise self._gone(error) from error
        if not data:
            raise LinkLost("the other end closed the connection", meter=self._name)
        return data

    def set_baud(self, baud: int) -> None:
        """A raw connection cannot tell the other end: only the expected time of a character changes."""
        self._settings = faster(self._settings, baud)
        self.character_s = self._settings.character_s

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._socket.close()

    def _gone(self, error: BaseException) -> LinkLost:
        return no_connection(error, self._name)


def no_connection(error: BaseException, name: str) -> LinkLost:
    """Why nobody can be reached, or not any more, in words."""
    match error:
        case TimeoutError():
            words = "no answer; is the device on and the address right?"
        case OSError():
            words = connection_words(error)
        case _:
            words = str(error)
    return LinkLost(f"no connection: {words}", meter=name)
