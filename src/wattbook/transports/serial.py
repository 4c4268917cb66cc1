"""A serial port of this machine. serialx configures it; bytes and waiting go straight to the descriptor.

`termios.error` is not an OSError, and what a vanished port raises differs by driver: all of it ends here as LinkLost.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import serialx

from wattbook.profiles.profile import SerialSettings
from wattbook.transports.link import LinkLost, faster

try:
    from termios import FIONREAD
    from termios import error as _TermiosError  # noqa: N812 - the module's own name for it
except ImportError:  # not a POSIX system
    FIONREAD, _TermiosError = 0, OSError  # type: ignore[misc,assignment]

FOREIGN_ERRORS = (OSError, _TermiosError, serialx.SerialException, ValueError)
_READ_MAX = 4096  # bytes a call: what a terminal buffers at most
_WRITE_S_MAX = 2.0  # a port whose output is stuck that long (flow control, dead driver) is as good as gone
_T = TypeVar("_T")


class SerialLink:
    """A port of this machine, or a pseudo-terminal, opened for us alone. Raises LinkLost."""

    def __init__(self, port: str, settings: SerialSettings) -> None:
        self._port, self._settings = port, settings
        self.character_s = settings.character_s
        self._serial = self._translated(lambda: _open(port, settings))
        self._fd = self._serial.fileno()
        self._quick = _Quick(self._fd)

    def write(self, data: bytes) -> None:
        """Hand the bytes to the port's driver."""
        while data:
            try:
                data = data[self._quick.write(data) :]
            except BlockingIOError:
                if not self._translated(lambda: select.select([], [self._fd], [], _WRITE_S_MAX))[1]:
                    raise LinkLost("the port takes no bytes; unplug and replug it", meter=self._port) from None
            except OSError as error:
                raise self._gone(error) from error

    def read(self, timeout_s: float) -> bytes:
        """Return what is there, waiting at most `timeout_s` for the first of it."""
        if timeout_s <= 0 and not self._quick.waiting():
            return b""
        try:
            data = self._quick.read()  # whoever slept through the wire time finds it here
            if data is None:
                if not select.select([self._fd], [], [], max(timeout_s, 0.0))[0]:
                    return b""
                data = self._quick.read()
            if data is None:
                data = os.read(self._fd, _READ_MAX)  # which says why it was refused
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as error:
            raise self._gone(error) from error
        if not data:  # a port that is there would have said "nothing yet"
            raise self._gone(OSError(errno.EIO, "the port hung up"))
        return data

    def set_baud(self, baud: int) -> None:
        """Change the speed, after what was written has left."""
        if baud == self._settings.baud:
            return
        self._settings = faster(self._settings, baud)
        self.character_s = self._settings.character_s
        self._translated(self._serial.flush)
        self._translated(lambda: self._serial.reconfigure_port(baudrate=baud))

    def close(self) -> None:
        """Give the port back."""
        with suppress(*FOREIGN_ERRORS):  # closing what is already gone
            self._serial.close()

    def _translated(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except FOREIGN_ERRORS as error:
            raise self._gone(error) from error

    def _gone(self, error: BaseException) -> LinkLost:
        return LinkLost(explain(error), meter=self._port)


class _Quick:
    """Calls of a non-blocking descriptor that keep hold of the interpreter.

    `os.read` and `os.write` let go of it, and a thread that lets go waits a whole switch interval to get it back when
    others are busy: four times a poll, 5 % of a line at 9600 Bd. These calls take microseconds, for they never block.
    Neither types are declared nor error numbers kept, which after a sleep costs half as much as the call: why
    something is refused, the ordinary calls tell.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        library = ctypes.PyDLL(None)
        self._ioctl, self._read, self._write = library.ioctl, library.read, library.write
        self._size, self._buffer = ctypes.c_int(), ctypes.create_string_buffer(_READ_MAX)
        self._fionread, self._at_size = ctypes.c_ulong(FIONREAD), ctypes.byref(self._size)
        self._size_max = ctypes.c_size_t(_READ_MAX)

    def waiting(self) -> bool:
        """Whether something may be there."""
        refused: bool = self._ioctl(self._fd, self._fionread, self._at_size) < 0
        return refused or self._size.value > 0

    def read(self) -> bytes | None:
        """What is there; None = refused, b"" = the other end hung up."""
        size = self._read(self._fd, self._buffer, self._size_max)
        return ctypes.string_at(self._buffer, size) if size >= 0 else None

    def write(self, data: bytes) -> int:
        """How many bytes were taken. Raises BlockingIOError when none can be taken now, OSError."""
        size: int = self._write(self._fd, data, ctypes.c_size_t(len(data)))
        return size if size >= 0 else os.write(self._fd, data)


def _open(port: str, settings: SerialSettings) -> Any:
    """Open a port. A pseudo-terminal knows neither parity nor 7 bits: there it stays 8N1, nowhere else."""
    framed = not is_pseudo_terminal(port)
    serial = serialx.serial_for_url(
        port,
        settings.baud,
        byte_size=settings.bits if framed else 8,
        parity={"none": "N", "even": "E", "odd": "O"}[settings.parity] if framed else "N",
        stopbits=settings.stopbits if framed else 1,
        exclusive=True,
    )
    serial.open()
    return serial


def is_pseudo_terminal(port: str) -> bool:
    """Whether the port, behind its links, is a pseudo-terminal."""
    return Path(os.path.realpath(port)).parent == Path("/dev/pts")


def explain(error: BaseException) -> str:
    """Say what happened to a port, and what to do."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else getattr(error, "errno", None)
    match code:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return "no such port; is the adapter plugged in?"
        case errno.EACCES | errno.EPERM:
            return "not allowed; add your user to the group dialout and log in again"
        case errno.EBUSY | errno.EAGAIN:
            return "another program has this port; stop that program"
        case errno.EIO | errno.EBADF:
            return "the port is gone; is the adapter plugged in?"
        case errno.ENOTTY | errno.EINVAL:
            return f"this is no serial port, or it cannot do these settings ({error})"
        case _:
            return str(error) or type(error).__name__
