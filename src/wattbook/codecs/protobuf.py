"""Protocol buffers: numbers and fields as bytes. No I/O.

Source: https://protobuf.dev/programming-guides/encoding/. What we send is little and is known, so each codec writes its
fields by hand: a library would be larger than all of them. A field is a tag (its number and the kind of its content)
and the content: a varint (seven bits a byte, the lowest first), 8 or 4 bytes, or a size and as many bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from wattbook.model.errors import Garbled

_VARINT, _BYTES = 0, 2  # kinds of content
_SIZES = {1: 8, 5: 4}  # bytes of the kinds of a fixed size
_VARINT_SIZE_MAX = 10  # of 64 bits


def varint(number: int) -> bytes:
    """A number of 64 bits; a negative one as its two's complement."""
    number &= (1 << 64) - 1
    raw = bytearray()
    while number > 0x7F:
        raw.append(number & 0x7F | 0x80)
        number >>= 7
    raw.append(number)
    return bytes(raw)


def number_field(number: int, content: int) -> bytes:
    """A field that is a varint. Its number is 15 at most, as of all that we send: such a tag is one byte."""
    return bytes((number << 3 | _VARINT,)) + varint(content)


def bytes_field(number: int, content: bytes) -> bytes:
    """A field that is a text in UTF-8, bytes or a message. Its number is 15 at most."""
    return bytes((number << 3 | _BYTES,)) + varint(len(content)) + content


def parse_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and content of each field: a varint as a number, all else as bytes. Raises Garbled."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _read_varint(message, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise Garbled(f"no protocol buffer: a field of kind {kind}", offset=at)
        if at + size > len(message):
            raise Garbled("no protocol buffer: a field is longer than the whole", offset=at)
        yield number, message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(message[at : at + _VARINT_SIZE_MAX]):
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return value, at + place + 1
    raise Garbled("no protocol buffer: a number without an end", offset=at)
