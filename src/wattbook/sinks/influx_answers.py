"""What InfluxDB says to a write, in its versions' words, and what that means for the readings.

1.x answers `{"error": "partial write: field type conflict: …"}` with 400; 2.x `{"code": …, "message": …}` with 422;
3.x `{"error": "partial write of line protocol occurred", "data": [{"line_number", "error_message", …}]}` with 400. All
of them have written the other lines by then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec import DecodeError, json

from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.transports.http_client import Answer

_SHOWN_MAX = 300  # characters of the server's words in ours

_CONFLICT = re.compile(
    r'field type conflict: input field "(?P<field>.*)" on measurement "(?P<measurement>.*)" is type (?P<is>\w+), '
    r"already exists as type (?P<was>\w+)"
)
_COLUMN = re.compile(
    r"invalid (?:column|field) \w+ (?:for|in) column '(?P<field>.*)', expected iox::column_type::(?P<was>[\w:]+), "
    r"got iox::column_type::(?P<is>[\w:]+)"
)
_TOO_OLD = re.compile(r"retention policy.*dropped=(?P<dropped>\d+)", re.DOTALL)
_TOO_NEW = "Retention Policy Upper Bound"
_BAD_LINE = re.compile(
    rf"unable to parse|[Pp]arsing failed|failed to parse|partial write of line protocol|invalid field|{_TOO_NEW}"
)
_MEASUREMENT = re.compile(rb"(?:\\.|[^, ])+")


class TooLarge(Exception):  # never leaves the sink: what was too large is sent in halves
    """The server takes no body of this size."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that has another type over there. Lines that have it were not written."""

    measurement: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class TooOld:
    """Lines up to an instant are older than what is kept over there, and were not written."""

    upto_ms: int
    reason: str


Verdict = Conflict | TooOld | None


def understand(answer: Answer, body: bytes) -> Verdict:
    """What became of the lines of a body; None: all are written.

    Raises TooLarge, SinkUnavailable and SinkRefused, as a sink does; their words name no address.
    """
    if 200 <= answer.status < 300:
        return None
    if answer.status == 413:
        raise TooLarge
    words, lines = _words(answer)
    for number, message in lines:
        if match := _COLUMN.search(message):
            return Conflict(_measurement(body, number), match["field"], _types(match))
    if match := _CONFLICT.search(words):
        return Conflict(match["measurement"], match["field"], _types(match))
    if (match := _TOO_OLD.search(words)) and _TOO_NEW not in words:
        return TooOld(_instant_of_oldest(body, int(match["dropped"])), "older than what is kept over there")
    if answer.status in (400, 422) and (lines or _BAD_LINE.search(words)):
        raise SinkRefused(_shown(lines[0][1] if lines else words))
    raise SinkUnavailable(_unavailable(answer.status, words))


def _words(answer: Answer) -> tuple[str, list[tuple[int, str]]]:
    """What the server says of all, and of single lines (by their number, from 1)."""
    try:
        told = json.decode(answer.text)
    except DecodeError:
        return answer.text, []
    if not isinstance(told, dict):
        return answer.text, []
    data = told.get("data")
    details = [data] if isinstance(data, dict) else data if isinstance(data, list) else []
    lines = [
        (int(one.get("line_number") or 0), str(one.get("error_message") or ""))
        for one in details
        if isinstance(one, dict)
    ]
    return str(told.get("error") or told.get("message") or answer.text), lines


def _types(match: re.Match[str]) -> str:
    is_, was = (match[name].rpartition("::")[2] for name in ("is", "was"))
    return f'the field "{match["field"]}" is {is_}, and {was} over there; its other fields were written'


def _measurement(body: bytes, number: int) -> str:
    """The measurement of a line of ours."""
    lines = body.split(b"\n", number)
    match = _MEASUREMENT.match(lines[number - 1]) if 0 < number <= len(lines) else None
    return re.sub(r"\\([, ])", r"\1", match[0].decode()) if match else ""


def _instant_of_oldest(body: bytes, dropped: int) -> int:
    """The newest instant among so many oldest lines: retention drops by age alone."""
    instants = sorted(int(line.rpartition(b" ")[2]) for line in body.splitlines())
    return instants[min(dropped, len(instants)) - 1] if dropped and instants else -1


def _unavailable(status: int, words: str) -> str:
    said = _shown(words)
    match status:
        case 401:
            return f"it does not accept the user name, password or token: {said}"
        case 403:
            return f"the user or token may not write there: {said}"
        case 404:
            return f"there is no such database, bucket or organisation, or no InfluxDB of this version: {said}"
        case 429 | 503:
            return f"it is too busy now: {said}"
        case _ if 300 <= status < 400:
            return f"it sends us elsewhere ({status}): is this the address of an InfluxDB?"
        case _:
            return f"it answers {status}: {said}"


def _shown(words: str) -> str:
    return " ".join(words.split())[:_SHOWN_MAX]
