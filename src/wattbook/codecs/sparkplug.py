"""Sparkplug B payloads: what an edge node tells of itself and its devices, and the commands that it is given. No I/O.

Source: Eclipse Sparkplug 3.0.0, chapters 6.4 (payloads) and 5 (operation); the field numbers are those of its protocol
buffer schema (Eclipse Tahu, sparkplug_b.proto):

    Payload      1 timestamp  2 metrics  3 seq
    Metric       1 name  2 alias  3 timestamp  4 datatype  5 is_historical  7 is_null  9 properties
                 11 long_value  13 double_value  14 boolean_value
    PropertySet  1 keys  2 values
    PropertyValue  1 type  3 int_value  8 string_value
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from wattbook.codecs.protobuf import bytes_field, number_field, parse_fields

REBIRTH = "Node Control/Rebirth"
_BIRTH_DEATH = "bdSeq"
_INT32, _UINT64, _DOUBLE, _BOOLEAN, _STRING = 3, 8, 10, 11, 12  # data types
_BAD = 0  # value of the property "Quality": 0 bad, 192 good, 500 stale
_DOUBLE_BITS = struct.Struct("<d")
_DOUBLE_TAG = b"\x69"  # field 13: 8 bytes, the lowest first
_HISTORICAL = number_field(5, 1)


@dataclass(frozen=True, slots=True)
class Metric:
    """A value that a device has. `alias` stands for its name once the birth has told both."""

    name: str
    alias: int
    unit: str


def encode_payload(timestamp_ms: int, metrics: Iterable[bytes], seq: int | None) -> bytes:
    """A whole payload; a death has no `seq`."""
    body = b"".join([bytes_field(2, metric) for metric in metrics])
    return number_field(1, timestamp_ms) + body + (b"" if seq is None else number_field(3, seq))


def encode_births_and_deaths(number: int) -> bytes:
    """The metric by which a death is known to belong to a birth."""
    return bytes_field(1, _BIRTH_DEATH.encode()) + number_field(4, _UINT64) + number_field(11, number)


def encode_controls(timestamp_ms: int) -> bytes:
    """The metric that says that this node can be asked to tell everything again."""
    kind = number_field(4, _BOOLEAN) + number_field(14, 0)
    return bytes_field(1, REBIRTH.encode()) + number_field(3, timestamp_ms) + kind


def encode_birth_metric(metric: Metric, timestamp_ms: int, value: float | None) -> bytes:
    """A metric as a birth tells it: name, alias, type, unit and the value that is known last, if any."""
    unit = _property("engUnit", number_field(1, _STRING) + bytes_field(8, metric.unit.encode())) if metric.unit else b""
    return b"".join(
        (
            bytes_field(1, metric.name.encode()),
            number_field(2, metric.alias),
            number_field(3, timestamp_ms),
            number_field(4, _DOUBLE),
            number_field(7, 1) if value is None else b"",
            unit,
            b"" if value is None else _DOUBLE_TAG + _DOUBLE_BITS.pack(value),
        )
    )


def data_metric_head(alias: int) -> bytes:
    """What every value of a metric begins with."""
    return number_field(2, alias)


def data_metric_middle(timestamp_ms: int, *, historical: bool) -> bytes:
    """What all values of one reading have in common."""
    return number_field(3, timestamp_ms) + (_HISTORICAL if historical else b"")


def data_metric_value(value: float, *, suspect: bool) -> bytes:
    """The value itself; one in doubt is told to be of bad quality."""
    return (_SUSPECT if suspect else b"") + _DOUBLE_TAG + _DOUBLE_BITS.pack(value)


def asks_for_rebirth(payload: bytes) -> bool:
    """Whether a command asks the node to tell everything again. Raises Garbled when it is no payload."""
    for number, metric in parse_fields(payload):
        if number == 2 and isinstance(metric, bytes):
            told = dict(parse_fields(metric))
            if told.get(1) == REBIRTH.encode() and told.get(14) == 1:
                return True
    return False


def _property(name: str, value: bytes) -> bytes:
    """One property of a metric."""
    return bytes_field(9, bytes_field(1, name.encode()) + bytes_field(2, value))


_SUSPECT = _property("Quality", number_field(1, _INT32) + number_field(3, _BAD))
