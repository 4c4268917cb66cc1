"""Compressed answers, and how little a live reading takes on the wire."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api_house import house, pzem
from wattbook.api.compress import LEAST, Compress, _accepts
from wattbook.codecs import reading_json

LIVE_BYTES_MAX = 200  # for each changed meter and update: what issue 6 asks for
_CHUNK_BYTES = 8  # what HTTP adds to each part of a stream


async def parts(app: object, accepted: bytes = b"gzip, br") -> tuple[dict[bytes, bytes], list[bytes]]:
    """The headers and the body's parts of an answer to GET."""
    told: list[Message] = []

    async def send(message: Message) -> None:
        told.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()  # the client stays
        raise AssertionError("nobody sets it")

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", accepted)]}
    await Compress(app)(scope, receive, send)  # type: ignore[arg-type]
    return dict(told[0]["headers"]), [message["body"] for message in told[1:] if message["body"]]


@pytest.mark.parametrize(
    ("accepted", "answer"),
    [
        (b"gzip", True),
        (b"br, GZIP;q=0.5", True),
        (b"*", True),
        (b"", False),
        (b"br", False),
        (b"gzip;q=0", False),
        (b"gzip; q=0.0", False),
    ],
)
def test_who_is_sent_gzip(accepted: bytes, answer: bool) -> None:
    assert _accepts([(b"accept-encoding", accepted)]) is answer


@pytest.mark.parametrize(
    ("size", "kind", "status", "packed"),
    [
        (LEAST, "application/json", 200, True),
        (LEAST - 1, "application/json", 200, False),
        (LEAST, "text/html", 200, True),
        (LEAST, "image/png", 200, False),
        (LEAST, "application/json", 404, False),
    ],
)
async def test_what_is_compressed(size: int, kind: str, status: int, packed: bool) -> None:
    headers, body = await parts(Response(b"x" * size, status, media_type=kind))
    assert (headers.get(b"content-encoding") == b"gzip") is packed
    assert (zlib.decompress(b"".join(body), 31) if packed else b"".join(body)) == b"x" * size
    assert packed is (b"content-length" not in headers)


async def test_each_part_of_a_stream_can_be_read_when_it_comes() -> None:
    async def events() -> AsyncIterator[bytes]:
        for number in range(50):
            yield b"data: %d\n\n" % number

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(events(), media_type="text/event-stream")(scope, receive, send)

    _, body = await parts(app)
    unpacked = zlib.decompressobj(31)
    assert [unpacked.decompress(part) for part in body[:50]] == [b"data: %d\n\n" % number for number in range(50)]


async def test_a_live_reading_takes_less_than_is_asked() -> None:
    readings = [
        pzem(ago_s=100 - number, power=1500 + 7 * number, energy=25409587 + number / 2) for number in range(100)
    ]

    async def events() -> AsyncIterator[bytes]:
        for reading in readings:
            yield b"data: %b\n\n" % reading_json.encode(reading)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(events(), media_type="text/event-stream")(scope, receive, send)

    _, body = await parts(app)
    assert max(len(part) + _CHUNK_BYTES for part in body[:100]) <= LIVE_BYTES_MAX


async def test_the_api_is_compressed_for_who_asks(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        async with home.client as client:
            answer = await client.get("/api/v1/meters")
            assert answer.headers["content-encoding"] == "gzip"
            assert len(answer.json()) == 5
            plain = await client.get("/api/v1/meters", headers={"accept-encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert plain.json() == answer.json()
