"""Elasticsearch's bulk API: the request, and what each document's answer means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.sinks.documents import Content
from wattbook.transports.http_client import ANSWER_SIZE_MAX, Answer

# What only another document can mend. OpenSearch and Elasticsearch before 8.8 say mapper_, later ones document_.
_NEVER = ("mapper_parsing_exception", "document_parsing_exception")
_OF_DOCUMENTS = "action_request_validation_exception"  # such as an _id of more than 512 bytes
_BAD_REQUEST, _CONFLICT, _TOO_LARGE = 400, 409, 413
_REASON_MAX = 300  # characters
_STATUS_WORDS: Mapping[int, str] = {
    401: "it does not know this user, password or api_key",
    403: "these rights do not suffice",
    404: "nothing is there",
    429: "it has too much to do",
}

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of documents: why some will never be taken, by their key, and how many were there already."""

    reasons: Mapping[str, str] = field(default_factory=dict)
    skipped: int = 0


def encode_bulk(operation: str, content: Content) -> bytes:
    """Two lines a document: where it goes, and itself."""
    lines: list[object] = []
    for key, document in content.items():
        lines += ({operation: {"_id": key}}, document)
    return _encoder.encode_lines(lines)


def check(answer: Answer, where: str) -> None:
    """Raises SinkUnavailable unless the answer is a good one."""
    if not 200 <= answer.status < 300:
        words = _STATUS_WORDS.get(answer.status, f"status {answer.status}")
        raise SinkUnavailable(f"{where}: {words}: {_said(answer)}".removesuffix(": "))


def outcome(answer: Answer, keys: Sequence[str], where: str) -> Outcome:
    """What the answer to a bulk request says of documents.

    Raises SinkUnavailable when one of them should come again, SinkRefused when the request as a whole never will do.
    """
    if answer.status == _TOO_LARGE or (answer.status == _BAD_REQUEST and _OF_DOCUMENTS in answer.text):
        raise SinkRefused(f"{where}: {_said(answer)}")
    check(answer, where)
    reasons: dict[str, str] = {}
    skipped = 0
    for key, (operation, result) in zip(keys, _results(answer, len(keys), where), strict=False):
        status, error = result["status"], result.get("error", {})
        if status == _CONFLICT and operation == "create":
            skipped += 1
        elif error.get("type") in _NEVER:
            reasons[key] = _reason(error)
        elif status >= 300:
            raise SinkUnavailable(f"{where}: {_STATUS_WORDS.get(status, f'status {status}')}: {_reason(error)}")
    return Outcome(reasons, skipped)


def _results(answer: Answer, count: int, where: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Operation and result of each document, or none when all is well."""
    if len(answer.text) >= ANSWER_SIZE_MAX:
        raise SinkRefused(f"{where}: it has more to say of these documents than can be read")
    try:
        told = msgspec.json.decode(answer.text)
        found = [pair for item in told["items"] for pair in item.items()] if told["errors"] else []
        if told["errors"] and len(found) != count:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SinkUnavailable(f"{where}: this is no Elasticsearch: {answer.shown}") from error
    return found


def _said(answer: Answer) -> str:
    """The reason, where the server gives one in its usual shape; else what it sent."""
    try:
        return _reason(msgspec.json.decode(answer.text)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return answer.shown


def _reason(error: Any) -> str:
    if not isinstance(error, Mapping):
        return " ".join(str(error).split())[:_REASON_MAX]
    return " ".join(f"{error.get('type', '')}: {error.get('reason', '')}".split())[:_REASON_MAX]
