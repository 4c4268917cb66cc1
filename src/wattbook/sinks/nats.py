"""NATS JetStream: every reading one message of a stream, done when the stream has said so.

The subject names site and meter. `Nats-Msg-Id` is the reading's identity and a checksum of its content: within its
window (2 minutes unless the stream says otherwise) a stream drops what comes twice, and still takes a correction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from wattbook.model.around import Surroundings
from wattbook.sinks.messages import MessageForm, make_messages
from wattbook.sinks.nats_server import NatsServer, parse_servers
from wattbook.sinks.sink import Sink, SinkSettings
from wattbook.transports.tls import tls_files
from wattbook.values import SecretText

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
        from wattbook.sinks.nats_publish import Publisher  # and NATS's own library, which no form needs
        from wattbook.sinks.nats_write import NatsSink

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
