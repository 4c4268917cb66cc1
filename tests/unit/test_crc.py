"""The check values of the CRC catalogue (reveng), and the quick way against the plain one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.crc import crc_arc, crc_kermit, crc_x25


def test_check_values() -> None:
    assert crc_x25(b"123456789") == 0x906E
    assert crc_kermit(b"123456789") == 0x2189
    assert crc_arc(b"123456789") == 0xBB3D
    assert (crc_x25(b""), crc_kermit(b""), crc_arc(b"")) == (0, 0, 0)


def _plain(data: bytes, polynomial: int, start: int) -> int:
    crc = start
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ polynomial if crc & 1 else crc >> 1
    return crc


@given(st.binary(max_size=100))
def test_bit_by_bit_comes_to_the_same(data: bytes) -> None:
    assert crc_x25(data) == _plain(data, 0x8408, 0xFFFF) ^ 0xFFFF
    assert crc_kermit(data) == _plain(data, 0x8408, 0)
    assert crc_arc(data) == _plain(data, 0xA001, 0)
