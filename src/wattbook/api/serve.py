"""uvicorn inside the daemon's loop: bound first, stopped within a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wattbook.api.context import ApiContext
from wattbook.api.door import Door
from wattbook.config import Config, parse_listen
from wattbook.engine.in_step import in_step
from wattbook.engine.live import BEGINS_ANEW, Live
from wattbook.model import ConfigError
from wattbook.transports.tls import load_own, server_context

if TYPE_CHECKING:
    from starlette.types import ASGIApp

CONNECTIONS_MAX = 400  # live streams, and requests beside them; each takes a file descriptor
RENEWAL_S = 60.0  # between two looks whether the certificate's files have changed
_BACKLOG = 128
# Threads that answer queries. Python runs one at a time anyway; each more makes the lines' threads wait for the
# interpreter longer: queried hard, 40 (anyio's own number) cost a line at 9600 Bd some 5 % of its limit, one costs
# some 2 %, and one answers more queries.
_WORKERS = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """Where the API listens."""

    host: str
    port: int
    ended: asyncio.Future[None]  # done only when serving ended by itself, which is a fault
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The address of the page, for a person on this machine."""
        any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
        host = any_address.get(self.host, self.host)
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"


class Serving:
    """One address, listened on once. What answers there may change: a request that comes meanwhile waits."""

    def __init__(self, config: Config) -> None:
        """Listen. Raises ConfigError when that cannot be."""
        host, port = parse_listen(config.api.listen)
        self._config = config
        self._tls = None if config.certificate is None else server_context(*config.certificate)
        self._sockets = bind(host, port)
        self._door = Door()
        self._stopping, self._begun = asyncio.Event(), asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._changes: asyncio.Task[None] | None = None
        self._live: Live | None = None
        self._server = asyncio.create_task(self._serve(), name="api")
        port = self._sockets[0].getsockname()[1]
        self.served = Served(host, port, self._server, "http" if self._tls is None else "https")

    async def _serve(self) -> None:
        """Serve, and show changes of state; a bug in either ends both, and is raised."""
        async with self._group as group:
            renewals = group.create_task(_follow_certificate(self._config, self._tls), name="api certificate")
            self._begun.set()
            await serve(self._door, self._sockets, self._stopping, self._tls)
            renewals.cancel()
            await self._no_changes()

    async def answer(self, context: ApiContext) -> None:
        """Let an application of this context answer from now on."""
        # The address is bound before the slow imports, so that a taken port is told at once.
        app = await asyncio.to_thread(_make_app, context)
        await self._begun.wait()
        self._live = context.live
        self._changes = self._group.create_task(context.live.follow_statuses(context.statuses), name="api changes")
        self._door.open(app)

    async def pause(self) -> None:
        """End streams and what is begun, within some seconds; who comes now waits for the next application."""
        if self._live:
            self._live.close(BEGINS_ANEW)  # streams never end by themselves
        await self._no_changes()
        await self._door.close()

    async def _no_changes(self) -> None:
        if self._changes is not None:
            self._changes.cancel()
            await asyncio.wait([self._changes])
            self._changes = None

    async def aclose(self) -> None:
        """Serve no more. Raises a bug that ended serving before."""
        if self._live:
            self._live.close()
        self._door.shut()
        self._stopping.set()
        try:
            await self._server
        finally:
            for listener in self._sockets:
                listener.close()


@contextlib.asynccontextmanager
async def serving(context: ApiContext) -> AsyncIterator[Served]:
    """Serve until the block is left. Raises ConfigError when the address cannot be listened on."""
    found = Serving(context.config)
    try:
        await found.answer(context)
        yield found.served
    finally:
        await found.aclose()


async def _follow_certificate(config: Config, tls: ssl.SSLContext | None) -> None:
    """Show a renewed certificate without a new start; while the new files do not fit, the old one stays."""
    if tls is None or config.certificate is None:
        return
    shown = _changed_ns(config.certificate)
    while True:
        await asyncio.sleep(RENEWAL_S)
        found = _changed_ns(config.certificate)
        if found != shown and None not in found:
            try:
                server_context(*config.certificate)  # tried apart: half loaded, the old one would be gone
                load_own(tls, *config.certificate)
                _log.info("the certificate was renewed")
            except ConfigError as error:
                _log.warning("%s; the one before stays in use", error)
            shown = found


def _changed_ns(files: Sequence[Path]) -> Sequence[int | None]:
    return [file.stat().st_mtime_ns if file.exists() else None for file in files]


def _make_app(context: ApiContext) -> ASGIApp:
    from wattbook.api.app import make_app

    return make_app(context)


def bind(host: str, port: int) -> Sequence[socket.socket]:
    """Listen on every address of a host; port 0 takes a free one. Raises ConfigError in words."""
    place = f"[api] listen {host}:{port}"
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address[0], sockets[0].getsockname()[1], *address[2:]) if len(sockets) > 1 else address)
            listener.listen(_BACKLOG)
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise ConfigError(
            f"{error.strerror or error}; is another wattbook running? See --listen", place=place
        ) from error
    return sockets


async def serve(
    app: ASGIApp, sockets: Sequence[socket.socket], stopping: asyncio.Event, tls: ssl.SSLContext | None = None
) -> None:
    """Serve on bound sockets until told to stop; then answer what is begun, for at most a second."""
    import uvicorn
    from anyio.to_thread import current_default_thread_limiter

    from wattbook.api.protocol import BoundedProtocol

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # the daemon has its own

        async def main_loop(self) -> None:
            """Until told to stop. uvicorn's own looks for that ten times a second: most of what an idle daemon does."""
            async with asyncio.TaskGroup() as group:
                dating = group.create_task(self._date())
                await stopping.wait()
                dating.cancel()

        async def _date(self) -> None:
            while True:
                await self.on_tick(0)  # the header "Date" of answers
                await in_step(1.0)

    server = Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # the guard looks behind proxies, those that are named
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=1,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
    )

    current_default_thread_limiter().total_tokens = _WORKERS
    await server.serve(list(sockets))
