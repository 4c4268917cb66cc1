"""Asking a daemon over HTTP, with the standard library: one kept connection for questions, one for its live stream.

Both block, so each lives in a thread of its own; two threads that wait cost nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from wattbook.model import ConfigError, WattbookError

WAIT_S = 8.0  # for an answer; a network that is gone is noticed after as long
SILENCE_S_MAX = 35.0  # of a live stream: the daemon says every 15 s that it is still there
ANSWER_SIZE_MAX = 8_000_000  # bytes; the largest question asked here has 200 meters
LINE_SIZE_MAX = 100_000  # bytes of one event; a reading has at most 64 values
SKEW_S_MIN = 3.0  # the Date header is cut to seconds and travels: less is no difference of clocks

Told = TypeVar("Told")


class NoAnswer(WattbookError):
    """The daemon is not there, or says no. `status` is what HTTP calls it; 0 = nothing came."""

    retry = True

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon is and what lets us in."""

    url: str  # without a slash at its end
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # hold a secret
    tls: ssl.SSLContext | None = None  # None = as the machine trusts

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection that opens itself with the first request, straight, whatever proxies the environment names."""
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            context = self.tls or ssl.create_default_context()
            return http.client.HTTPSConnection(parts.netloc, timeout=timeout_s, context=context)
        return http.client.HTTPConnection(parts.netloc, timeout=timeout_s)

    def path(self, name: str, parameters: Sequence[tuple[str, str]] = ()) -> str:
        """The address of a question, below whatever a reverse proxy puts before it."""
        asked = f"?{urlencode(parameters)}" if parameters else ""
        return f"{urlsplit(self.url).path}/api/v1/{quote(name)}{asked}"


def parse_url(text: str) -> str:
    """The address a person typed, without a slash at its end. Raises ConfigError."""
    url = (text if "://" in text else f"http://{text}").rstrip("/")
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        sound = False
    if not sound or parts.query or parts.username:
        raise ConfigError(f'"{text}" is no address; write http://HOST:8600', place="--url")
    return url


class Asker:
    """Asks one question after the other over one connection. Of one thread."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._connection = place.connection(WAIT_S)
        self.skew = timedelta(0)  # the daemon's clock minus ours

    def ask(self, kind: type[Told], name: str, parameters: Sequence[tuple[str, str]] = ()) -> Told:
        """GET and understand. Raises NoAnswer in words."""
        content = self._get(self._place.path(name, parameters))
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            raise NoAnswer(f"{self._place.url} answers what wattbook {name} does not: {error}") from error

    def _get(self, path: str) -> bytes:
        kept = self._connection.sock is not None
        try:
            return self._once(path)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if not kept or isinstance(error, TimeoutError):
                raise NoAnswer(f"{self._place.url} does not answer: {_words(error)}") from error
        try:
            return self._once(path)  # the daemon closes a connection that was not used for some seconds
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswer(f"{self._place.url} does not answer: {_words(error)}") from error

    def _once(self, path: str) -> bytes:
        self._connection.request("GET", path, headers=dict(self._place.headers))
        answer = self._connection.getresponse()
        content = answer.read(ANSWER_SIZE_MAX)
        if not answer.isclosed():
            self._connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise _refused(answer, content)
        self._look_at(answer.getheader("date", ""))
        return content

    def _look_at(self, date: str) -> None:
        with suppress(ValueError):  # no clock there
            told = parsedate_to_datetime(date)
            skew = told - datetime.now(told.tzinfo)
            self.skew = skew if abs(skew.total_seconds()) > SKEW_S_MIN else timedelta(0)

    def hang_up(self) -> None:
        """End whatever waits. From any thread."""
        _hang_up(self._connection)

    def close(self) -> None:
        """Leave nothing open."""
        self._connection.close()


class Stream:
    """The daemon's live stream. Of one thread."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._connection = place.connection(SILENCE_S_MAX)

    def events(self) -> Iterator[tuple[str, bytes]]:
        """Yield the kind and the data of each event: ("message", a reading's JSON), ("status", …), ("supply", …).

        The first is ("open", b""). Raises NoAnswer when it ends, which it never does by itself.
        """
        try:
            self._connection.request("GET", self._place.path("live"), headers=dict(self._place.headers))
            answer = self._connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise _refused(answer, answer.read(ANSWER_SIZE_MAX))
            yield "open", b""
            yield from _parsed(answer)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"the connection to {self._place.url} is lost: {_words(error)}") from error
        finally:
            self._connection.close()
        raise NoAnswer(f"{self._place.url} ended the connection")

    def hang_up(self) -> None:
        """End it. From any thread."""
        _hang_up(self._connection)


def _parsed(answer: http.client.HTTPResponse) -> Iterator[tuple[str, bytes]]:
    """Server-sent events as the daemon writes them: one line of data each."""
    kind = "message"
    while line := answer.readline(LINE_SIZE_MAX):
        if line.startswith(b"event: "):
            kind = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            yield kind, line[6:]
        elif not line.strip():
            kind = "message"


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """End a connection while another thread reads from it; that one closes it."""
    if connection.sock is not None:
        with suppress(OSError):  # gone already
            connection.sock.shutdown(socket.SHUT_RDWR)


def _refused(answer: http.client.HTTPResponse, content: bytes) -> NoAnswer:
    try:
        message = str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        message = f"the daemon answers {answer.status} {answer.reason}"
    return NoAnswer(message, status=answer.status)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "nothing came in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
