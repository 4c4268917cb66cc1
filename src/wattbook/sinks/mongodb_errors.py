"""What MongoDB and its client say, in words, and which of it means that a document will never be taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from wattbook.model import SinkUnavailable


class _Code(IntEnum):
    """Of the server's error_codes.yml."""

    UNAUTHORIZED = 13
    AUTHENTICATION_FAILED = 18
    VALIDATION_FAILED = 121
    TOO_LARGE = 10334  # a document of more than 16 MB
    DUPLICATE_KEY = 11000


_OF_ONE_DOCUMENT = (_Code.VALIDATION_FAILED, _Code.TOO_LARGE, _Code.DUPLICATE_KEY)
_SHOWN_MAX = 300  # characters of what a server said
_REFUSED = re.compile(r"\[Errno 111\] Connect call failed \([^)]*\)")  # as asyncio says it
_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_TIMEOUTS = re.compile(r" \(configured timeouts:[^)]*\)")


def rejections(error: BulkWriteError) -> Mapping[str, str]:
    """_id -> why that document will never be taken; all others are stored.

    Raises SinkUnavailable when something else went wrong too: the batch then comes again.
    """
    told: Mapping[str, Any] = error.details
    for each in _others(told):
        raise SinkUnavailable(f"MongoDB: {_shown(each.get('errmsg', ''))} (code {each.get('code', 0)})") from error
    return {str(each["op"]["q"]["_id"]): _reason(each) for each in told.get("writeErrors", [])}


def _others(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Errors that are not of one document."""
    yield from told.get("writeConcernErrors", [])
    for each in told.get("writeErrors", []):
        code = each.get("code")
        # Two that made the same document at once: one of them finds it made.
        lost_race = code == _Code.DUPLICATE_KEY and "_id" in each.get("keyPattern", {"_id": 1})
        if lost_race or code not in _OF_ONE_DOCUMENT:
            yield each


def _reason(told: Mapping[str, Any]) -> str:
    details = told.get("errInfo", {}).get("details", "")
    return _shown(f"{told.get('errmsg', '')} {details}")


def in_words(error: PyMongoError | OSError, given_s: float) -> str:
    """Why nothing could be written. `given_s`: how long it was tried."""
    match error:
        case OperationFailure(code=_Code.AUTHENTICATION_FAILED):
            return "MongoDB does not know this user and password (or another database does: see auth_source)"
        case OperationFailure(code=_Code.UNAUTHORIZED):
            return f"MongoDB: the user may not write here: {_shown(error.args[0])}"
        case ServerSelectionTimeoutError():
            return f"MongoDB is away: {_of_hosts(error)}"
        case PyMongoError(timeout=True):
            return f"MongoDB did not answer within {given_s:g} s"
        case _:
            return f"MongoDB: {_of_hosts(error)}"


def _of_hosts(error: PyMongoError | OSError) -> str:
    """The message without the client's own settings and its picture of the cluster."""
    said = str(error) or type(error).__name__
    said = _TIMEOUTS.sub("", re.split(r", Timeout: |, full error: ", said)[0])
    return _shown(_ERRNO.sub("", _REFUSED.sub("connection refused", said)))


def _shown(said: str) -> str:
    return " ".join(said.split())[:_SHOWN_MAX]
