"""SML telegrams as meters send them (SML 1.04), for the simulator and tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from wattbook.codecs.crc import crc_kermit, crc_x25
from wattbook.codecs.obis import DataSet, parse_obis
from wattbook.codecs.sml_units import UNIT_CODES

ESCAPE = b"\x1b\x1b\x1b\x1b"
START = ESCAPE + b"\x01\x01\x01\x01"
_OPEN, _CLOSE, _GET_LIST = 0x0101, 0x0201, 0x0701
_ABSENT = b"\x01"


def encode_telegram(
    server_id: bytes,
    data_sets: Iterable[DataSet],
    *,
    counter: int = 0,
    sensor_time_s: int = 0,
    crc: Literal["x25", "kermit"] = "x25",
) -> bytes:
    """Write one transport frame: open response, list of values, close response.

    `server_id` is the meter's own id (10 bytes as a rule), `counter` numbers the telegrams, `sensor_time_s` is the
    meter's seconds index. Numbers keep their decimals: 502853.0 Wh goes as 5028530 with scaler -1. Texts that are no
    numbers go as octets, hexadecimal ones decoded. Raises ValueError for a code or unit that SML cannot write.
    """
    entries = [_entry(data_set) for data_set in data_sets]
    seconds = _list(_unsigned(1, 1), _unsigned(sensor_time_s, 4))
    file_id = _octets(counter.to_bytes(4, "big"))
    list_name = _octets(bytes.fromhex("0100620affff"))
    values = _list(_ABSENT, _octets(server_id), list_name, seconds, _list(*entries), _ABSENT, _ABSENT)
    opening = _list(_ABSENT, _ABSENT, file_id, _octets(server_id), _ABSENT, _ABSENT)
    body = b"".join(
        _message(counter, number, tag, content, crc)
        for number, (tag, content) in enumerate(
            [(_OPEN, opening), (_GET_LIST, values), (_CLOSE, _list(_ABSENT))], start=1
        )
    )
    return frame(body, crc)


def frame(body: bytes, crc: Literal["x25", "kermit"] = "x25") -> bytes:
    """Put SML messages into a transport frame: escapes, fill bytes, CRC."""
    fill = -len(body) % 4
    framed = START + body.replace(ESCAPE, ESCAPE + ESCAPE) + bytes(fill) + ESCAPE + b"\x1a" + bytes([fill])
    return framed + check(framed, crc)


def check(framed: bytes | bytearray, crc: Literal["x25", "kermit"]) -> bytes:
    """The two check bytes: X-25 goes low byte first, the Kermit of some meters high byte first."""
    if crc == "x25":
        return crc_x25(framed).to_bytes(2, "little")
    return crc_kermit(framed).to_bytes(2, "big")


def _message(counter: int, number: int, tag: int, content: bytes, crc: Literal["x25", "kermit"]) -> bytes:
    transaction = _octets(counter.to_bytes(4, "big") + bytes([number]))
    choice = _list(_unsigned(tag, 4), content)
    head = b"\x76" + transaction + _unsigned(number, 1) + _unsigned(0, 1) + choice
    return head + b"\x63" + check(head, crc) + b"\x00"


def _entry(data_set: DataSet) -> bytes:
    obis = parse_obis(data_set.code)
    if obis is None:
        raise ValueError(f'"{data_set.code}" is no OBIS code')
    name = bytes(
        (1 if obis.a is None else obis.a, obis.b or 0, obis.c, obis.d, obis.e, 255 if obis.f is None else obis.f)
    )
    status = _unsigned(int(data_set.status, 16), 4) if data_set.status else _ABSENT
    if not data_set.unit:
        return _list(_octets(name), status, _ABSENT, _ABSENT, _ABSENT, _octets(_raw(data_set.text)), _ABSENT)
    if data_set.unit not in UNIT_CODES:
        raise ValueError(f'SML knows no unit "{data_set.unit}"; it takes {", ".join(UNIT_CODES)}')
    whole, _, fraction = data_set.text.partition(".")
    number, exponent = int(whole + fraction), -len(fraction)
    unit = _unsigned(UNIT_CODES[data_set.unit], 1)
    return _list(_octets(name), status, _ABSENT, unit, _signed(exponent, 1), _number(number), _ABSENT)


def _raw(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode("ascii")


def _number(number: int) -> bytes:
    return _signed(number, 4 if -(2**31) <= number < 2**31 else 8)


def _signed(number: int, size: int) -> bytes:
    return bytes([0x50 | size + 1]) + number.to_bytes(size, "big", signed=True)


def _unsigned(number: int, size: int) -> bytes:
    return bytes([0x60 | size + 1]) + number.to_bytes(size, "big")


def _octets(data: bytes) -> bytes:
    """Type and length in one byte, or two where the length needs more than four bits."""
    if len(data) < 15:
        return bytes([len(data) + 1]) + data
    size = len(data) + 2
    if size > 0xFF:
        raise ValueError("no meter sends texts of more than 253 bytes")
    return bytes([0x80 | size >> 4, size & 0x0F]) + data


def _list(*items: bytes) -> bytes:
    if len(items) < 16:
        return bytes([0x70 | len(items)]) + b"".join(items)
    if len(items) > 0xFF:
        raise ValueError("no meter sends lists of more than 255 values")
    return bytes([0xF0 | len(items) >> 4, len(items) & 0x0F]) + b"".join(items)
