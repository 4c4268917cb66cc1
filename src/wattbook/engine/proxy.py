"""A line served to other Modbus masters: who may connect, what they may ask, and what each write leaves behind.

Every client has one request under way at a time; what it sends meanwhile waits in its own connection. So there are
never more requests waiting than clients, and clients take turns by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_network

from wattbook.codecs.modbus import (
    EXCEPTION_WORDS,
    ILLEGAL_FUNCTION,
    WRITES,
    Request,
    Response,
    response_pdu,
)
from wattbook.codecs.modbus_serve import judge_request, refusal
from wattbook.config import ProxySettings, parse_listen
from wattbook.engine.gateway import Gateway
from wattbook.engine.masters import Master, RtuMaster, TcpMaster
from wattbook.engine.status import ProxyStatus
from wattbook.model import Clock, ConfigError, Event, Keeper
from wattbook.model.errors import Garbled
from wattbook.transports.addresses import may_ask, parse_ip
from wattbook.transports.tcp import ask_for_life

CLIENTS_MAX = 32  # of one proxy: a site has a few masters, and each may wait for the line
QUIET_S = 60.0  # of a client: when another one comes and all places are taken, it may be hung up
ANSWER_S_MAX = 5.0  # for a client to take its answer; one that does not read is hung up
REFUSED_PAUSE_S = 0.02  # before an answer that cost the line nothing: nobody asks in vain more than 50 times a second
_BUFFER_SIZE = 1024  # bytes of one client that wait to be understood: a few requests sent ahead
_BACKLOG = 16

_log = logging.getLogger(__name__)


class Proxy:
    """One [[proxy]]. `bind`, then `start` and `stop` in the event loop."""

    def __init__(
        self,
        settings: ProxySettings,
        gateway: Gateway,
        *,
        keeper: Keeper,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings, self._gateway = settings, gateway
        self._keeper, self._clock, self._sleep = keeper, clock, sleep
        self._networks = [ip_network(text) for text in settings.allow]
        self._writers = {parse_ip(text) for text in settings.allow_write}
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], float] = {}  # when each was served last, monotonic; inf: it is now
        self.status = ProxyStatus(settings.line, settings.listen, settings.kind)

    def bind(self) -> None:
        """Take the port. Raises ConfigError in words."""
        host, port = parse_listen(self._settings.listen)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(
                f"{reason}; another program listens there, or name another port",
                place=f"[[proxy]] listen {self._settings.listen}",
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.status.listen = f"{shown}:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        """Answer whoever comes."""
        assert self._socket is not None
        self._server = await asyncio.start_server(self._connected, sock=self._socket, limit=_BUFFER_SIZE)

    async def stop(self) -> None:
        """Hang up, at once."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(list(self._clients))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from its first byte to its last."""
        client = str((writer.get_extra_info("peername") or ("",))[0])
        task = asyncio.current_task()
        assert task is not None
        if not self._welcome(client):
            writer.close()
            return
        self._clients[task] = self._clock.monotonic()
        self.status.clients = len(self._clients)
        try:
            ask_for_life(writer.get_extra_info("socket"))
            await self._serve(task, client, reader, writer)
        except (OSError, EOFError, Garbled, asyncio.CancelledError) as error:  # gone, slow, or no Modbus: hang up
            _log.debug("proxy %s: %s is hung up: %r", self._settings.line, client, error)
        finally:
            writer.close()
            self._clients.pop(task, None)
            self.status.clients = len(self._clients)

    def _welcome(self, client: str) -> bool:
        """Whether a client may stay; when all places are taken, the one that was quiet for longest makes room."""
        if not may_ask(client, self._networks):
            self.status.refused += 1
            _log.warning(
                'proxy %s: %s may not ask; to allow it, name its network in "allow"', self._settings.line, client
            )
            return False
        if len(self._clients) < CLIENTS_MAX:
            return True
        quietest = min(self._clients, key=self._clients.__getitem__)
        if self._clients[quietest] > self._clock.monotonic() - QUIET_S:
            self.status.refused += 1
            return False
        quietest.cancel()
        del self._clients[quietest]
        return True

    async def _serve(
        self, task: asyncio.Task[None], client: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer request after request. Raises OSError, EOFError or Garbled when that cannot go on."""
        master: Master = TcpMaster() if self._settings.kind == "tcp" else RtuMaster()
        while True:
            unit, pdu = await master.request(reader)
            self._clients[task] = float("inf")
            response = await self.answer(client, unit, pdu)
            writer.write(master.frame(unit, response_pdu(response)))
            async with asyncio.timeout(ANSWER_S_MAX):
                await writer.drain()
            self._clients[task] = self._clock.monotonic()

    async def answer(self, client: str, unit: int, pdu: bytes) -> Response:
        """What a client's request deserves: the slave's answer or an exception, never an error."""
        self.status.requests += 1
        request = judge_request(unit, pdu)
        if isinstance(request, Request) and request.function in WRITES and parse_ip(client) not in self._writers:
            _log.info("proxy %s: %s may not write (function %d)", self._settings.line, client, request.function)
            request = refusal(request, ILLEGAL_FUNCTION)
        if isinstance(request, Response):
            self.status.refused += 1
            await self._sleep(REFUSED_PAUSE_S)
            return request
        began = self._clock.monotonic()
        try:
            response = await self._gateway.answer(request)
        except asyncio.CancelledError:
            if request.function in WRITES:
                self._note(client, request, "unknown: wattbook was stopped meanwhile")
            raise
        if request.function in WRITES:
            self.status.writes += not response.exception
            self._note(client, request, _outcome(response))
        if response.exception:
            self.status.exceptions += 1
            if self._clock.monotonic() - began < REFUSED_PAUSE_S:
                await self._sleep(REFUSED_PAUSE_S)
        return response

    def _note(self, client: str, request: Request, outcome: str) -> None:
        """Write down who wrote what, and what became of it."""
        body: dict[str, object] = {
            "client": client,
            "unit": request.unit,
            "function": request.function,
            "address": request.address,
            "count": request.count,
            "words": list(request.words),
            "outcome": outcome,
        }
        if request.bits:
            body["bits"] = request.bits.hex()
        self._keeper.note(Event("proxy.write", self._settings.line, self._clock.now(), body, actor=client))


def _outcome(response: Response) -> str:
    if not response.exception:
        return "done"
    return f"exception {response.exception} ({EXCEPTION_WORDS.get(response.exception, 'unknown exception')})"
