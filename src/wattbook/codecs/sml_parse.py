"""The messages inside an SML frame: nested lists, of which only lists of values (GetList.Res) matter here.

A meter lays out every telegram like the one before. So a telegram is not read but looked through, once, for where its
values stand; those that follow are read at these places, if they differ in values and in what is ignored only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from wattbook.codecs.obis import DataSet
from wattbook.codecs.sml_layout import Layout, Number, Slot
from wattbook.codecs.sml_units import UNITS

_GET_LIST = 0x0701
_MESSAGE_FIELDS, _LIST_FIELDS, _ENTRY_FIELDS = 6, 7, 7
_DEPTH_MAX = 8  # lists in lists; SML has five
_INTEGER_SIZE_MAX = 8  # bytes
_SCALER_MAX = 18  # powers of ten either way; beyond is damage, not a meter
_OCTETS, _BOOL, _SIGNED, _UNSIGNED, _LIST = 0x00, 0x40, 0x50, 0x60, 0x70
_ERROR_WORD = "97.97.0"
_NAMES_CACHED = 1024  # a meter has some twenty

# Heads of one byte -> whether the number is signed (None = octets), and the size with the head.
_PLAIN: Mapping[int, tuple[bool | None, int]] = {
    kind | size: (signed, size)
    for kind, signed, size_max in ((_OCTETS, None, 15), (_SIGNED, True, 9), (_UNSIGNED, False, 9))
    for size in range(2, size_max + 1)
}

Element = None | bool | int | bytes | list["Element"]


class SmlError(ValueError):
    """The check is right and the content is not SML."""


def find_layout(body: bytes, unsigned_codes: frozenset[str]) -> Layout:
    """Find where the values of a frame's messages stand. Raises SmlError.

    `unsigned_codes` are C.D.E codes whose integers of one and two bytes are unsigned whatever their type says.
    """
    layout, at = Layout(body), 0
    try:
        while at < len(body):
            if body[at] == 0:  # end of message
                at += 1
                continue
            count, at = _list_head(body, at)
            if count != _MESSAGE_FIELDS:
                raise SmlError(f"a message of {count} fields at byte {at}")
            for _ in range(3):  # transaction, group, abort on error
                at = _passed_over(layout, at)
            _, at = _list_head(body, at)
            tag, at = _element(body, at)
            at = _value_list(layout, at, unsigned_codes) if tag == _GET_LIST else _passed_over(layout, at)
            at = _passed_over(layout, at)  # the message's own CRC: the frame's covers it
    except IndexError as error:
        raise SmlError("the messages end inside a value") from error
    return layout


def _value_list(layout: Layout, at: int, unsigned_codes: frozenset[str]) -> int:
    """Parse GetList.Res: client, server, list name, sensor time, values, signature, gateway time."""
    body = layout.body
    count, at = _list_head(body, at)
    if count != _LIST_FIELDS:
        raise SmlError(f"a list response of {count} fields")
    at = _passed_over(layout, at)
    server_id, at = _element(body, at)
    layout.server_id = server_id if isinstance(server_id, bytes) else b""
    for _ in range(2):
        at = _passed_over(layout, at)
    entry_count, at = _list_head(body, at)
    for _ in range(entry_count):
        at = _entry(layout, at, unsigned_codes)
    for _ in range(2):
        at = _passed_over(layout, at)
    return at


def _entry(layout: Layout, at: int, unsigned_codes: frozenset[str]) -> int:
    """Parse one value: name, status, time, unit, scaler, value, signature."""
    body = layout.body
    count, at = _list_head(body, at)
    name, at = _element(body, at)
    if count != _ENTRY_FIELDS or not isinstance(name, bytes) or len(name) != 6:
        raise SmlError(f"no entry of a value list at byte {at}")
    status, at = _element(body, at)
    at = _passed_over(layout, at)
    unit, at = _element(body, at)
    scaler, at = _element(body, at)
    head, start = body[at], _head(body, at)[-1]
    value, at = _element(body, at)
    code, short = _codes(name)
    unit_name = UNITS.get(unit, "") if isinstance(unit, int) else ""
    told = DataSet(code, "", unit_name, _hex(status) if status is not None else "")
    if isinstance(value, list):
        raise SmlError("a list where a value should be")
    if isinstance(value, bytes):
        layout.add(Slot(told, start, at))
    elif value is None:
        layout.add(Slot(told))
    else:
        power, is_word = scaler if isinstance(scaler, int) else 0, short == _ERROR_WORD
        if abs(power) > _SCALER_MAX and not is_word:
            raise SmlError(f"a scaler of {power}")
        corrected = short in unsigned_codes and head in (_SIGNED | 2, _SIGNED | 3)
        signed = head & _LIST == _SIGNED and not corrected
        number = Number(signed, power, is_word)
        if isinstance(value, bool):  # any byte but 0 is true
            layout.add(Slot(replace(told, text=number.text(int(value)))))
        else:
            layout.add(Slot(told, start, at, number))
    return _passed_over(layout, at)


@lru_cache(_NAMES_CACHED)
def _codes(name: bytes) -> tuple[str, str]:
    """A value's name in full and short."""
    a, b, c, d, e, f = name
    return f"{a}-{b}:{c}.{d}.{e}*{f}", f"{c}.{d}.{0 if e == 255 else e}"


def _hex(value: Element) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return f"{value:x}" if isinstance(value, int) else ""


def _list_head(body: bytes, at: int) -> tuple[int, int]:
    kind, size, at = _head(body, at)
    if kind != _LIST:
        raise SmlError(f"no list at byte {at}")
    return size, at


def _head(body: bytes, at: int) -> tuple[int, int, int]:
    """Type and length: of a list its elements, of everything else its bytes with the head."""
    head = body[at]
    kind, size, at = head & 0x70, head & 0x0F, at + 1
    while head & 0x80:
        head = body[at]
        size, at = size << 4 | head & 0x0F, at + 1
        if size > len(body):
            raise SmlError(f"a length of {size} at byte {at}")
    return kind, size, at


def _element(body: bytes, at: int, depth: int = 0) -> tuple[Element, int]:
    start, head = at, body[at]
    if head == 0x01:
        return None, at + 1
    if plain := _PLAIN.get(head):  # nearly all there are
        signed, size = plain
        if at + size <= len(body):
            content = body[at + 1 : at + size]
            return (content if signed is None else int.from_bytes(content, "big", signed=signed)), at + size
    kind, size, at = _head(body, at)
    if kind == _LIST:
        if depth == _DEPTH_MAX:
            raise SmlError(f"lists nested deeper than {_DEPTH_MAX}")
        items = []
        for _ in range(size):
            item, at = _element(body, at, depth + 1)
            items.append(item)
        return items, at
    end = start + size
    if (end <= at and kind != _OCTETS) or end < at or end > len(body):
        raise SmlError(f"a value at byte {start} that does not fit")
    content = body[at:end]
    if kind == _OCTETS:
        return content, end
    if kind in (_SIGNED, _UNSIGNED):
        if len(content) > _INTEGER_SIZE_MAX:
            raise SmlError(f"a number of {len(content)} bytes")
        return int.from_bytes(content, "big", signed=kind == _SIGNED), end
    if kind == _BOOL:
        return content != b"\0", end
    raise SmlError(f"type {kind:#04x} at byte {start}")


def _passed_over(layout: Layout, at: int) -> int:
    """Return where an element ends that means nothing to us; in another telegram it may hold something else."""
    start, (value, end) = at, _element(layout.body, at)
    if layout.body[start] in _PLAIN:  # nearly all there are
        layout.loosen(start + 1, end)
        return end
    kind, _, at = _head(layout.body, start)
    if kind == _LIST and isinstance(value, list):
        for _ in value:
            at = _passed_over(layout, at)
    elif value is not None:
        layout.loosen(at, end)
    return end
