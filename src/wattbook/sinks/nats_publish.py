"""Messages to JetStream, many in flight, each waited for.

Our own inbox takes the answers: the library's `publish` waits for one message after another, and its `publish_async`
leaves one that is refused without an answer for ever (nats.py issue 985).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from wattbook.model import SinkUnavailable
from wattbook.sinks.nats_connect import connect, cut, say_goodbye
from wattbook.sinks.nats_server import NatsServer
from wattbook.sinks.nats_words import in_words

BYTES_IN_FLIGHT_MAX = 16_000_000  # of messages that wait in memory for a slow connection
_TOO_LARGE = 10054  # JSStreamMessageExceedsMaximumErr: the stream's own limit


class Publication(NamedTuple):
    """A message, and the reading it is of. `known_by` is the same when it comes again."""

    subject: str
    body: bytes
    known_by: str
    meter: str
    at_ms: int
    site: str


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    stream: str = ""
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Ack).decode


@dataclass(slots=True)
class Publisher:
    """A connection that is opened when there is something to publish and dropped when that fails."""

    server: NatsServer
    in_flight_max: int
    _connection: _Connection | None = field(default=None, repr=False)

    @property
    def size_max(self) -> int:
        """The largest message that the server takes, in bytes; known while there is a connection."""
        return self._connection.client.max_payload if self._connection else 0

    async def publish(self, publications: Iterator[Publication]) -> list[tuple[Publication, str]]:
        """Publish and wait for every answer; return what the stream will never take, with its reason.

        `publications` is asked for its first when there is a connection. Raises SinkUnavailable.
        """
        try:
            async with asyncio.timeout(self.server.timeout_s):
                return await (await self._opened()).send(publications, self.in_flight_max)
        except (TimeoutError, OSError, nats.errors.Error) as error:
            failure = self._connection.failure if self._connection else None
            self._drop()
            raise SinkUnavailable(f"{self.server.shown}: {in_words(failure or error, self.server)}") from error
        except BaseException:
            self._drop()
            raise

    async def aclose(self) -> None:
        """Close the connection; a later call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await say_goodbye(connection.client)

    async def _opened(self) -> _Connection:
        if self._connection is not None and self._connection.failure is not None:
            self._drop()  # it ended while nothing was to be written
        if self._connection is None:
            connection = _Connection()
            connection.client = await connect(self.server, connection.failed)
            self._connection = connection
            await connection.listen()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            cut(connection.client)


@dataclass(slots=True)
class _Connection:
    """Messages in flight, by the last part of the inbox that their answer comes to."""

    client: Client = field(init=False)
    inbox: str = ""
    sent: int = 0
    bytes_in_flight: int = 0
    in_flight: dict[str, Publication] = field(default_factory=dict)
    refused: list[tuple[Publication, str]] = field(default_factory=list)
    failure: Exception | None = None
    enough: int = 0  # how many in flight are few enough to go on
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        self.inbox = self.client.new_inbox()
        await self.client.subscribe(self.inbox + ".*", cb=self._answered)

    async def send(self, publications: Iterator[Publication], in_flight_max: int) -> list[tuple[Publication, str]]:
        self.refused = []
        for publication in publications:
            if len(self.in_flight) >= in_flight_max or self.bytes_in_flight >= BYTES_IN_FLIGHT_MAX:
                await self._until_at_most(in_flight_max // 2)
            await self._send(publication)
        await self._until_at_most(0)
        return self.refused

    async def _send(self, publication: Publication) -> None:
        self.sent += 1
        number = str(self.sent)
        self.in_flight[number] = publication
        self.bytes_in_flight += len(publication.body)
        await self.client.publish(
            publication.subject,
            publication.body,
            reply=f"{self.inbox}.{number}",
            headers={"Nats-Msg-Id": publication.known_by},
        )

    async def _until_at_most(self, count: int) -> None:
        """Wait until no more than `count` are in flight, and half of the bytes. Raises what ended the connection."""
        self.enough = count
        while self.failure is None and not self._few():
            self.moved.clear()
            await self.moved.wait()
        if self.failure is not None:
            raise self.failure

    def _few(self) -> bool:
        return len(self.in_flight) <= self.enough and self.bytes_in_flight <= BYTES_IN_FLIGHT_MAX // 2

    async def failed(self, error: Exception) -> None:
        """Note why the connection is of no use any more: ended, or not allowed to publish."""
        self.failure = self.failure or error
        self.moved.set()

    async def _answered(self, message: Msg) -> None:
        publication = self.in_flight.pop(message.subject.rpartition(".")[2], None)
        if publication is not None:
            self.bytes_in_flight -= len(publication.body)
            await self._judge(publication, message)
        if self._few():
            self.moved.set()

    async def _judge(self, publication: Publication, message: Msg) -> None:
        if not message.data:
            await self.failed(nats.errors.Error(_no_stream(publication)))
            return
        error = _decode(message.data).error
        if error is None:
            return
        if error.err_code == _TOO_LARGE:
            self.refused.append((publication, f"its message has {len(publication.body)} bytes: {error.description}"))
        else:
            await self.failed(nats.errors.Error(f"the stream takes no message: {error.description}"))


def _no_stream(publication: Publication) -> str:
    return (
        f'no stream takes messages to "{publication.subject}": give one a name with "stream", '
        "or make one (nats stream add)"
    )
