"""Cyclic checks of the meter formats, 16 bits each.

X-25 and Kermit go through `binascii.crc_hqx` (the same polynomial, 0x1021, unreflected) on bit-reversed bytes: about
2 µs for a telegram instead of 60 µs for a loop in Python.
"""

from __future__ import annotations

from binascii import crc_hqx

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc_x25(data: bytes | bytearray) -> int:
    """CRC-16/X-25 (ISO/IEC 13239), as SML uses it: crc_x25(b"123456789") is 0x906E."""
    return _reversed_16(crc_hqx(data.translate(_REVERSED), 0xFFFF)) ^ 0xFFFF


def crc_kermit(data: bytes | bytearray) -> int:
    """CRC-16/KERMIT: crc_kermit(b"123456789") is 0x2189."""
    return _reversed_16(crc_hqx(data.translate(_REVERSED), 0))


def crc_arc(data: bytes | bytearray) -> int:
    """CRC-16/ARC, as DSMR P1 uses it from `/` to `!`: crc_arc(b"123456789") is 0xBB3D."""
    crc = 0
    for byte in data:
        crc = (crc >> 8) ^ _ARC[(crc ^ byte) & 0xFF]
    return crc


def crc_modbus(data: bytes | memoryview) -> int:
    """CRC-16/MODBUS: crc_modbus(b"123456789") is 0x4B37; 0 over a frame that ends with its own right CRC."""
    crc, table = 0xFFFF, _ARC  # the same polynomial as ARC, another start; a frame has ten bytes, so a loop will do
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc


def _reversed_16(word: int) -> int:
    return _REVERSED[word & 0xFF] << 8 | _REVERSED[word >> 8]


def _arc_entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_ARC = tuple(_arc_entry(byte) for byte in range(256))
