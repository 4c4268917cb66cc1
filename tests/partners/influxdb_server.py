"""The write side of InfluxDB 2 and 3 as their maker documents it: addresses, headers, precision, gzip, errors as JSON.

It keeps the type of each field of a measurement, refuses lines that have another, and writes the others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "t0ken-of-the-test"
_LINE = re.compile(r"(?P<measurement>(?:\\.|[^, ])+)(?P<tags>,(?:\\.|[^ ])+)? (?P<fields>.+) (?P<at>\d+)")
_FIELD = re.compile(r'((?:\\.|[^,="])+)=("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')


def _type(text: str) -> str:
    return "string" if text.startswith('"') else "integer" if text.endswith("i") else "float"


@dataclass
class InfluxServer:
    """`body` is the most bytes it takes at once; `points` are (series, at_ms) -> fields."""

    body: int = 10_000_000
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    points: dict[tuple[str, int], dict[str, str]] = field(default_factory=dict)
    said: list[tuple[int, Any]] = field(default_factory=list)
    url: str = ""
    packed: bool = False  # the last body was

    def answer(self, status: int, told: Any = None) -> web.Response:
        self.said.append((status, told))
        return web.Response(status=status) if told is None else web.json_response(told, status=status)

    async def lines(self, request: web.Request) -> list[str] | None:
        raw = await request.read()  # unpacked by the server's library
        self.packed = request.headers.get("Content-Encoding") == "gzip"
        if len(raw) > self.body:
            return None
        assert raw.endswith(b"\n")
        return raw.decode().splitlines()

    def take(self, lines: list[str]) -> list[tuple[int, str, str, str, str]]:
        """Write what fits; return (line number, measurement, field, its type, the type here) of what does not."""
        refused = []
        for number, line in enumerate(lines, 1):
            match = _LINE.fullmatch(line)
            assert match, line
            measurement, told = match["measurement"], dict(_FIELD.findall(match["fields"]))
            kept = {name: self.types.get((measurement, name), _type(text)) for name, text in told.items()}
            wrong = next((name for name, text in told.items() if kept[name] != _type(text)), "")
            if wrong:
                refused.append((number, measurement, wrong, _type(told[wrong]), self.types[measurement, wrong]))
                continue
            self.types |= {(measurement, name): _type(text) for name, text in told.items()}
            series = measurement + (match["tags"] or "")
            self.points.setdefault((series, int(match["at"])), {}).update(told)
        return refused

    async def write_2(self, request: web.Request) -> web.Response:
        assert request.query["precision"] == "ms"
        if request.headers.get("Authorization") != f"Token {TOKEN}":
            return self.answer(401, {"code": "unauthorized", "message": "unauthorized access"})
        if request.query["org"] != "my org":
            return self.answer(
                404, {"code": "not found", "message": f'organization name "{request.query["org"]}" not found'}
            )
        if request.query["bucket"] != "house":
            return self.answer(404, {"code": "not found", "message": f'bucket "{request.query["bucket"]}" not found'})
        lines = await self.lines(request)
        if lines is None:
            return self.answer(
                413, {"code": "request too large", "message": "unable to read data: points batch is too large"}
            )
        refused = self.take(lines)
        if not refused:
            return self.answer(204)
        _, measurement, name, is_, was = refused[0]
        message = (
            f'failure writing points to database: partial write: field type conflict: input field "{name}" on '
            f'measurement "{measurement}" is type {is_}, already exists as type {was} dropped={len(refused)}'
        )
        return self.answer(422, {"code": "unprocessable entity", "message": message})

    async def write_3(self, request: web.Request) -> web.Response:
        assert request.query["precision"] == "millisecond"
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "the request was not authenticated"})
        lines = await self.lines(request)
        if lines is None:
            return self.answer(413, {"error": "body too large"})
        refused = self.take(lines)
        if not refused:
            return self.answer(204)
        data = [
            {
                "original_line": lines[number - 1].replace('"', ""),
                "line_number": number,
                "error_message": f"invalid column type for column '{name}', expected iox::column_type::field::{was}, "
                f"got iox::column_type::field::{is_}",
            }
            for number, _, name, is_, was in refused
        ]
        return self.answer(400, {"error": "partial write of line protocol occurred", "data": data})


@asynccontextmanager
async def influxdb_server(**told: Any) -> AsyncIterator[InfluxServer]:
    """It listens on a free port of this machine."""
    server = InfluxServer(**told)
    app = web.Application(client_max_size=10**9)
    app.add_routes([web.post("/api/v2/write", server.write_2), web.post("/api/v3/write_lp", server.write_3)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
