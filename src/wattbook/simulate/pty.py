"""A port on a pseudo-terminal, behind a symbolic link that stays when the terminal changes, like a USB adapter's."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty
from pathlib import Path

from wattbook.model.errors import ConfigError
from wattbook.profiles import SerialSettings
from wattbook.simulate.port import garbage

_READ_MAX = 4096  # bytes; the terminal's own buffer
_BAUDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}
_CODES = {baud: code for code, baud in _BAUDS.items()}
_INPUT_SPEED, _OUTPUT_SPEED = 4, 5  # places in what tcgetattr returns


class PtyPort:
    """One end of a pseudo-terminal. The speed that the reader sets is seen; parity and bits are not: it has none."""

    def __init__(self, link: Path, serial: SerialSettings) -> None:
        self._link, self._serial = link, serial
        self._master = -1
        self._terminal = ""
        self._poll = select.poll()
        self._reader = False  # whether one has the port open
        self._baud_seen = 0  # when the meters spoke last

    @property
    def address(self) -> str:
        """The link: what a reader opens."""
        return str(self._link)

    def plug(self) -> None:
        """Make a new terminal and let the link point to it. Raises ConfigError when something else stands there."""
        if self._link.exists() and not self._link.is_symlink():
            raise ConfigError(
                "something that is no simulated port has this name; name another port", place=self.address
            )
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        tty.setraw(slave)
        modes = termios.tcgetattr(slave)
        modes[_INPUT_SPEED] = modes[_OUTPUT_SPEED] = _CODES.get(self._serial.baud, termios.B9600)
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self._terminal = os.ttyname(slave)
        os.close(slave)  # else nobody would notice a reader come and go
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self._reader = False
        try:
            self._link.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._link.with_name(f"{self._link.name}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self._terminal)
            fresh.replace(self._link)  # at once: a reader never sees the name without a terminal
        except OSError as error:
            os.close(self._master)
            self._master = -1
            raise ConfigError(
                f"cannot make this port: {error.strerror}; name another folder", place=self.address
            ) from error

    def unplug(self) -> None:
        """Remove the link, if it is still ours, and the terminal."""
        if self._master < 0:
            return
        if self._link.is_symlink() and str(self._link.readlink()) == self._terminal:
            self._link.unlink()
        os.close(self._master)
        self._master = -1

    def watch(self) -> int | None:
        """The terminal while a reader has it open. One that left finds nothing old when it returns."""
        if self._master < 0:
            return None
        present = not any(event & select.POLLHUP for _, event in self._poll.poll(0))
        if self._reader and not present:
            self._forget()
        self._reader = present
        return self._master if present else None

    def read(self) -> bytes:
        """What the reader wrote."""
        try:
            return os.read(self._master, _READ_MAX)
        except BlockingIOError:
            return b""
        except OSError:  # EIO: the reader has closed the port
            return b""

    def write(self, data: bytes) -> None:
        """Hand bytes over; what does not fit the terminal's buffer is lost, as in a full UART."""
        if self.watch() is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)

    def to_reader(self, data: bytes, meter: SerialSettings) -> bytes:
        """The same bytes when the reader has the meter's speed, else as many that mean nothing."""
        self._baud_seen = self._baud()
        return data if self._baud_seen == meter.baud else garbage(data)

    def to_meter(self, data: bytes, meter: SerialSettings) -> bytes:
        """The same bytes when they were sent at the meter's speed.

        A reader may change its speed right behind its last byte, because a terminal drains at once: the speed it had
        when the meter spoke last counts too.
        """
        return data if meter.baud in (self._baud(), self._baud_seen) else garbage(data)

    def _baud(self) -> int:
        return _BAUDS.get(termios.tcgetattr(self._master)[_OUTPUT_SPEED], 0)

    def _forget(self) -> None:
        """Drop what nobody read: bytes that come while a real port is closed are gone."""
        try:
            slave = os.open(self._terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:  # the reader had asked for it exclusively, and back already; what is old reaches it
            return
        try:
            termios.tcflush(slave, termios.TCIFLUSH)
        finally:
            os.close(slave)
