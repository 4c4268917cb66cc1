"""Kafka: every reading one message, done when all replicas that are in step have it.

The key is the meter, so that a meter's readings stay in one partition and in order. The time of a message is that of
its sending, not of its reading: a topic that forgets by age would forget a backlog at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from wattbook.model.around import Surroundings
from wattbook.sinks.kafka_server import KafkaServer, parse_brokers
from wattbook.sinks.messages import MessageForm, make_messages
from wattbook.sinks.sink import Sink, SinkSettings
from wattbook.transports.tls import TlsSettings, tls_files
from wattbook.values import SecretText

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
        from wattbook.sinks.kafka_produce import Producing  # and librdkafka, which no form needs
        from wattbook.sinks.kafka_write import KafkaSink

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


@lru_cache(10_000)
def as_topic(name: str) -> str:
    """A name as a part of a topic's name."""
    return _NO_NAME.sub("_", name) or "_"
