"""Where an MQTT broker is, whom to trust there and who we are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from wattbook.model.errors import ConfigError
from wattbook.transports.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where a broker is. `client_id` names the session that keeps our messages while we are away: stable, and ours."""

    host: str
    port: int
    client_id: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: TlsSettings | None = None
    keepalive_s: int = 30
    alpn: str = ""  # what is to be spoken inside TLS, where one port serves several protocols

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_broker(url: str, *, client_id: str, tls: TlsSettings | None = None) -> BrokerSettings:
    """Read `mqtt[s]://[user[:password]@]host[:port]`. Raises ConfigError; the password is in no message."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError("not an address of an MQTT broker; write mqtt://host:1883 or mqtts://host") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError("not an address of an MQTT broker; write mqtt://host:1883 or mqtts://host")
    secure = parts.scheme == "mqtts"
    if tls and not secure:
        raise ConfigError(f"certificates are of no use with mqtt://; write mqtts://{parts.hostname}")
    return BrokerSettings(
        host=parts.hostname,
        port=port or (8883 if secure else 1883),
        client_id=client_id,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=(tls or TlsSettings()) if secure else None,
    )


def session_name(*parts: str) -> str:
    """A client id that is the same at every start: 23 letters and digits, which every broker must take."""
    return "wattbook" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:15]
