"""Where Kafka is and who we are there, as its library wants to be told, and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from wattbook.transports.tls import TlsSettings, tls_context
from wattbook.values import Secret

MESSAGES_WAITING_MAX = 100_000  # in the library's queue; more of a batch are given when these are done
_KILOBYTES_WAITING_MAX = 65_536  # of memory for them
_RECONNECT_MS_MAX = 1_000  # a broker that is back is found again at once


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """Brokers to begin with, who we are there, and how messages are sent."""

    brokers: Sequence[str]
    secure: bool
    username: str
    password: Secret | None
    mechanism: str
    tls: TlsSettings
    client_id: str
    compression: str
    size_max: int
    timeout_s: float

    @property
    def shown(self) -> str:
        """The addresses, for an error."""
        return ("kafkas://" if self.secure else "kafka://") + ",".join(self.brokers)

    def options(self) -> dict[str, Any]:
        """What librdkafka is told. Raises ConfigError naming a file that cannot be used."""
        timeout_ms = int(self.timeout_s * 1000)
        told: dict[str, Any] = {
            "bootstrap.servers": ",".join(self.brokers),
            "client.id": self.client_id,
            "enable.idempotence": True,  # acks=all, and what the library sends again is stored once
            "compression.type": self.compression,
            "message.max.bytes": self.size_max,
            "message.timeout.ms": timeout_ms,
            "request.timeout.ms": timeout_ms,
            "socket.timeout.ms": timeout_ms,
            "socket.connection.setup.timeout.ms": max(1000, timeout_ms // 2),
            "topic.metadata.propagation.max.ms": timeout_ms // 2,  # then a topic that is not there is told as such
            "reconnect.backoff.max.ms": _RECONNECT_MS_MAX,
            "queue.buffering.max.messages": MESSAGES_WAITING_MAX,
            "queue.buffering.max.kbytes": _KILOBYTES_WAITING_MAX,
            "log_level": 0,  # what it has to say comes as errors
        }
        return told | self._who_we_are() | self._tls()

    def _who_we_are(self) -> dict[str, Any]:
        if not self.username:
            return {"security.protocol": "ssl" if self.secure else "plaintext"}
        return {
            "security.protocol": "sasl_ssl" if self.secure else "sasl_plaintext",
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password.reveal() if self.password else "",
        }

    def _tls(self) -> dict[str, Any]:
        if not self.secure:
            return {}
        tls_context(self.tls)  # it names the file that cannot be used; the library does not
        told = {
            "ssl.ca.location": self.tls.ca_file,
            "ssl.certificate.location": self.tls.certificate_file,
            "ssl.key.location": self.tls.key_file,
        }
        return {name: file for name, file in told.items() if file}


def parse_brokers(url: str) -> tuple[Sequence[str], bool]:
    """Read `kafka[s]://HOST[:PORT],HOST[:PORT]` into addresses and whether TLS is spoken. Raises ValueError."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("kafka", "kafkas") or "@" in rest:
        raise ValueError(_NO_ADDRESS)
    return [_broker(each.strip()) for each in rest.rstrip("/").split(",")], scheme == "kafkas"


def _broker(text: str) -> str:
    try:
        parts = urlsplit("//" + text)
        port = parts.port or 9092
    except ValueError as error:
        raise ValueError(_NO_ADDRESS) from error
    if not parts.hostname or parts.path or parts.query:
        raise ValueError(_NO_ADDRESS)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


_NO_ADDRESS = (
    'is no address of brokers; write kafka://host:9092,other:9092, or kafkas:// for TLS; a user stands in "username"'
)
