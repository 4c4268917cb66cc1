"""InfluxDB 1.x, 2.x and 3.x. The same reading twice is stored once: a point is its series and instant."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from wattbook.model import Batch, SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.http_address import http_address, is_local, query
from wattbook.sinks.influx_answers import Conflict, TooLarge, TooOld, Verdict, understand
from wattbook.sinks.influx_layout import Layout, parse_layout, tells_meters_apart, tells_quantities_apart
from wattbook.sinks.influx_parts import Part, halves, parts_of
from wattbook.sinks.sink import Rejected, SinkSettings, Written
from wattbook.transports.http_client import HttpClient
from wattbook.transports.http_login import basic_login
from wattbook.values import Secret, SecretText

IN_FLIGHT_MAX = 2  # requests at once
_NO_SECRET = Secret("")
CONFLICTS_MAX = 100  # fields of a batch that have another type over there; each costs a request
_GZIP = 16 + zlib.MAX_WBITS
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "identity"}
_LEVEL = 1  # a third of the size for a tenth of the time of the default


def _tags() -> Mapping[str, str]:
    return {"site": "{site}", "meter": "{meter}", "location": "{location}"}


def _fields() -> Mapping[str, str]:
    return {"{quantity}": "{value}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxSettings(SinkSettings):
    """An InfluxDB, and how readings are laid out in it."""

    kind: Literal["influxdb"] = "influxdb"
    url: str  # http://127.0.0.1:8086
    version: Literal[1, 2, 3] = 1  # 1: database and password; 2: org, bucket and token; 3: database and token
    database: str = "wattbook"  # of 1.x and 3.x
    retention_policy: str = ""  # of 1.x; else the database's default
    create: bool = True  # make the database when it is missing (1.x; 3.x does so by itself)
    username: str = ""  # of 1.x, where it asks for one
    password: SecretText = _NO_SECRET  # of that user
    org: str = ""  # of 2.x
    bucket: str = "wattbook"  # of 2.x
    token: SecretText = _NO_SECRET  # of 2.x and 3.x
    measurement: str = "electricity"  # by template; of each point
    tags: Mapping[str, str] = field(default_factory=_tags)  # name = template; {} = none
    fields: Mapping[str, str] = field(default_factory=_fields)  # name = value, both by template
    integers: tuple[str, ...] = ()  # fields that are whole numbers over there; a "*" stands for anything
    gzip: bool | None = None  # compress what is sent; when it is not said: not to a server on this machine
    ca: Path | None = None  # authorities its certificate is checked against; else the system's
    certificate: Path | None = None  # our own, for servers that ask for one
    key: Path | None = None  # of our certificate

    def make(self, around: Surroundings) -> InfluxSink:
        """Raises ValueError."""
        url = http_address(self.url)
        layout = parse_layout(around, self.measurement, self.tags, self.fields, self.integers)
        if not tells_meters_apart(layout) and not _one(self.meters):
            raise ValueError("two meters would overwrite each other: name {meter} in measurement, tags or fields")
        if not tells_quantities_apart(layout) and not _one(self.quantities):
            raise ValueError("quantities would overwrite each other: name {quantity} in measurement, tags or fields")
        if self.version == 2 and not (self.org and self.bucket):
            raise ValueError('version 2 needs "org" and "bucket"')
        if self.version != 2 and not self.database:
            raise ValueError('"database" is missing')
        if self.version == 1 and self.token:
            raise ValueError('"token" is of version 2 and 3; version 1 takes "username" and "password"')
        client = HttpClient(url, self._headers(), self.ca, self.certificate, self.key)
        return InfluxSink(layout, client, self._path(), self.database if self.version == 1 and self.create else "")

    def _path(self) -> str:
        match self.version:
            case 1:
                return "/write" + query(db=self.database, rp=self.retention_policy, precision="ms")
            case 2:
                return "/api/v2/write" + query(org=self.org, bucket=self.bucket, precision="ms")
            case 3:
                return "/api/v3/write_lp" + query(db=self.database, precision="millisecond")

    def _headers(self) -> Mapping[str, str]:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if not is_local(self.url) if self.gzip is None else self.gzip:
            headers["Content-Encoding"] = "gzip"
        if self.version == 1 and self.username:
            headers["Authorization"] = basic_login(self.username, self.password.reveal())
        elif self.token:
            headers["Authorization"] = f"{'Token' if self.version == 2 else 'Bearer'} {self.token.reveal()}"
        return headers


@dataclass(slots=True)
class InfluxSink:
    """Writes batches as line protocol. A correction replaces the fields of its point."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False

    layout: Layout
    client: HttpClient
    path: str
    create: str = ""  # the database to make when it is missing

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Write all that the server takes. Fields of another type are left out, and their readings rejected."""
        parts = list(parts_of(batch.columns))
        if len(parts) == 1:
            return Written(tuple(await self._write(parts[0])), bookmark)
        turns = asyncio.Semaphore(IN_FLIGHT_MAX)

        async def in_turn(part: Part) -> list[Rejected]:
            async with turns:
                return await self._write(part)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(in_turn(part)) for part in parts]
        except* (SinkUnavailable, SinkRefused) as failed:
            raise min(failed.exceptions, key=lambda error: isinstance(error, SinkRefused)) from None
        return Written(tuple(rejected for task in tasks for rejected in task.result()), bookmark)

    async def _write(self, part: Part) -> list[Rejected]:
        conflicts: dict[tuple[str, str], Conflict] = {}
        for _ in range(CONFLICTS_MAX):
            left_out = frozenset(conflicts)
            body = b"".join([self.layout.encode(columns, left_out) for columns in part])
            verdicts = await self._deliver(body) if body else []
            found = {(each.measurement, each.field): each for each in verdicts if isinstance(each, Conflict)}
            if not found:
                old = [each for each in verdicts if isinstance(each, TooOld)]
                return list(_rejected(self.layout, part, conflicts, old))
            if found.keys() <= conflicts.keys():
                break  # what it complains of was not in the lines
            conflicts |= found
        raise SinkRefused(f"{self.client.shown}: {next(iter(found.values())).reason}")

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.client.aclose()

    async def _deliver(self, body: bytes) -> list[Verdict]:
        """Send lines, in halves when they are too many for the server."""
        try:
            return [await self._send(body)]
        except TooLarge:
            first, second = halves(body)
        if not second:
            raise SinkRefused(f"{self.client.shown}: a line of {len(body)} bytes is too long for it")
        return [*await self._deliver(first), *await self._deliver(second)]

    async def _send(self, body: bytes) -> Verdict:
        packed = zlib.compress(body, _LEVEL, _GZIP) if "Content-Encoding" in self.client.headers else body
        answer = await self.client.ask("POST", self.path, body=packed)
        if self.create and answer.status == 404 and "database not found" in answer.text:
            await self._make_database()
            answer = await self.client.ask("POST", self.path, body=packed)
        try:
            return understand(answer, body)
        except (SinkUnavailable, SinkRefused) as error:
            raise type(error)(f"{self.client.shown}: {error}") from None

    async def _make_database(self) -> None:
        name = self.create.replace("\\", "\\\\").replace('"', '\\"')
        wish = f'CREATE DATABASE "{name}"'
        form = query(q=wish)[1:].encode()
        answer = await self.client.ask("POST", "/query", body=form, headers=_FORM)
        if answer.status != 200 or '"error"' in answer.text:
            raise SinkUnavailable(f"{self.client.shown}: make the database there ({wish}): {answer.shown}")


def _rejected(
    layout: Layout, part: Part, conflicts: Mapping[tuple[str, str], Conflict], old: Sequence[TooOld]
) -> Iterator[Rejected]:
    """The readings of which something was not written, each once."""
    cut = max(old, key=lambda each: each.upto_ms, default=TooOld(-1, ""))
    for columns in part if conflicts or old else ():
        late = {row: cut.reason for row, at_ms in enumerate(columns.at_ms) if at_ms <= cut.upto_ms}
        reasons = dict(late)
        for key, conflict in conflicts.items():
            for row in layout.having(columns, frozenset({key})):
                reasons.setdefault(row, conflict.reason)
        for row in sorted(reasons):
            yield Rejected(columns.meter, columns.at_ms[row], reasons[row], columns.site, late=row in late)


def _one(names: Sequence[str]) -> bool:
    return len(names) == 1 and "*" not in names[0]
