"""One line asked for other masters: patience with each slave, equal reads asked once, failures as exceptions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from wattbook.codecs.conversation import Conversation, T
from wattbook.codecs.modbus import BROADCAST, WRITES, Request, Response
from wattbook.codecs.modbus_ask import Framing
from wattbook.codecs.modbus_serve import BUSY, PATH_UNAVAILABLE, TARGET_SILENT, refusal
from wattbook.engine.orders import LineBusy
from wattbook.engine.schedule import Patience
from wattbook.model.clock import Clock
from wattbook.model.errors import Garbled, Refused, Unreachable
from wattbook.transports.link import LinkLost

WAIT_S_MAX = 3.0  # for a turn on the line: masters give up after one to five seconds
STRANGER_S = 0.5  # for the first byte of a slave that no master heard yet: it may be slow, and may not be there
WRITE_S = 1.0  # to confirm a write: some meters store it first, and nobody may ask twice


class AskedLine(Protocol):
    """A line of ours, serial or Modbus TCP."""

    @property
    def framing(self) -> Framing:
        """How PDUs travel on it."""
        ...

    def submit(self, conversation: Conversation[T], *, meter: str = "", guest: bool = False) -> Future[T]:
        """Play a conversation in its turn."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """What a gateway must know of its line."""

    timeout_s_min: float = 0.0  # a network lies between
    broadcasts: bool = True  # unit 0 is everybody, who never answer; else a device of its own
    meters: Mapping[int, str] | None = None  # unit -> meter, where the meter tells the port; None: there is one port


@dataclass(slots=True)
class _Slave:
    """What was learnt of one unit. Only reads teach how quick it is."""

    patience: Patience = field(default_factory=Patience)
    heard: bool = False
    aside_until: float = 0.0  # monotonic


class Gateway:
    """Asks one line. Lives in the event loop; all proxies of a line share its gateway."""

    def __init__(self, line: AskedLine, route: Route, *, clock: Clock) -> None:
        self._line, self._route, self._clock = line, route, clock
        self._slaves: dict[int, _Slave] = {}  # at most 256 units
        self._reads: dict[Request, asyncio.Task[Response]] = {}  # at most one for each client

    async def answer(self, request: Request) -> Response:
        """What the slave says, or an exception: its own, or the gateway's (6, 10, 11)."""
        if request.function in WRITES:
            return await self._ask(request)
        task = self._reads.get(request)
        if task is None:
            task = self._reads[request] = asyncio.create_task(self._ask(request))
            task.add_done_callback(lambda _: self._reads.pop(request, None))
        return await asyncio.shield(task)

    def stop(self) -> None:
        """Give up what was begun."""
        for task in list(self._reads.values()):
            task.cancel()

    async def _ask(self, request: Request) -> Response:
        if request.unit == BROADCAST and self._route.broadcasts:
            return refusal(request, TARGET_SILENT)  # by the standard nobody answers, so nobody is asked
        meters = self._route.meters
        if meters is not None and request.unit not in meters:
            return refusal(request, PATH_UNAVAILABLE)
        slave = self._slaves.setdefault(request.unit, _Slave())
        now = self._clock.monotonic()
        if now < slave.aside_until:
            return refusal(request, TARGET_SILENT)
        conversation = self._timed(request, slave, self._timeout_s(request, slave, now))
        try:
            return await self._in_turn(conversation, meter=meters[request.unit] if meters else "")
        except Refused as refused:
            slave.patience.failures = 0  # it lives
            return refusal(request, refused.code)
        except LineBusy:
            return refusal(request, BUSY)
        except LinkLost:
            return refusal(request, PATH_UNAVAILABLE)
        except (Unreachable, Garbled) as error:
            delay_s = slave.patience.failed(at_once=isinstance(error, Garbled))
            slave.aside_until = self._clock.monotonic() + delay_s
            return refusal(request, TARGET_SILENT)

    def _timeout_s(self, request: Request, slave: _Slave, now: float) -> float:
        usual_s = slave.patience.timeout_s(now) if slave.heard else STRANGER_S
        return max(usual_s, self._route.timeout_s_min, WRITE_S if request.function in WRITES else 0.0)

    def _timed(self, request: Request, slave: _Slave, timeout_s: float) -> Conversation[Response]:
        """The exchange, timed on the line itself: waiting for a turn says nothing about the slave."""
        began = self._clock.monotonic()
        response = yield from self._line.framing.exchange(request, timeout_s)
        now = self._clock.monotonic()
        if request.function not in WRITES:
            slave.patience.answered(now - began, now)
            slave.heard = True
        return response

    async def _in_turn(self, conversation: Conversation[Response], *, meter: str) -> Response:
        """Play it as the line's guest. Raises LineBusy when its turn does not come; once begun, it is waited for."""
        done = self._line.submit(conversation, meter=meter, guest=True)
        waiting = asyncio.wrap_future(done)
        await asyncio.wait([waiting], timeout=WAIT_S_MAX)
        if not waiting.done() and done.cancel():
            raise LineBusy(f"no turn within {WAIT_S_MAX:g} s")
        return await waiting
