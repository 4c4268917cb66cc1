"""Where NATS is and who we are there, and what goes wrong in words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nats.errors
import nats.js.errors

from wattbook.model import ConfigError
from wattbook.transports.connection_words import connection_words
from wattbook.transports.tls import TlsSettings, tls_words
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


def in_words(error: BaseException, server: NatsServer) -> str:
    """What went wrong, for a person."""
    text = str(error).removeprefix("nats: ").strip("'\n ")
    match error:
        case ConfigError() | NoTls():
            return str(error)
        case socket.gaierror():
            return "no host of this name is known"
        case TimeoutError():
            return f"no answer within {server.timeout_s:.0f} s"
        case ssl.SSLError() if words := tls_words(error):
            return words
        case ConnectionResetError() if server.secure:
            return 'it ended the connection; does it ask for a "certificate" of ours?'
        case nats.errors.UnexpectedEOF() | nats.errors.ConnectionClosedError() | nats.errors.StaleConnectionError():
            return "it ended the connection"
        case nats.errors.AuthorizationError():
            return _NOT_LET_IN
        case nats.js.errors.ServiceUnavailableError() | nats.errors.NoRespondersError():
            return "JetStream is not switched on there (nats-server -js)"
        case nats.js.errors.APIError():
            return f'the stream "{server.stream}" cannot be made: {error.description}'
        case _ if "authorization" in text.lower() or "authentication" in text.lower():
            return _NOT_LET_IN
        case OSError():
            return f"no connection: {connection_words(error)}"
        case _:
            return text or type(error).__name__


_NOT_LET_IN = "it does not let us in: is the user, password, token or key right, and is one given?"


class NoTls(nats.errors.Error):
    """TLS was asked for, and nothing may be said without it."""

    def __str__(self) -> str:
        return "it does not offer TLS, and tls:// was asked for"
