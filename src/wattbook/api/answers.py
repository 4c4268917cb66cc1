"""The shapes of answers: JSON, and one shape for every error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.responses import Response

from wattbook.codecs import reading_json
from wattbook.model import Reading

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
