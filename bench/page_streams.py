"""Open pages without a browser: what the page asks of the daemon, over real connections, counted in bytes."""

from __future__ import annotations

import asyncio
import socket
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

ACCEPTED = "gzip, deflate, br, zstd"  # as Chromium says it
_CHECK_S = 10.0  # how often the page asks for states
_DAYS_CHECKS = 12  # of which every twelfth time for today's energy, too
_OPENING = "/api/v1/opening"
_STATES = ("/api/v1/meters", "/api/v1/supply", "/api/v1/about")


@dataclass(frozen=True, slots=True)
class Stream:
    """What came over one live stream."""

    wire_bytes: int  # as they come, chunk sizes included
    plain_bytes: int
    readings: int


def listen(port: int, seconds: float, warm_s: float) -> Stream:
    """Listen as a browser does; what came in the first seconds is not counted."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(_request(port, "/api/v1/live", "text/event-stream"))
        packed = b""
        while b"\r\n\r\n" not in packed:
            packed += connection.recv(65536)
        head, _, packed = packed.partition(b"\r\n\r\n")
        assert b"content-encoding: gzip" in head.lower() and b"transfer-encoding: chunked" in head.lower(), head
        warm, began_s = b"", time.monotonic()
        while (passed_s := time.monotonic() - began_s) < warm_s + seconds:
            packed += connection.recv(65536)
            warm = packed if passed_s < warm_s else warm
    plain, before = _unpacked(packed), _unpacked(warm)
    readings = plain.count(b'"seq":') - before.count(b'"seq":')
    return Stream(len(packed) - len(warm), len(plain) - len(before), readings)


def _unpacked(chunks: bytes) -> bytes:
    """The text of a chunked gzip stream that is not over."""
    packer, text = zlib.decompressobj(zlib.MAX_WBITS | 16), b""
    while b"\r\n" in chunks:
        size, _, rest = chunks.partition(b"\r\n")
        text += packer.decompress(rest[: int(size, 16)])
        chunks = rest[int(size, 16) + 2 :]
    return text


def _request(port: int, path: str, kind: str = "*/*") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {kind}\r\nAccept-Encoding: {ACCEPTED}\r\n"
        "Sec-Fetch-Site: same-origin\r\nConnection: keep-alive\r\n\r\n"
    ).encode()


async def pages(port: int, count: int, meters: Sequence[str], seconds: float) -> None:
    """So many pages that were opened one after the other, for so long."""
    turns = [number / count * _CHECK_S for number in range(count)]
    work = [asyncio.create_task(do) for turn in turns for do in (_follow(port, turn), _ask(port, meters, turn))]
    ended, open_ones = await asyncio.wait(work, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in open_ones:
        task.cancel()
    await asyncio.gather(*open_ones, return_exceptions=True)
    for task in ended:  # none ends by itself
        task.result()
        raise AssertionError("the daemon ended a connection")


async def _ask(port: int, meters: Sequence[str], wait_s: float) -> None:
    """What a page asks for when it is opened, and then again and again."""
    await asyncio.sleep(wait_s)
    asked = "".join(f"&meter={meter}" for meter in meters)
    days = [f"/api/v1/query?quantity=active_energy_import&every=1d&from={day}{asked}" for day in ("today", "yesterday")]
    await _get(port, _OPENING, *days)
    checks = int(wait_s / _CHECK_S * _DAYS_CHECKS)  # so that not all ask for today's energy at once
    while True:
        await asyncio.sleep(_CHECK_S)
        checks += 1
        await _get(port, *_STATES, *(days if checks % _DAYS_CHECKS == 0 else ()))


async def _follow(port: int, wait_s: float) -> None:
    await asyncio.sleep(wait_s)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_request(port, "/api/v1/live", "text/event-stream"))
        while await reader.read(65536):
            pass
    finally:
        writer.close()


async def _get(port: int, *paths: str) -> None:
    """Answers over one connection, each read to its end; an idle one the daemon ends after 5 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for path in paths:
        writer.write(_request(port, path))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        if b"content-length: " in head:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            continue
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    writer.close()
