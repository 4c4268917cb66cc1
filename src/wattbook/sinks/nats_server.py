"""Where NATS is and who we are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from wattbook.transports.tls import TlsSettings
from wattbook.values import Secret


@dataclass(frozen=True, slots=True)
class NatsServer:
    """Where a server or cluster is, who we are there, and which stream we want."""

    urls: Sequence[str]
    username: str
    password: Secret | None
    token: Secret | None
    nkey: Path | None
    credentials: Path | None
    tls: TlsSettings
    timeout_s: float
    stream: str = ""
    subjects: Sequence[str] = field(default=())
    replicas: int = 1

    @property
    def secure(self) -> bool:
        """Whether TLS was asked for, so that nothing may be said without it."""
        return self.urls[0].startswith("tls://") or any((self.tls.ca_file, self.tls.certificate_file))

    @property
    def shown(self) -> str:
        """The addresses, for an error."""
        return ",".join(self.urls)


def parse_servers(url: str) -> Sequence[str]:
    """Read `nats://HOST[:PORT],…` or `tls://…`. Raises ValueError; what stands before an @ is in no message."""
    found = []
    for each in url.split(","):
        try:
            parts = urlsplit(each.strip())
            port = parts.port or 4222
        except ValueError as error:
            raise ValueError("is no address of a NATS server; write nats://host:4222 or tls://host") from error
        if parts.scheme not in ("nats", "tls") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("is no address of a NATS server; write nats://host:4222 or tls://host")
        if parts.username is not None:
            raise ValueError('a user stands in "username" and "password", or "token", not in the address')
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        found.append(f"{parts.scheme}://{host}:{port}")
    if len({each.partition(":")[0] for each in found}) > 1:
        raise ValueError("nats:// and tls:// cannot be mixed")
    return found
