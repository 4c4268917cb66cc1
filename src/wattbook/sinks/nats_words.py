"""What goes wrong with NATS, in words."""

from __future__ import annotations

import socket
import ssl

import nats.errors
import nats.js.errors

from wattbook.model import ConfigError
from wattbook.sinks.nats_server import NatsServer
from wattbook.transports.connection_words import connection_words
from wattbook.transports.tls import tls_words


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
        case ConnectionResetError() | BrokenPipeError() if server.secure:
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
