"""Sparkplug B payloads: what an edge node tells of itself and its devices, and the commands that it is given. No I/O.

Source: Eclipse Sparkplug 3.0.0, chapters 6.4 (payloads) and 5 (operation); the field numbers are those of its protocol
buffer schema (Eclipse Tahu, sparkplug_b.proto):

    Payload      1 timestamp  2 metrics  3 seq
    Metric       1 name  2 alias  3 timestamp  4 datatype  5 is_historical  7 is_null  9 properties
                 11 long_value  13 double_value  14 boolean_value
    PropertySet  1 keys  2 values
    PropertyValue  1 type  3 int_value  8 string_value

A node tells little, so this is written by hand: a library for protocol buffers would be larger than all of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wattbook.model.errors import Garbled

REBIRTH = "Node Control/Rebirth"
_BIRTH_DEATH = "bdSeq"
_INT32, _UINT64, _DOUBLE, _BOOLEAN, _STRING = 3, 8, 10, 11, 12  # data types
_BAD = 0  # value of the property "Quality": 0 bad, 192 good, 500 stale
_DOUBLE_BITS = struct.Struct("<d")
_SIZES = {1: 8, 5: 4}  # wire types of a fixed size
_HISTORICAL = b"\x28\x01"


@dataclass(frozen=True, slots=True)
class Metric:
    """A value that a device has. `alias` stands for its name once the birth has told both."""

    name: str
    alias: int
    unit: str


def encode_payload(timestamp_ms: int, metrics: Iterable[bytes], seq: int | None) -> bytes:
    """A whole payload; a death has no `seq`."""
    body = b"".join([b"\x12" + _varint(len(metric)) + metric for metric in metrics])
    return b"\x08" + _varint(timestamp_ms) + body + (b"" if seq is None else b"\x18" + _varint(seq))


def encode_births_and_deaths(number: int) -> bytes:
    """The metric by which a death is known to belong to a birth."""
    return _field(1, _BIRTH_DEATH.encode()) + b"\x20" + _varint(_UINT64) + b"\x58" + _varint(number)


def encode_controls(timestamp_ms: int) -> bytes:
    """The metric that says that this node can be asked to tell everything again."""
    return _field(1, REBIRTH.encode()) + b"\x18" + _varint(timestamp_ms) + b"\x20" + _varint(_BOOLEAN) + b"\x70\x00"


def encode_birth_metric(metric: Metric, timestamp_ms: int, value: float | None) -> bytes:
    """A metric as a birth tells it: name, alias, type, unit and the value that is known last, if any."""
    unit = _property("engUnit", b"\x08" + _varint(_STRING) + _field(8, metric.unit.encode())) if metric.unit else b""
    return b"".join(
        (
            _field(1, metric.name.encode()),
            b"\x10" + _varint(metric.alias),
            b"\x18" + _varint(timestamp_ms),
            b"\x20" + _varint(_DOUBLE),
            b"\x38\x01" if value is None else b"",
            unit,
            b"" if value is None else b"\x69" + _DOUBLE_BITS.pack(value),
        )
    )


def data_metric_head(alias: int) -> bytes:
    """What every value of a metric begins with."""
    return b"\x10" + _varint(alias)


def data_metric_middle(timestamp_ms: int, *, historical: bool) -> bytes:
    """What all values of one reading have in common."""
    return b"\x18" + _varint(timestamp_ms) + (_HISTORICAL if historical else b"")


def data_metric_value(value: float, *, suspect: bool) -> bytes:
    """The value itself; one in doubt is told to be of bad quality."""
    return (_SUSPECT if suspect else b"") + b"\x69" + _DOUBLE_BITS.pack(value)


def asks_for_rebirth(payload: bytes) -> bool:
    """Whether a command asks the node to tell everything again. Raises Garbled when it is no payload."""
    for number, metric in _fields(payload):
        if number == 2 and isinstance(metric, bytes):
            told = dict(_fields(metric))
            if told.get(1) == REBIRTH.encode() and told.get(14) == 1:
                return True
    return False


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and content: a number, or bytes."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _read_varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _read_varint(data, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise Garbled(f"no Sparkplug payload: a field of kind {kind}", offset=at)
        if at + size > len(data):
            raise Garbled("no Sparkplug payload: a field is longer than the whole", offset=at)
        yield number, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return value, at + place + 1
    raise Garbled("no Sparkplug payload: a number without an end", offset=at)


def _varint(value: int) -> bytes:
    """A number that is not negative, seven bits a byte."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _property(name: str, value: bytes) -> bytes:
    """One property of a metric."""
    return _field(9, _field(1, name.encode()) + _field(2, value))


_SUSPECT = _property("Quality", b"\x08" + _varint(_INT32) + b"\x18" + _varint(_BAD))
