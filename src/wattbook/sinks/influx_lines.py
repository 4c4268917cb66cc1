"""Line protocol: readings as `measurement,tag=value field=value,field=value milliseconds`, a meter's columns at once.

All versions of InfluxDB read it. A series is its measurement and tags; a point is a series and an instant, and fields
written to a point that is there are added to it or replace what it had. So the same reading twice is stored once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import json

from wattbook.model import Columns
from wattbook.model.template import Cells, Template

_ABSENT = b"null"  # how the encoder writes NaN, infinity (which InfluxDB cannot hold) and None
_SPECIAL = re.compile(r"([,= ])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LOOSE_BACKSLASH = re.compile(r"\\(?=[,= ]|$)")  # it would escape what comes behind it
_encode = json.Encoder().encode

LeftOut = frozenset[tuple[str, str]]  # (measurement, field) that the server refuses
NOTHING: LeftOut = frozenset()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a meter's lines."""

    name: str
    template: Template
    quantity: str  # that the template is filled with, where it names a single value
    measured: bool  # names a quantity: a line needs one such field
    number: bool  # fills as numbers
    whole: bool  # is an integer over there
    raw: str = ""  # the quantity whose column is the field as it stands

    def cells(self, columns: Columns) -> Cells:
        """One for each row; None or NaN = absent."""
        return columns.values[self.raw] if self.raw else self.template.cells(columns, self.quantity)


@dataclass(frozen=True, slots=True)
class Series:
    """Lines of one series: what they begin with, their fields, and what stands before each field's value."""

    measurement: str
    start: bytes
    fields: tuple[Field, ...]
    names: tuple[bytes, ...]
    full: bool  # every field is measured

    def without(self, left_out: LeftOut) -> Series:
        """The same, but for these fields."""
        there = tuple(each for each in self.fields if (self.measurement, each.name) not in left_out)
        return make_series(self.measurement, self.start, there)


def make_series(measurement: str, start: bytes, fields: tuple[Field, ...]) -> Series:
    """`start` is the measurement and tags, escaped."""
    names = tuple(f"{escaped_key(each.name)}=".encode() for each in fields)
    return Series(measurement, start, fields, names, all(each.measured for each in fields))


def encode_series(series: Series, columns: Columns) -> bytes:
    """The lines of one meter's readings (at least one), each with its end."""
    if not any(each.measured for each in series.fields):
        return b""
    cells, absent = _cells(series.fields, columns)
    if absent or not series.full:
        return _row_by_row(series, cells, len(columns))
    # Every row looks the same: its constant parts and its cells in turn, joined in one pass.
    heads = [b"\n" + series.start + b" " + series.names[0], *[b"," + name for name in series.names[1:]], b" "]
    pieces = [b""] * (2 * len(cells))
    pieces[0::2] = heads * len(columns)
    pieces[1::2] = cells
    return b"".join(pieces)[1:] + b"\n"


def _cells(fields: Sequence[Field], columns: Columns) -> tuple[list[bytes], bool]:
    """Everything between the constant parts, row after row with the instant last; and whether something is absent."""
    width, rows = len(fields) + 1, len(columns)
    flat: list[object] = [0] * (width * rows)
    texts: dict[int, list[bytes]] = {}
    for at, each in enumerate(fields):
        if each.number and not each.whole:
            flat[at::width] = each.cells(columns)
        else:
            texts[at] = [_whole(cell) if each.whole else _text(cell) for cell in each.cells(columns)]
    flat[width - 1 :: width] = columns.at_ms
    encoded = _encode(flat)
    cells = encoded[1:-1].split(b",")
    for at, filled in texts.items():
        cells[at::width] = filled
    return cells, _ABSENT in encoded or any(_ABSENT in filled for filled in texts.values())


def _row_by_row(series: Series, cells: Sequence[bytes], rows: int) -> bytes:
    """Rows that lack fields, and are left out when they have no measured one."""
    width = len(series.fields) + 1
    measured = [at for at, each in enumerate(series.fields) if each.measured]
    lines = []
    for row in range(0, rows * width, width):
        told = cells[row : row + width - 1]
        if any(told[at] != _ABSENT for at in measured):
            there = [name + cell for name, cell in zip(series.names, told, strict=True) if cell != _ABSENT]
            lines.append(b"%s %s %s\n" % (series.start, b",".join(there), cells[row + width - 1]))
    return b"".join(lines)


def _whole(cell: object) -> bytes:
    if not isinstance(cell, float | int) or cell != cell or abs(cell) >= 2**63:
        return _ABSENT
    return b"%di" % round(cell)


def _text(cell: object) -> bytes:
    match cell:
        case None:
            return _ABSENT
        case int():
            return b"%di" % cell
        case float():
            return _encode(cell)
        case _:
            escaped = str(cell).replace("\\", "\\\\").replace('"', '\\"')
            return b'"%s"' % _CONTROL.sub(" ", escaped).encode()


def escaped_key(text: str, special: str = " ,=") -> str:
    """A measurement, tag or field name as the protocol wants it. Line ends have no escape there."""
    plain = _LOOSE_BACKSLASH.sub("/", _CONTROL.sub(" ", text))
    return _SPECIAL.sub(lambda match: ("\\" if match[0] in special else "") + match[0], plain)
