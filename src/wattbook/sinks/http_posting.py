"""Readings as HTTP requests: several at once, and what the answers mean."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import quote

from wattbook.model import Columns, SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.model.template import Template, parse_template
from wattbook.sinks.http_address import is_http_address
from wattbook.sinks.sink import Rejected, Written
from wattbook.transports.http_client import Answer, HttpClient
from wattbook.values import without_secrets

_PLACE = re.compile(r"(\{[^{}]*\})")
_THERE_ALREADY = 409
# What says something about the address, the rights or the moment, and nothing about the reading.
_NOT_NOW = frozenset({401, 402, 403, 404, 405, 406, 407, 408, 410, 415, 421, 423, 425, 426, 429, 431, 451})


@dataclass(frozen=True, slots=True)
class Post:
    """One request, and the readings it is of: meter, instant, site."""

    path: str
    body: bytes
    readings: Sequence[tuple[str, int, str]]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posting:
    """How requests are made. `secrets` are struck out of what a server says."""

    client: HttpClient
    method: str
    in_flight: int
    secrets: Sequence[str] = field(default=(), repr=False)

    async def send(self, posts: Iterable[Post]) -> Written:
        """Make the requests, several at a time. Raises SinkUnavailable, SinkRefused; then no connection stays open."""
        waiting = iter(posts)
        rejected: dict[tuple[str, int, str], Rejected] = {}
        skipped: set[tuple[str, int, str]] = set()

        async def work() -> None:
            for post in waiting:
                answer = await self.client.ask(self.method, post.path, body=post.body, headers=post.headers)
                if answer.status == _THERE_ALREADY:
                    skipped.update(post.readings)
                elif reason := self._refusal(answer):
                    rejected.update({reading: _rejected(reading, reason) for reading in readings_refused(post, reason)})

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.in_flight):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            await self.client.aclose()
            raise errors.exceptions[0] from None
        except asyncio.CancelledError:
            await self.client.aclose()
            raise
        return Written(rejected=tuple(rejected.values()), skipped=len(skipped))

    def _refusal(self, answer: Answer) -> str:
        """Why readings are not taken, "" when they are. Raises SinkUnavailable when it is not for them."""
        if 200 <= answer.status < 300:
            return ""
        answer = replace(answer, text=without_secrets(answer.text, self.secrets))
        said = f"{answer.status} {_phrase(answer.status)}: {answer.shown}".rstrip(": ")
        if 400 <= answer.status < 500 and answer.status not in _NOT_NOW:
            return said
        later = f" (again after {answer.retry_after[:40]})" if answer.retry_after else ""
        raise SinkUnavailable(f"{self.client.shown}: {said}{later}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go: a fixed beginning and what is filled in behind it."""

    base: str = field(repr=False)  # may hold a password or a key
    rest: tuple[str | Template, ...]

    def paths(self, columns: Columns) -> Sequence[str]:
        """What comes behind the base for each row, escaped."""
        filled = [
            [piece] * len(columns)
            if isinstance(piece, str)
            else [quote("" if cell is None else str(cell), safe="") for cell in piece.cells(columns)]
            for piece in self.rest
        ]
        return ["".join(row) for row in zip(*filled, strict=True)] if filled else [""] * len(columns)


def parse_address(text: str, around: Surroundings) -> Address:
    """Understand an address with places in its path. Raises ValueError without the text: it may be secret."""
    base, brace, rest = text.partition("{")
    if not is_http_address(base) or not re.match(r"https?://[^/\s]+(/|$)", base) or (brace and base.count("/") < 3):
        raise ValueError("url: must be like http://host/path, with places only behind the host")
    pieces = [piece for piece in _PLACE.split(brace + rest) if piece]
    found = tuple(parse_template(piece, around) if piece.startswith("{") else piece for piece in pieces)
    if any(isinstance(piece, Template) and (piece.quantities or piece.single) for piece in found):
        raise ValueError("url: an address is made of meter and time, not of values")
    return Address(base, found)


def readings_refused(post: Post, reason: str) -> Sequence[tuple[str, int, str]]:
    """The reading that was refused. Raises SinkRefused when it is one of many."""
    if len(post.readings) > 1:
        raise SinkRefused(f"{len(post.readings)} readings in one request: {reason}")
    return post.readings


def _rejected(reading: tuple[str, int, str], reason: str) -> Rejected:
    meter, at_ms, site = reading
    return Rejected(meter, at_ms, reason, site)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
