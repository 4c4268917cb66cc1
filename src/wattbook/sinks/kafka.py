"""Kafka: every reading one message, done when all replicas that are in step have it.

The key is the meter, so that a meter's readings stay in one partition and in order. The time of a message is that of
its sending, not of its reading: a topic that forgets by age would forget a backlog at once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wattbook.model import Batch
from wattbook.model.around import Surroundings
from wattbook.sinks.kafka_produce import Produced, Producing
from wattbook.sinks.kafka_server import KafkaServer, parse_brokers
from wattbook.sinks.messages import MessageForm, MessageMaker, make_messages
from wattbook.sinks.sink import Rejected, Sink, SinkSettings, Written
from wattbook.transports.tls import TlsSettings, tls_files
from wattbook.values import SecretText

TOPIC_SIZE_MAX = 249  # characters, Kafka's own limit
_SHARE_OF_TIMEOUT = 0.8  # so that it is we who say what did not answer
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings(SinkSettings):
    """Apache Kafka, and what speaks like it (Redpanda, Azure Event Hubs, Confluent Cloud)."""

    kind: Literal["kafka"] = "kafka"  # which system
    url: str = "kafka://127.0.0.1:9092"  # brokers to begin with, commas between; kafkas:// speaks TLS
    topic: str = "wattbook.readings"  # where a message goes; in names all but letters, digits and - becomes _
    message_key: str = "{meter}"  # messages of one key stay in order; "" = none
    message: MessageForm = ""  # a text, or a table that is sent as JSON; "" = the JSON of a reading
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "lz4"  # of what is sent together
    size_max: Annotated[int, Field(ge=1_000, le=100_000_000)] = 1_000_000  # bytes of a message; the topic's own limit
    username: str = ""  # with a password (SASL)
    password: SecretText | None = None  # of the user
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"  # how user and password are proved
    ca: Path | None = None  # authorities that vouch for the brokers; else the system's
    certificate: Path | None = None  # our own, for brokers that ask for one
    key: Path | None = None  # of our certificate
    client_id: str = "wattbook"  # what brokers call us in their logs and quotas

    def make(self, around: Surroundings) -> Sink:
        """The sink of these settings. Raises ValueError."""
        maker = make_messages(around, place=self.topic, key=self.message_key, body=self.message, escape=as_topic)
        return KafkaSink(maker, Producing(self._server()))

    def _server(self) -> KafkaServer:
        tls = tls_files(self.ca, self.certificate, self.key)
        brokers, secure = parse_brokers(self.url)
        if not secure and tls != TlsSettings():
            raise ValueError("certificates are of no use with kafka://; write kafkas://")
        return KafkaServer(
            brokers=brokers,
            secure=secure,
            username=self.username,
            password=self.password,
            mechanism=self.mechanism,
            tls=tls,
            client_id=self.client_id,
            compression=self.compression,
            size_max=self.size_max,
            timeout_s=self.timeout * _SHARE_OF_TIMEOUT,
        )


@dataclass(slots=True)
class KafkaSink:
    """Produces batches and waits for every acknowledgement."""

    maker: MessageMaker
    producing: Producing
    any_order: ClassVar[bool] = False  # who follows a topic may rely on the order of a meter's readings
    append_only: ClassVar[bool] = False  # a correction is another message of the same identity

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Produce every reading. Raises SinkUnavailable, SinkRefused."""
        rejected: list[Rejected] = []
        topics = self._by_topic(batch, rejected)
        for one, reason in await self.producing.produce(topics):
            rejected.append(Rejected(one.meter, one.at_ms, reason, one.site))
        return Written(tuple(rejected), bookmark)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self.producing.aclose()

    def _by_topic(self, batch: Batch, rejected: list[Rejected]) -> dict[str, list[Produced]]:
        topics: dict[str, list[Produced]] = defaultdict(list)
        for messages in self.maker.messages(batch):
            columns = messages.columns
            for row, topic, key, body in messages.rows():
                topics[topic].append(Produced(body, key or None, columns.meter, columns.at_ms[row], columns.site))
        for topic in [topic for topic in topics if not _may_be(topic)]:
            reason = f'no topic can be called "{topic}"'
            rejected += [Rejected(one.meter, one.at_ms, reason, one.site) for one in topics.pop(topic)]
        return topics


@lru_cache(10_000)
def as_topic(name: str) -> str:
    """A name as a part of a topic's name."""
    return _NO_NAME.sub("_", name) or "_"


def _may_be(topic: str) -> bool:
    return len(topic) <= TOPIC_SIZE_MAX and topic not in (".", "..") and not re.search(r"[^A-Za-z0-9._-]", topic)
