"""Answers made small on the wire with gzip, live streams too: names repeat from reading to reading and cost little.

A stream is flushed after each part, so that nothing waits. Every stream keeps a small window of its own, for 50 open
pages must not cost the server much.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST = 500  # bytes: a smaller answer fits into one packet as it is
LEVEL = 5
STREAM_BITS = 12  # a window of 4 KB: some rounds of every meter of a house
STREAM_MEMORY = 5  # with the window 32 KB for each stream, not 256 KB
ANSWER_BITS, ANSWER_MEMORY = 15, 8  # zlib's own: an answer is soon over
_GZIP = 16  # zlib's mark for the gzip header
_KINDS = (b"text/", b"application/json", b"application/javascript", b"application/manifest+json", b"image/svg+xml")


class Compress:
    """Middleware that compresses what a client that accepts gzip is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, but smaller."""
        asked = scope["type"] == "http" and not scope.get("wattbook.head") and _accepts(scope["headers"])
        await self._app(scope, receive, _Small(send).send if asked else send)


class _Small:
    """The answer to one request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._packer: zlib._Compress | None = None
        self._stream = False
        self._start: Message | None = None  # held until it is known whether the body is worth it

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            await self._body(message)
        else:
            await self._send(message)

    async def _body(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            self._begin(start, whole=len(body) if not more else None)
            await self._send(start if self._packer is None else {**start, "headers": _packed(start["headers"])})
        if self._packer is not None:
            body = self._packer.compress(body) + self._flushed(more)
        await self._send({**message, "body": body})

    def _begin(self, start: Message, *, whole: int | None) -> None:
        headers = dict(start.get("headers", ()))
        kind = headers.get(b"content-type", b"")
        if start["status"] != 200 or b"content-encoding" in headers or not kind.startswith(_KINDS):
            return
        self._stream = kind.startswith(b"text/event-stream")
        if self._stream:
            self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP + STREAM_BITS, STREAM_MEMORY)
        elif whole is None or whole >= LEAST:
            self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP + ANSWER_BITS, ANSWER_MEMORY)

    def _flushed(self, more: bool) -> bytes:
        assert self._packer is not None
        if not more:
            return self._packer.flush()
        return self._packer.flush(zlib.Z_SYNC_FLUSH) if self._stream else b""


def _packed(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers of a compressed answer: its length is no longer known, and a cache must tell it from the plain one."""
    left = [(name, value) for name, value in headers if name not in (b"content-length", b"etag")]
    return [*left, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]


def _accepts(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    accepted = b",".join(value for name, value in headers if name == b"accept-encoding").decode("latin-1").casefold()
    for each in accepted.split(","):
        coding, _, parameters = each.partition(";")
        if coding.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
