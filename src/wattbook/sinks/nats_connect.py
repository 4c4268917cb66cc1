"""A connection to a NATS server: who we are there, the stream, and what goes wrong in words."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats.errors
import nats.js.errors
import nkeys
from nats.aio.client import Client, RawCredentials
from nats.js.api import StorageType, StreamConfig

from wattbook.model import ConfigError, SinkUnavailable
from wattbook.transports.tls import TlsSettings, tls_context, tls_words
from wattbook.values import Secret

_PING_S = 20  # how often a quiet connection is tried; two that stay without an answer end it

Failed = Callable[[Exception], Awaitable[None]]


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


async def connect(server: NatsServer, failed: Failed) -> Client:
    """Open a connection and see to the stream. `failed` hears of what goes wrong later. Raises SinkUnavailable."""
    client, heard = Client(), _Heard()
    try:
        await client.connect(error_cb=heard.note, closed_cb=heard.closed, **_options(server, client))
        if server.secure and not _speaks_tls(client):
            raise _NoTls
        if server.stream:
            await _see_to_stream(client, server)
    except (nats.errors.Error, nkeys.NkeysError, OSError, ValueError, ConfigError) as error:
        cut(client)
        raise SinkUnavailable(f"{server.shown}: {in_words(heard.last or error, server)}") from error
    except BaseException:
        cut(client)
        raise
    heard.pass_to = failed
    return client


def cut(client: Client) -> None:
    """End a connection at once. The library's own `close` waits for the other side, which may hang."""
    client._status = Client.CLOSED
    tasks = [client._reading_task, client._ping_interval_task, client._flusher_task]
    tasks += [subscription._wait_for_msgs_task for subscription in client._subs.values()]
    for task in filter(None, tasks):
        task.cancel()
    for name in ("_io_writer", "_bare_io_writer"):  # with TLS, without
        writer = getattr(client._transport, name, None)
        if writer is not None:
            writer.transport.abort()


def in_words(error: BaseException, server: NatsServer) -> str:
    """What went wrong, for a person."""
    text = str(error).removeprefix("nats: ").strip("'\n ")
    match error:
        case ConfigError() | _NoTls():
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
            return f"no connection: {error.strerror or text or type(error).__name__}"
        case _:
            return text or type(error).__name__


_NOT_LET_IN = "it does not let us in: is the user, password, token or key right, and is one given?"


class _NoTls(nats.errors.Error):
    def __str__(self) -> str:
        return "it does not offer TLS, and tls:// was asked for"


@dataclass(slots=True)
class _Heard:
    """What the library tells on the side: the reason, where what it raises has none."""

    last: Exception | None = None
    pass_to: Failed | None = None

    async def note(self, error: Exception) -> None:
        self.last = error
        if self.pass_to is not None:
            await self.pass_to(error)

    async def closed(self) -> None:
        if self.pass_to is not None:
            await self.pass_to(self.last or nats.errors.ConnectionClosedError())


def _options(server: NatsServer, client: Client) -> dict[str, Any]:
    options: dict[str, Any] = {
        "servers": list(server.urls),
        "name": "wattbook",
        "allow_reconnect": False,  # whoever delivers comes again, with what was not acknowledged
        "max_reconnect_attempts": 1,  # tries of each server: one after another, without an end otherwise
        "reconnect_time_wait": 0,
        "connect_timeout": server.timeout_s / 2,
        "ping_interval": _PING_S,
        "pending_size": 0,  # what waits is bounded by what is in flight
        "tls": tls_context(server.tls) if server.secure else None,
        "nkeys_seed": None if server.nkey is None else str(server.nkey),
        "user_credentials": None if server.credentials is None else _credentials(server.credentials),
    }
    if server.username:
        options |= {"user": server.username, "password": _told_with_tls_only(server, client, server.password)}
    if server.token is not None:
        options["token"] = _told_with_tls_only(server, client, server.token)
    return options


def _credentials(path: Path) -> RawCredentials:
    """Read a user's file. The library would look for its parts without an end. Raises ConfigError, OSError."""
    text = path.read_text(encoding="utf-8")
    if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
        raise ConfigError("no user's credentials as nsc writes them: a JWT and a seed", place=str(path))
    return RawCredentials(text)


def _told_with_tls_only(server: NatsServer, client: Client, secret: Secret | None) -> Callable[[], str]:
    """The library goes on in the clear where a server does not offer TLS; a secret does not."""

    def tell() -> str:
        if server.secure and not _speaks_tls(client):
            raise _NoTls
        return secret.reveal() if secret else ""

    return tell


def _speaks_tls(client: Client) -> bool:
    return bool(client._server_info.get("tls_required"))


async def _see_to_stream(client: Client, server: NatsServer) -> None:
    """Make the stream where there is none of its name; one that is there stays as it is."""
    jetstream = client.jetstream(timeout=server.timeout_s / 2)
    try:
        await jetstream.stream_info(server.stream)
    except nats.js.errors.NotFoundError:
        wanted = StreamConfig(
            name=server.stream,
            subjects=list(server.subjects),
            storage=StorageType.FILE,
            num_replicas=server.replicas,
            description="Meter readings, made by wattbook",
        )
        await jetstream.add_stream(wanted)


async def closed(client: Client) -> None:
    """Say goodbye in the time that a server needs that is there."""
    with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
        await asyncio.wait_for(client.flush(), 1)
    cut(client)
