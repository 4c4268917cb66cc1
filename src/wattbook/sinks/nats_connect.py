"""A connection to a NATS server, which proves who we are and sees to the stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.errors
import nats.js.errors
import nkeys
from nats.aio.client import Client, RawCredentials
from nats.js.api import StorageType, StreamConfig

from wattbook.model import ConfigError, SinkUnavailable
from wattbook.sinks.nats_server import NatsServer
from wattbook.sinks.nats_words import NoTls, in_words
from wattbook.transports.tls import tls_context
from wattbook.values import Secret

_PING_S = 20  # how often a quiet connection is tried; two that stay without an answer end it

Failed = Callable[[Exception], Awaitable[None]]


async def connect(server: NatsServer, failed: Failed) -> Client:
    """Open a connection and see to the stream. `failed` hears of what goes wrong later. Raises SinkUnavailable."""
    client, heard = Client(), _Heard()
    try:
        await client.connect(error_cb=heard.note, closed_cb=heard.closed, **_options(server, client))
        if server.secure and not _speaks_tls(client):
            raise NoTls
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


async def say_goodbye(client: Client) -> None:
    """Say goodbye in the time that a server needs that is there."""
    with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
        await asyncio.wait_for(client.flush(), 1)
    cut(client)


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
            raise NoTls
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
