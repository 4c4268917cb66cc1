"""A JSON payload to values in base units, by the paths of a profile. The paths are taken apart once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from wattbook.model.batch import EPOCH
from wattbook.model.errors import Garbled
from wattbook.model.exact import EXACT_MAX, exact_raw, exact_value
from wattbook.profiles import Field, Scale

_MS_FROM = 1e11  # Unix seconds stay below it until the year 5138; a greater number is milliseconds
_GRAIN = timedelta(milliseconds=10)
_SHOWN_MAX = 40  # characters of a payload in a message about it

_decode = msgspec.json.Decoder().decode

Path = tuple[str | int, ...]
Convert = Callable[[Any], float]


def parse_json(payload: bytes | str) -> Any:
    """Return what the JSON says. Raises Garbled."""
    try:
        return _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Garbled(str(error)) from error
    except RecursionError as error:
        raise Garbled("its brackets are nested too deep") from error


def parse_path(path: str) -> Path:
    """Take `ENERGY.Power.0` apart; numbers are places in a list, or keys where there is no list."""
    return tuple(int(part) if part.isdecimal() else part for part in path.split(".")) if path else ()


def find(document: Any, path: Path) -> Any:
    """Return what stands at the path, None when nothing does."""
    for part in path:
        if isinstance(document, dict):
            document = document.get(part if isinstance(part, str) else str(part))
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            document = document[part]
        else:
            return None
    return document


def make_convert(scale: Scale) -> Convert:
    """Return what turns a JSON number, or a number written as text, into a value, exactly. Raises Garbled."""
    plain = scale == Scale()
    shift = _shift(scale)

    def convert(given: Any) -> float:
        kind = type(given)
        if kind is float:
            if plain and -EXACT_MAX <= given <= EXACT_MAX:
                return float(given)
            # The shortest text of a float is what stood in the JSON, so scaling it as a decimal adds no error.
            text = repr(given)
            if shift and "e" not in text:
                return exact_value(float(text + shift), text)
            return _scaled(text, scale)
        if kind is int:
            return exact_value(scale.value(exact_raw(given, "a number")), "a number")
        if kind is str:
            return _scaled(given, scale)
        raise Garbled(f"{_shown(given)} is no number")

    return convert


def _shift(scale: Scale) -> str:
    """The exponent that scales a decimal text, "e3" for 1000; "" when the scale is no power of ten."""
    zeros = len(str(scale.multiplier)) - 1
    return f"e{zeros - scale.decimals}" if scale.multiplier == 10**zeros else ""


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except (ArithmeticError, ValueError) as error:
        raise Garbled(f"{_shown(text)} is no number") from error


def _scaled(text: str, scale: Scale) -> float:
    number = _decimal(text)
    try:
        return float(exact_value((number * scale.multiplier).scaleb(-scale.decimals), _shown(text)))
    except (ArithmeticError, ValueError) as error:  # 1e9999999; a signalling NaN
        raise Garbled(f"{_shown(text)} is no number that can be kept") from error


def _shown(given: Any) -> str:
    """What stood there, short. Lists and objects are only named: writing a deep one down may fail."""
    if isinstance(given, list | dict):
        return "a list" if isinstance(given, list) else "an object"
    return repr(given)[:_SHOWN_MAX]


class Payload:
    """Reads the fields that come on one topic."""

    def __init__(self, fields: Sequence[Field], time: str) -> None:
        self._flat: list[tuple[str, str, Convert]] = []  # one key deep: most payloads, and the fast way
        self._deep: list[tuple[str, Path, Convert]] = []
        for field in fields:
            path, convert = parse_path(field.path), make_convert(field.scale)
            if len(path) == 1 and isinstance(path[0], str):
                self._flat.append((field.quantity, path[0], convert))
            else:
                self._deep.append((field.quantity, path, convert))
        self._time = parse_path(time)

    def values(self, document: Any) -> dict[str, float]:
        """Return what the payload tells; absent and null fields are left out. Raises Garbled when nothing is there."""
        values: dict[str, float] = {}
        if type(document) is dict:
            for quantity, key, convert in self._flat:
                given = document.get(key)
                if given is not None:
                    values[quantity] = convert(given)
        for quantity, path, convert in self._deep:
            given = find(document, path)
            if given is not None:
                values[quantity] = convert(given)
        if not values:
            raise Garbled("none of the profile's fields is in it")
        return values

    def at(self, document: Any) -> datetime | None:
        """Return the instant in the payload, cut to 10 ms; None when the profile names none. Raises Garbled."""
        if not self._time:
            return None
        given = find(document, self._time)
        return None if given is None else parse_instant(given)


def parse_instant(given: Any) -> datetime:
    """ISO 8601 with an offset, or Unix seconds or milliseconds, as a number or its text. Raises Garbled."""
    if isinstance(given, str):
        if given.isdecimal():  # 1801010912345 would also do as a day of 1801 without blanks
            return _from_unix(given)
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            return _from_unix(given)
        if at.tzinfo is None:
            raise Garbled(f"the time {_shown(given)} has no offset to UTC")
        if at.tzinfo is not UTC:
            try:
                at = at.astimezone(UTC)
            except OverflowError as error:
                raise Garbled(f"the time {_shown(given)} is beyond the calendar") from error
        finer = at.microsecond % 10_000
        return at.replace(microsecond=at.microsecond - finer) if finer else at
    if isinstance(given, float) or type(given) is int:
        return _from_unix(repr(given) if isinstance(given, float) else str(exact_raw(given, "a time")))
    raise Garbled(f"{_shown(given)} is no time")


def _from_unix(text: str) -> datetime:
    number = _decimal(text)
    if not number.is_finite() or not 0 <= number < Decimal("1e14"):
        raise Garbled(f"{_shown(text)} is no time since 1970")
    grains = int(number / 10) if number >= Decimal(_MS_FROM) else int(number * 100)
    return EPOCH + grains * _GRAIN
