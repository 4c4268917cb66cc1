"""A connection's bounds: a client that reads slowly gets its answer, one that does not read is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from wattbook.api.protocol import READ_LEAST, BoundedProtocol

ANSWER = 7_000_000  # bytes: 100,000 points as JSON


class Wire(asyncio.Transport):
    """What waits for a client, and whether it was cut."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting, self.cut = ANSWER, False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def abort(self) -> None:
        self.cut = True


class Timers(asyncio.AbstractEventLoop):
    """A loop whose time goes on when it is told to."""

    def __init__(self) -> None:
        self._now_s, self._timers = 0.0, list[asyncio.TimerHandle]()

    def get_debug(self) -> bool:
        return False

    def call_later(self, delay: float, callback: Any, *args: Any, **_: Any) -> asyncio.TimerHandle:
        self._timers.append(asyncio.TimerHandle(self._now_s + delay, callback, args, self))
        return self._timers[-1]

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._timers.remove(handle)

    def pass_s(self, seconds: float) -> None:
        self._now_s += seconds
        for timer in [each for each in self._timers if each.when() <= self._now_s]:
            self._timers.remove(timer)
            timer._run()


async def _nothing(scope: object, receive: object, send: object) -> None:
    pass


@pytest.mark.parametrize(
    ("taken", "cut"),
    [
        ([60_000] * 300, False),  # in two minutes
        ([*[0] * 28, READ_LEAST] * 4, False),  # in bursts
        ([60_000] * 60 + [0] * 60, True),  # and then no more
        ([0] * 31, True),
        ([100] * 31, True),  # drop by drop, to hold our memory
    ],
)
def test_who_reads_on_gets_all_and_who_does_not_is_cut(*, taken: Sequence[int], cut: bool) -> None:
    loop, wire = Timers(), Wire()
    config = uvicorn.Config(_nothing, interface="asgi3", ws="none", lifespan="off", log_config=None)
    connection = BoundedProtocol(config, ServerState(), {}, loop)
    connection.transport, connection.flow = wire, FlowControl(wire)
    connection.pause_writing()
    for each in taken:
        wire.waiting = max(0, wire.waiting - each)
        if not wire.waiting:
            connection.resume_writing()
            break
        loop.pass_s(1.0)
    assert wire.cut is cut
