"""What moves bytes to and from one line."""

from __future__ import annotations

from typing import Protocol

from wattbook.model.errors import Unreachable
from wattbook.profiles.profile import SerialSettings


class LinkLost(Unreachable):
    """The line itself cannot be reached: no port, no connection, pulled out. All its meters are away with it."""


class Link(Protocol):
    """An open line. Every method raises LinkLost when the line is gone; then only `close` may follow."""

    character_s: float  # seconds one character takes on the wire at the present speed

    def write(self, data: bytes) -> None:
        """Hand the bytes to the line; returns before they are through."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """Return what is there, waiting at most `timeout_s` for the first of it; b"" = silence."""
        ...

    def set_baud(self, baud: int) -> None:
        """Change the speed, after what was written has left; bits and parity stay."""
        ...

    def close(self) -> None:
        """Give the line back. Never raises, may be called twice."""
        ...


def faster(settings: SerialSettings, baud: int) -> SerialSettings:
    """The same characters at another speed."""
    return SerialSettings(baud=baud, bits=settings.bits, parity=settings.parity, stopbits=settings.stopbits)
