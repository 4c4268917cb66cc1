"""The near end of a simulated line: where the reader's bytes come in and the meters' go out."""

from __future__ import annotations

import random
from typing import Protocol
from zlib import crc32

from wattbook.profiles import SerialSettings

_SEED = 0x6D65746572  # garbage is the same in every run


class Port(Protocol):
    """A pseudo-terminal or a socket. Used by the line's thread alone."""

    @property
    def address(self) -> str:
        """What a reader opens."""
        ...

    def plug(self) -> None:
        """Appear. Raises ConfigError when the place is taken."""
        ...

    def unplug(self) -> None:
        """Vanish, as a pulled adapter does."""
        ...

    def watch(self) -> int | None:
        """The descriptor that becomes readable next; None while no reader is there."""
        ...

    def read(self) -> bytes:
        """What the reader wrote; empty when it only came or went."""
        ...

    def write(self, data: bytes) -> None:
        """Hand bytes to the reader. Without one, or with one that does not read, they are lost, as on a wire."""
        ...

    def to_reader(self, data: bytes, meter: SerialSettings) -> bytes:
        """What the reader's port makes of bytes that a meter sent with these settings."""
        ...

    def to_meter(self, data: bytes, meter: SerialSettings) -> bytes:
        """What a meter with these settings makes of bytes that the reader sent."""
        ...


def recode(data: bytes, sent: SerialSettings, heard: SerialSettings) -> bytes:
    """What a receiver makes of bytes that were sent with other settings.

    Equal speed and as many bits between start and stop: the bits are taken as they are, so 7E1 heard as 8N1 shows
    its parity as the eighth bit, and what fails the receiver's parity check is dropped. Anything else is garbage.
    """
    if sent.baud != heard.baud or _bits(sent) != _bits(heard):
        return garbage(data)
    if (sent.bits, sent.parity) == (heard.bits, heard.parity):
        return data
    return bytes(
        byte & _mask(heard)
        for byte in (with_parity(byte, sent) for byte in data)
        if with_parity(byte & _mask(heard), heard) == byte
    )


def with_parity(byte: int, serial: SerialSettings) -> int:
    """The bits between start and stop as a number, the parity bit on top."""
    byte &= _mask(serial)
    if serial.parity == "none":
        return byte
    odd = byte.bit_count() & 1
    return byte | (odd ^ (serial.parity == "odd")) << serial.bits


def garbage(data: bytes) -> bytes:
    """As many bytes that mean nothing."""
    return random.Random(_SEED ^ crc32(data)).randbytes(len(data))  # noqa: S311 - reproducible on purpose


def _bits(serial: SerialSettings) -> int:
    return serial.bits + (serial.parity != "none")


def _mask(serial: SerialSettings) -> int:
    return (1 << serial.bits) - 1
