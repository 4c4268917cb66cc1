"""NATS JetStream: every reading one message of a stream, done when the stream has said so.

The subject names site and meter. `Nats-Msg-Id` is the reading's identity and a checksum of its content: within its
window (2 minutes unless the stream says otherwise) a stream drops what comes twice, and still takes a correction.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wattbook.model import Batch
from wattbook.model.around import Surroundings
from wattbook.sinks.messages import MessageForm, MessageMaker, make_messages
from wattbook.sinks.nats_publish import Publication, Publisher
from wattbook.sinks.nats_server import NatsServer, parse_servers
from wattbook.sinks.sink import Rejected, Sink, SinkSettings, Written
from wattbook.transports.tls import tls_files
from wattbook.values import SecretText

SUBJECT_SIZE_MAX = 1_000  # bytes; a server takes command lines of 4,096, and an inbox stands in them too
_SHARE_OF_TIMEOUT = 0.8  # so that it is we who say what did not answer
_NO_NAME = re.compile(r"[\x00-\x20\x7f.*>$%]")


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings(SinkSettings):
    """NATS JetStream."""

    kind: Literal["nats"] = "nats"  # which system
    url: str = "nats://127.0.0.1:4222"  # tls:// insists on TLS; several of one cluster with commas between
    subject: str = "wattbook.{site}.{meter}"  # where a message goes; dots and wildcards in names are written %2E …
    message: MessageForm = ""  # a text, or a table that is sent as JSON; "" = the JSON of a reading
    stream: str = ""  # made when it is not there; "" = somebody else has made the one that takes the subjects
    stream_subjects: tuple[str, ...] = ()  # of a stream that is made; () = all that begin as `subject` does
    replicas: Annotated[int, Field(ge=1, le=5)] = 1  # of a stream that is made
    username: str = ""  # with a password; a token, an nkey or credentials may stand instead
    password: SecretText | None = None  # of the user
    token: SecretText | None = None  # instead of a user
    nkey: Path | None = None  # a file with the seed of a user's key
    credentials: Path | None = None  # a file with a user's JWT and seed, as nsc writes it
    ca: Path | None = None  # authorities that vouch for the server; else the system's
    certificate: Path | None = None  # our own, for servers that ask for one
    key: Path | None = None  # of our certificate
    in_flight: Annotated[int, Field(ge=1, le=50_000)] = 4_000  # messages that the stream has not answered yet

    def make(self, around: Surroundings) -> Sink:
        """The sink of these settings. Raises ValueError."""
        maker = make_messages(around, place=self.subject, key="", body=self.message, escape=as_token)
        return NatsSink(maker, Publisher(self._server(), self.in_flight))

    def _server(self) -> NatsServer:
        return NatsServer(
            urls=parse_servers(self.url),
            username=self.username,
            password=self.password,
            token=self.token,
            nkey=self.nkey,
            credentials=self.credentials,
            tls=tls_files(self.ca, self.certificate, self.key),
            timeout_s=self.timeout * _SHARE_OF_TIMEOUT,
            stream=self.stream,
            subjects=(self.stream_subjects or _beginning_of(self.subject)) if self.stream else (),
            replicas=self.replicas,
        )


@dataclass(slots=True)
class NatsSink:
    """Publishes batches and waits for every acknowledgement."""

    maker: MessageMaker
    publisher: Publisher
    any_order: ClassVar[bool] = False  # who follows a stream may rely on the order of a meter's readings
    append_only: ClassVar[bool] = False  # a correction is another message of the same identity

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Publish every reading. Raises SinkUnavailable."""
        rejected: list[Rejected] = []
        refused = await self.publisher.publish(self._publications(batch, rejected))
        rejected += [Rejected(one.meter, one.at_ms, reason, one.site) for one, reason in refused]
        return Written(tuple(rejected), bookmark)

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.publisher.aclose()

    def _publications(self, batch: Batch, rejected: list[Rejected]) -> Iterator[Publication]:
        """Yield what is to be published. Asked for when there is a connection, which knows what is too large."""
        for messages in self.maker.messages(batch):
            columns, identities = messages.columns, self.maker.identities(messages.columns, messages.quantity)
            for row, subject, _, body in messages.rows():
                reason = self._reason_against(subject, body)
                if reason:
                    rejected.append(Rejected(columns.meter, columns.at_ms[row], reason, columns.site))
                    continue
                known_by = f"{identities[row]}/{zlib.crc32(body):08x}"
                yield Publication(subject, body, known_by, columns.meter, columns.at_ms[row], columns.site)

    def _reason_against(self, subject: str, body: bytes) -> str:
        if len(subject.encode()) > SUBJECT_SIZE_MAX:
            return f"its subject has more than {SUBJECT_SIZE_MAX} bytes"
        if len(body) > self.publisher.size_max:
            return f"its message has {len(body)} bytes, and the server takes {self.publisher.size_max}"
        return ""


@lru_cache(10_000)
def as_token(name: str) -> str:
    """A name as one token of a subject: `a.b` is `a%2Eb`, nothing is `_`. Names stay apart from one another."""
    return _NO_NAME.sub(lambda match: f"%{ord(match[0]):02X}", name) or "_"


def _beginning_of(subject: str) -> tuple[str, ...]:
    """The subjects that begin as a template does. Raises ValueError: it begins with a name."""
    literal, place, _ = subject.partition("{")
    if not place:
        return (subject,)
    beginning = literal.rpartition(".")[0]
    if not beginning:
        raise ValueError('a "subject" that begins with a name needs "stream_subjects" for the stream that is made')
    return (beginning + ".>",)
