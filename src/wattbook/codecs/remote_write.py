"""Prometheus remote write 1.0: a `WriteRequest` in protocol buffers (snappy packs it). No I/O.

    WriteRequest { repeated TimeSeries timeseries = 1 }
    TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2 }
    Label        { string name = 1; string value = 2 }                        sorted by name
    Sample       { double value = 1; int64 timestamp = 2 }                    in the order of time, ms since 1970

Source: https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from math import isnan

from wattbook.codecs.protobuf import bytes_field, varint

_SIX_BYTES = range(1 << 35, 1 << 42)  # instants from 1971 to 2109: a varint of 6 bytes
_SAMPLE = b"\x12\x10\x09" + 8 * b"\0" + b"\x10" + 6 * b"\0"  # field 2, 16 bytes: a double, and such a varint
_VALUE_AT, _INSTANT_AT = 3, 12
_FEW = 16  # samples that are joined one by one; more are laid into place


def encode_labels(labels: Mapping[str, str]) -> bytes:
    """The labels of a series; an empty one is none."""
    return b"".join(
        bytes_field(1, bytes_field(1, name.encode()) + bytes_field(2, text.encode()))
        for name, text in sorted(labels.items())
        if text
    )


def encode_instants(at_ms: Sequence[int]) -> list[bytes]:
    """Each as its varint."""
    return [
        bytes(
            (
                at & 0x7F | 0x80, at >> 7 & 0x7F | 0x80, at >> 14 & 0x7F | 0x80, at >> 21 & 0x7F | 0x80,
                at >> 28 & 0x7F | 0x80, at >> 35,
            )
        )
        if at in _SIX_BYTES
        else varint(at)
        for at in at_ms
    ]  # fmt: skip


def encode_series(labels: bytes, values: array[float], instants: Sequence[bytes]) -> bytes:
    """One TimeSeries of a request. NaN is no sample; no sample is no series."""
    if isnan(sum(values)):  # also of two infinities, which stay
        there = [row for row, value in enumerate(values) if value == value]
        values, instants = array("d", [values[row] for row in there]), [instants[row] for row in there]
    if not values:
        return b""
    return bytes_field(1, labels + _samples(values, instants))


def _samples(values: array[float], instants: Sequence[bytes]) -> bytes:
    raw = _little_endian(values)
    if len(values) <= _FEW or any(len(instant) != 6 for instant in instants):
        return b"".join(
            b"\x12%c\x09%b\x10%b" % (10 + len(instant), raw[8 * row : 8 * row + 8], instant)
            for row, instant in enumerate(instants)
        )
    # All samples have one size: each byte of it goes to its place in all of them at once.
    size, told = len(_SAMPLE), b"".join(instants)
    laid = bytearray(_SAMPLE * len(values))
    for byte in range(8):
        laid[_VALUE_AT + byte :: size] = raw[byte::8]
    for byte in range(6):
        laid[_INSTANT_AT + byte :: size] = told[byte::6]
    return bytes(laid)


def _little_endian(values: array[float]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()
