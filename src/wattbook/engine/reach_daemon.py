"""Where the daemon that has a book serves, and what lets a command of its owner in: it says so beside the book."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from wattbook.config import Config
from wattbook.model import BookError, ConfigError
from wattbook.store import BookHeld


@dataclass(frozen=True, slots=True)
class Daemon:
    """How to reach it. It is asked straight, whatever proxies the environment names: `headers` hold a secret."""

    url: str  # without a slash at its end
    headers: Mapping[str, str] = field(repr=False)
    tls: ssl.SSLContext | None = None  # that trusts its certificate alone

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection that opens itself with the first request."""
        place = urlsplit(self.url).netloc
        if self.tls is None:
            return http.client.HTTPConnection(place, timeout=timeout_s)
        return http.client.HTTPSConnection(place, timeout=timeout_s, context=self.tls)


def find_daemon(config: Config) -> Daemon | None:
    """The daemon of this configuration, whatever the file says by now; None = none serves, or it was killed."""
    try:
        url = config.address.read_text(encoding="utf-8").strip().removesuffix("/")
    except OSError:
        return None
    headers: dict[str, str] = {}
    with suppress(OSError):  # somebody else's: the daemon says that it wants somebody who may
        headers["authorization"] = f"Wattbook-Local {config.secret.read_text(encoding='ascii').strip()}"
    return Daemon(url, headers, _trusting(config) if url.startswith("https:") else None)


def daemon_of(config: Config, held: BookHeld) -> Daemon:
    """The daemon that has the book. Raises BookError when nothing is served."""
    found = find_daemon(config)
    if found is None:
        raise BookError(f"{held}; nobody answers for it: it serves no API", retry=True)
    return found


def _trusting(config: Config) -> ssl.SSLContext:
    """Trust the daemon's very certificate, under whatever name: it is made for the outside, we come from inside."""
    if config.certificate is None:
        raise ConfigError(
            "the daemon serves https, and wattbook.toml names no [api] certificate any more; start it anew"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(config.certificate[0])
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot be used: {error}", place=str(config.certificate[0])) from error
    return context
