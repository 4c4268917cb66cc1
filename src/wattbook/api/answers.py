"""The shapes of answers: JSON, and one shape for every error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from wattbook.codecs import reading_json
from wattbook.model import Reading

T = TypeVar("T", bound=msgspec.Struct)

_ORDER_SIZE_MAX = 100_000  # bytes: a wrong value in each of a meter's quantities, with names
_BODY_UNREAD = (
    401,
    403,
    408,
    413,
    421,
    431,
)  # what is left of the body is not read; the connection ends with the answer


class Refusal(Exception):
    """The request cannot be answered, and why: an HTTP status and one line for a person."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers

    def response(self) -> Response:
        """The answer in our one error shape: {"error": "…"}."""
        response = json_response({"error": self.message}, status=self.status, headers=self.headers)
        if self.status in _BODY_UNREAD:
            response.headers["connection"] = "close"
        return response


def json_response(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in UTF-8, compact."""
    return Response(compact(content), status, headers, "application/json")


def compact(content: Any) -> bytes:
    """JSON in UTF-8 without spaces."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def readings_response(readings: Sequence[Reading]) -> Response:
    """An array of reading JSON."""
    return Response(readings_json(readings), media_type="application/json")


def readings_json(readings: Sequence[Reading]) -> bytes:
    """An array of reading JSON."""
    return b"[" + b",".join(map(reading_json.encode, readings)) + b"]"


def instant_text(at: datetime | None) -> str | None:
    """An instant as in reading JSON, or null."""
    return None if at is None else reading_json.format_instant(at)


def read_order(body: bytes) -> Mapping[str, Any]:
    """The JSON object that says what somebody wants changed. Raises Refusal."""
    if len(body) > _ORDER_SIZE_MAX:
        raise Refusal(413, f"an order has at most {_ORDER_SIZE_MAX} bytes")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"the body is no JSON object: {error}") from error


def read_shape(body: bytes, shape: type[T]) -> T:
    """An order of this shape. Raises Refusal in the words that a file's mistakes have."""
    try:
        return msgspec.convert(read_order(body), shape)
    except msgspec.ValidationError as error:
        raise Refusal(400, _in_words(str(error))) from error


def _in_words(said: str) -> str:
    """What msgspec found: "Object missing required field `model`", "Expected `str`, got `int` - at `$.port`"."""
    if named := re.fullmatch(r"Object missing required field `(\w+)`", said):
        return f'"{named[1]}" is missing'
    if named := re.fullmatch(r"Object contains unknown field `(.+)`", said):
        return f'unknown key "{named[1]}"'
    words, _, place = said.rstrip("`").partition(" - at `$.")
    return f"{place}: {words}" if place else words
