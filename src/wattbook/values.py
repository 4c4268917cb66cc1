"""Values as people write them in wattbook.toml: durations, names, time zones, secrets, templates."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, PlainValidator, ValidationInfo

from wattbook.model.nearest import did_you_mean

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*")
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DAY_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SECRET_SIZE_ANYWHERE = 8  # characters; what is as long stands in no other word by chance
_NAME = re.compile(r"[^\x00-\x1f\x7f/#+]{1,100}")


def parse_duration(text: object) -> float:
    """Return the seconds of "5s", "15min", "1h", "200ms". Raises ValueError."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'a duration is a text like "5s", "15min" or "1h", not {text!r}')
    return float(match[1]) * _UNITS_S[match[2]]


def _name(text: object) -> str:
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise ValueError(f'a name is up to 100 characters without "/", "#" and "+", not {text!r}')
    return text


def _zone(text: object) -> ZoneInfo:
    if not isinstance(text, str) or text not in available_timezones():
        raise ValueError(f'no time zone is called "{text}"{did_you_mean(str(text), available_timezones())}')
    return ZoneInfo(text)


def without_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """The text with *** where a secret stood. A short one only as a word: hidden inside words it would be told."""
    for secret in filter(None, secrets):
        before, behind = ("", "") if len(secret) >= _SECRET_SIZE_ANYWHERE else (r"(?<!\w)", r"(?!\w)")
        text = re.sub(before + re.escape(secret) + behind, "***", text)
    return text


class Secret(str):
    """A text that does not show itself in a log or an error. Written as { env = "NAME" } or { file = "…" }."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def reveal(self) -> str:
        """The text itself, for whoever has to send it."""
        return str.__str__(self)


def _secret(given: object, info: ValidationInfo) -> Secret:
    folder: Path = (info.context or {}).get("folder", Path())
    match given:
        case str():
            return Secret(given)
        case {"env": str(name), **rest} if not rest:
            if name not in os.environ:
                raise ValueError(f'the environment has no variable {name}; set it here too, or use {{ file = "PATH" }}')
            return Secret(os.environ[name])
        case {"file": str(path), **rest} if not rest:
            try:
                return Secret((folder / path).read_text(encoding="utf-8").rstrip("\n"))
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"cannot read the secret in {path}: {error}") from error
        case _:
            raise ValueError('a secret is a text, { env = "NAME" } or { file = "PATH" }')


def _day_time(text: object) -> time:
    match = _DAY_TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'a time of day is a text like "03:00", not {text!r}')
    return time(int(match[1]), int(match[2]))


def _start(given: object) -> str | datetime:
    """A date without a time is the beginning of that day in UTC."""
    if isinstance(given, datetime):
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    if isinstance(given, date):
        return datetime(given.year, given.month, given.day, tzinfo=UTC)
    if given in ("beginning", "now"):
        return str(given)
    try:
        return _start(datetime.fromisoformat(str(given)))
    except ValueError as error:
        raise ValueError(f'must be "beginning", "now" or a date like 2026-01-31, not {given!r}') from error


Seconds = Annotated[float, BeforeValidator(parse_duration)]
DayTime = Annotated[time, PlainValidator(_day_time)]
Name = Annotated[str, PlainValidator(_name)]
Zone = Annotated[ZoneInfo, PlainValidator(_zone)]
SecretText = Annotated[Secret, PlainValidator(_secret)]
Start = Annotated[str | datetime, PlainValidator(_start)]
