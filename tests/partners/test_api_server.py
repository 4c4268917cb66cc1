"""The API over real sockets: streams, slow and broken clients, taking a port, stopping."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_house import House, house, pushed, pzem
from wattbook.api import Served, guard, protocol, serving
from wattbook.api.serve import bind
from wattbook.engine.live import WAITING_MAX
from wattbook.engine.status import MeterStatus
from wattbook.model import ConfigError

PATIENCE_S = 60.0  # only reached when something is wrong
LISTEN = 'listen = "127.0.0.1:0"\nlegacy = ["energy"]\nenergy_meter = "heat-pump"'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, LISTEN) as home:
        yield home


@pytest.fixture
async def served(home: House) -> AsyncIterator[Served]:
    async with serving(home.context) as served:
        yield served


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE_S) as client:
        yield client


class Events:
    """The events of a stream, as a browser takes them apart."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, Any]:
        event: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                name, colon, value = line.partition(":")
                if not line and "data" in event:
                    return event
                if name and colon:
                    event[name] = json.loads(value) if name == "data" else value.strip()
        raise EOFError


async def test_a_reading_a_change_and_a_number_come_over_the_stream(home: House, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/api/v1/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = Events(answer)
        await watched(home)
        home.context.live.publish(pzem())
        shown = await events.next()
        assert (shown["data"]["meter"], "seq" in shown["data"], "id" in shown) == ("main-a", False, False)
        assert (await client.post("/api/v1/readings", json=pushed(3))).json()["new"] == 3
        sent = await events.next()
        while sent.get("event") == "status":
            sent = await events.next()
        assert sent["data"]["meter"] == "workshop"
        assert sent["data"]["seq"] == int(sent["id"])
        home.statuses["generator"].state = "away"
        changed = await events.next()
        while changed.get("event") != "status" or changed["data"]["name"] != "generator":
            changed = await events.next()
        assert changed["data"]["state"] == "away"


async def watched(home: House) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not home.context.live._watchers:
            await asyncio.sleep(0.001)


async def test_a_client_that_comes_back_gets_what_it_missed(home: House, client: httpx.AsyncClient) -> None:
    home.keep(*(pzem("workshop", ago_s=9 - number, power=float(number)) for number in range(9)))
    first = home.context.reader.read("", 1).upto
    async with client.stream("GET", "/api/v1/live?meter=workshop", headers={"last-event-id": first}) as answer:
        events = Events(answer)
        assert [(await events.next())["data"]["values"]["active_power"] for _ in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_wrong_last_event_id_does_not_end_the_stream(home: House, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/api/v1/live", headers={"last-event-id": "yesterday"}) as answer:
        await watched(home)
        home.context.live.publish(pzem())
        assert (await Events(answer).next())["data"]["meter"] == "main-a"


async def test_a_client_that_stops_reading_is_cut(home: House, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "READ_WAIT_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(f"GET /api/v1/live HTTP/1.1\r\nhost: 127.0.0.1:{served.port}\r\n\r\n".encode())
    await watched(home)
    live = home.context.live
    async with asyncio.timeout(PATIENCE_S):
        while live._watchers:
            for _ in range(WAITING_MAX // 4):
                live.publish(pzem())
            await asyncio.sleep(0.001)
    writer.close()
    del reader


async def test_a_client_that_leaves_is_forgotten(home: House, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/api/v1/live"):
        await watched(home)
    async with asyncio.timeout(PATIENCE_S):
        while home.context.live._watchers:
            await asyncio.sleep(0.001)


async def test_stopping_ends_streams_and_answers_what_is_begun(home: House) -> None:
    async with serving(home.context) as served, httpx.AsyncClient(base_url=served.url, timeout=PATIENCE_S) as client:
        stream = client.stream("GET", "/api/v1/live")
        answer = await stream.__aenter__()
        await watched(home)
        stopping = asyncio.create_task(_leave_soon(home))
        with pytest.raises(EOFError):
            await Events(answer).next()
        await stopping
        await stream.__aexit__(None, None, None)
    with pytest.raises(OSError, match=r"refused|reset|Connect"):
        await asyncio.open_connection("127.0.0.1", served.port)


async def _leave_soon(home: House) -> None:
    home.context.live.close()


async def test_a_bug_beside_the_server_is_told(home: House) -> None:
    def bug() -> Sequence[MeterStatus]:
        raise ValueError("a bug")

    with pytest.raises(ExceptionGroup) as told:
        async with asyncio.timeout(PATIENCE_S), serving(replace(home.context, statuses=bug)) as served:
            with home.context.live.watch():
                await served.ended
    assert told.group_contains(ValueError, match="a bug")


async def test_leaving_the_block_with_an_open_stream_does_not_hang(home: House) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async with serving(home.context) as served:
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(f"GET /api/v1/live HTTP/1.1\r\nhost: 127.0.0.1:{served.port}\r\n\r\n".encode())
            await watched(home)
        writer.close()


async def test_the_replaced_address_byte_for_byte(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    path = "/electricity_meter/api/v1.0/energy"
    writer.write(f"GET {path} HTTP/1.0\r\nhost: 127.0.0.1:{served.port}\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-type: application/json\r\n" in head.lower() + b"\r\n"
    assert body == b'{"energy":{"highTarif":0,"lowTarif":0,"suma":0}}\n'


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", b"400"),
        (b"GET /api/v1/meters HTTP/1.0\r\n\r\n", b"400"),
        (b"GET /api/v1/meters HTTP/1.1\r\nhost: evil\r\n\r\n", b"421"),
        (b"POST /api/v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99000000\r\n\r\n", b"413"),
    ],
    ids=["no http", "long head", "no host", "wrong host", "declared too long"],
)
async def test_broken_requests_get_one_shape(served: Served, request_text: bytes, status: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(request_text)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.readuntil(b"}")
    writer.close()
    assert answer.split()[1] == status
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) == {"error"}


async def test_a_slow_head_is_cut(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WAIT_S", 0.05)
    async with serving(home.context) as served:
        for begun in (b"", b"GET /api/v1/meters HT"):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(begun)
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
            writer.close()


async def test_a_slow_body_is_cut_in_words(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_WAIT_S", 0.05)
    async with serving(home.context) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"POST /api/v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n[")
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within" in answer


async def test_a_client_that_leaves_in_mid_body_is_no_fault(home: House, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(home.context) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"POST /api/v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n[")
        async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE_S) as client:
            await client.get("/metrics")  # by now the body is waited for
            writer.close()
            await writer.wait_closed()
            await client.get("/metrics")  # and by now it is known that no more will come
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_many_senders_at_once_lose_nothing(home: House, client: httpx.AsyncClient) -> None:
    rows = pushed(2000)
    bodies = [rows[first : first + 100] for first in range(0, 2000, 100)]
    answers = await asyncio.gather(*(client.post("/api/v1/readings", json=body) for body in [*bodies, *bodies]))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["new"] for answer in answers) == 2000
    assert sum(answer.json()["same"] for answer in answers) == 2000
    assert len(home.context.reader.read("", 9999)) == 2000


def test_a_taken_port_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="another wattbook"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_an_address_of_no_machine_is_told_in_words() -> None:
    with pytest.raises(ConfigError, match="listen"):
        bind("203.0.113.1", 0)
