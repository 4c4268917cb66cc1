"""THE JSON of a reading, both ways: what the command line prints, HTTP answers and takes, and streams carry.

    {"meter":"main-a","at":"2026-11-21T01:02:03.000Z","values":{"voltage":230.1},"quality":"good"}

Values are in base units. `doubt` (value name -> quality) and `site` stand only where they say something.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from wattbook.model import Quality, Reading, Readings, UnknownQuantity, WattbookError, quantity
from wattbook.model.batch import NO_DOUBT, QUALITY_OF, Columns
from wattbook.model.exact import EXACT_MAX, plain_number
from wattbook.model.instant_pattern import iso
from wattbook.model.nearest import did_you_mean
from wattbook.model.reading import EMPTY
from wattbook.model.vocabulary import all_names

NAME_SIZE_MAX = 100  # characters of a meter's or site's name
VALUES_MAX = 64  # in one reading; the largest meter of the profiles has some fifty

_KEYS = ("meter", "at", "values", "quality", "doubt", "site")
_KNOWN = frozenset(all_names())
_PLACE = re.compile(r" - at `(?:\$\[(\d+)\])?\$?(.*)`$")
_TOO_MUCH = re.compile(r"^Expected `float` [<>]|^Number out of range")
_UNKNOWN_KEY = re.compile(r"unknown field `(.*?)`")


class BadReading(WattbookError):
    """What was sent is no reading. `row` counts from 1; 0 = the whole."""

    def __init__(self, message: str, *, row: int = 0) -> None:
        super().__init__(f"reading {row}: {message}" if row else message)
        self.row = row


_Value = Annotated[float, msgspec.Meta(ge=-EXACT_MAX, le=EXACT_MAX)]  # a whole number beyond would be rounded


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    meter: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_SIZE_MAX)]
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    values: Annotated[dict[str, _Value], msgspec.Meta(min_length=1, max_length=VALUES_MAX)]
    quality: Quality = Quality.GOOD
    doubt: Annotated[dict[str, Quality], msgspec.Meta(max_length=VALUES_MAX)] | None = None
    site: Annotated[str, msgspec.Meta(max_length=NAME_SIZE_MAX)] = ""


_one = msgspec.json.Decoder(_Row)
_many = msgspec.json.Decoder(list[_Row])
_encode = msgspec.json.Encoder().encode


def encode(reading: Reading) -> bytes:
    """One reading as one line without its end."""
    document: dict[str, object] = {
        "meter": reading.meter,
        "at": format_instant(reading.at),
        "values": {name: plain_number(value) for name, value in reading.values.items()},
        "quality": reading.quality,
    }
    if reading.doubt:
        document["doubt"] = dict(reading.doubt)
    if reading.site:
        document["site"] = reading.site
    return _encode(document)


def encode_columns(columns: Columns, site: str = "") -> list[bytes]:
    """Every row of one meter as `encode` writes it; `site` stands in for the book's own.

    A row without any value is written too, with no values in it.
    """
    names, site = tuple(columns.values), columns.site or site
    rows = zip(*columns.values.values(), strict=True) if names else ((),) * len(columns)
    doubts = list(columns.doubt.items())
    encoded = []
    for row, (at, values) in enumerate(zip(iso(columns.at_ms), rows, strict=True)):
        document: dict[str, object] = {
            "meter": columns.meter,
            "at": at,
            "values": {name: plain_number(value) for name, value in zip(names, values, strict=True) if value == value},
            "quality": QUALITY_OF[columns.quality[row]],
        }
        if doubt := {name: QUALITY_OF[codes[row]] for name, codes in doubts if codes[row] != NO_DOUBT}:
            document["doubt"] = doubt
        if site:
            document["site"] = site
        encoded.append(_encode(document))
    return encoded


def format_instant(at: datetime) -> str:
    """An aware instant as 2026-11-21T01:02:03.000Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def cut_instant(at: datetime) -> datetime:
    """An aware instant in UTC, cut to the millisecond. Raises ValueError when UTC has no such year."""
    try:
        at = at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("beyond the calendar") from error
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def decode_many(body: bytes) -> list[Reading]:
    """Decode one object, an array of them, or one a line (NDJSON). Raises BadReading for the first bad one.

    Instants need an offset and are cut to the millisecond. Unknown names, NaN and infinity are errors.
    """
    return list(decode_columns(body))


def decode_columns(body: bytes) -> Readings:
    """The same as columns, in half the time: an object for each of thousands of readings costs as much as parsing."""
    rows = _rows(body)
    told = Readings(
        [row.meter for row in rows],
        [row.at for row in rows],
        [row.values for row in rows],
        [row.quality for row in rows],
        [row.doubt or EMPTY for row in rows],
        [row.site for row in rows],
    )
    usual = all(_KNOWN.issuperset(form.names) for form in told.alike()) and not any(told.doubt)
    if usual and all(at.tzinfo is UTC and not at.microsecond % 1000 for at in told.at):
        return told
    instants = []
    for number, row in enumerate(rows, 1):
        if not row.values.keys() <= _KNOWN:
            _check_names(row.values, number)
        instants.append(_instant(row.at, number))
        if row.doubt:
            _check_doubt(row.doubt, row.values, number)
    return replace(told, at=instants)


def _rows(body: bytes) -> Sequence[_Row]:
    text = body.strip()
    try:
        if text.startswith(b"["):
            return _many.decode(text)
        first_line = text.partition(b"\n")[0].rstrip()
        if first_line.endswith(b"}") and len(first_line) < len(text):
            return _one.decode_lines(text)
        return [_one.decode(text)]
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReading(f"no JSON: {error}") from error


def _refused(message: str) -> BadReading:
    """Say what msgspec found in our words: the row counted from 1, the key, the nearest right name."""
    place = _PLACE.search(message)
    text = message[: place.start()] if place else message
    row = int(place[1]) + 1 if place and place[1] else 0
    where = place[2].lstrip(".") if place else ""
    if unknown := _UNKNOWN_KEY.search(text):
        return BadReading(f'unknown key "{unknown[1]}"{did_you_mean(unknown[1], _KEYS)}', row=row)
    if _TOO_MUCH.match(text):
        return BadReading(f"values: a number beyond ±{EXACT_MAX} cannot be kept exactly", row=row)
    return BadReading(f"{where}: {text}" if where else text, row=row)


def _instant(at: datetime, number: int) -> datetime:
    try:
        return cut_instant(at)
    except ValueError as error:
        raise BadReading(f"at: {error}", row=number) from error


def _check_names(values: Mapping[str, float], number: int) -> None:
    """Names off the usual list may still be ones (the largest demand of a phase)."""
    try:
        for name in values:
            quantity(name)
    except UnknownQuantity as error:
        raise BadReading(str(error), row=number) from error


def _check_doubt(doubt: Mapping[str, Quality], values: Mapping[str, float], number: int) -> None:
    for name in doubt:
        if name not in values:
            raise BadReading(f'doubt about "{name}", which is not among the values', row=number)
