"""A Modbus TCP line: one connection, one request at a time, in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.modbus_ask import Tcp
from wattbook.engine.orders import Order, Orders
from wattbook.engine.record import LineTask, MeterRecord
from wattbook.engine.schedule import Schedule
from wattbook.engine.status import MeterStatus
from wattbook.model.errors import Garbled, MeterError, WattbookError
from wattbook.transports.link import LinkLost
from wattbook.transports.play import play_async
from wattbook.transports.ports import MODBUS_TCP_PORT, host_and_port, split_port
from wattbook.transports.tcp import connect_streams

T = TypeVar("T")
_REOPEN_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # a device that restarts takes seconds; a refused connection costs little
_TIMEOUT_S_MIN = 0.5  # a network and perhaps a gateway with its own serial line lie between


class TcpLine:
    """Asks the meters behind one Modbus TCP address. `start`, `stop` and `run` belong to the event loop."""

    def __init__(self, task: LineTask) -> None:
        """Prepare. Raises ConfigError for a wrong address, of host or meter."""
        self._task, self._clock = task, task.clock
        [port] = task.ports
        self._host, self._port = host_and_port(split_port(port), port, MODBUS_TCP_PORT)
        self.framing = Tcp()
        self._records = {meter.name: MeterRecord(meter, task, self.framing) for meter in task.meters}
        self._schedule = Schedule({}, 0.0)
        self._orders = Orders(task.name)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        self._failures = 0  # to connect and be answered, in a row

    @property
    def statuses(self) -> Sequence[MeterStatus]:
        """How each meter fares, live."""
        return [record.status for record in self._records.values()]

    def start(self) -> asyncio.Task[None]:
        """Begin to ask, in the running event loop; only a bug ends the task before `stop`."""
        self._loop = asyncio.get_running_loop()
        self._running = self._loop.create_task(self.run(), name=f"line {self._task.name}")
        return self._running

    async def stop(self) -> None:
        """End at once; commands that wait get Unreachable."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def submit(self, conversation: Conversation[T], *, meter: str = "", guest: bool = False) -> Future[T]:
        """Play a conversation before any further poll, or a `guest`'s between polls; from any thread.

        The future raises LinkLost when the line is gone, LineBusy when too many wait.
        """
        order, done = self._orders.make(conversation, guest=guest)
        if self._loop is None:
            done.set_exception(LinkLost("it does not run yet", meter=meter or self._task.name))
        elif not done.done():
            self._loop.call_soon_threadsafe(self._take, order)
        return done

    def _take(self, order: Order) -> None:
        self._orders.put(order)
        self._wake.set()
        if self._running is not None and self._running.done():
            self._orders.drop("the line is stopped")

    async def run(self) -> None:
        """Connect and ask until cancelled."""
        try:
            while True:
                try:
                    reader, writer = await connect_streams(self._host, self._port)
                    try:
                        await self._serve(reader, writer)
                    finally:
                        writer.close()
                except LinkLost as error:
                    self._lost(error)
                await asyncio.sleep(_REOPEN_S[min(self._failures, len(_REOPEN_S) - 1)])
                self._failures += 1
        finally:
            self._orders.drop("the line is stopped")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ask until the connection breaks: raises LinkLost."""
        self.framing.reset()
        for record in self._records.values():
            record.patience.failures = 0
            self._schedule.add(record.name, record.every_s, self._clock.monotonic())
        while True:
            await self._do_next(reader, writer)

    async def _do_next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._wake.clear()
        if self._orders and (order := self._next_order()):
            await self._carry_out(order, reader, writer)
            return
        turn = self._schedule.next()
        now = self._clock.monotonic()
        if turn is None or turn[1] > now:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if turn is None else turn[1] - now):
                    await self._wake.wait()
            return
        await self._poll(self._records[turn[0]], reader, writer)

    async def _poll(self, record: MeterRecord, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = self._clock
        began = clock.monotonic()
        self._orders.polled()
        record.begin()
        timeout_s = max(record.patience.timeout_s(began), _TIMEOUT_S_MIN)
        try:
            measured = await play_async(record.asked.conversation(timeout_s), reader, writer)
        except LinkLost:
            raise
        except MeterError as error:
            self._schedule.put_off(record.name, clock.monotonic(), record.failed(error))
            if isinstance(error, Garbled):
                # The stream lost its place; only a new connection is sure to find it again.
                raise LinkLost(f"the connection carries nonsense: {error}") from error
            return
        self._failures = 0
        now = clock.monotonic()
        at = record.answered(measured, first_byte_s=now - began, latency_s=now - began, now=now)
        self._schedule.answered(record.name, now, at)

    def _next_order(self) -> Order | None:
        now, turn = self._clock.monotonic(), self._schedule.next()
        return self._orders.next(now, poll_due=turn is not None and turn[1] <= now)

    async def _carry_out(self, order: Order, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began, done = self._clock.monotonic(), order.done
        try:
            done.set_result(await play_async(order.conversation, reader, writer))
        except LinkLost as error:
            done.set_exception(error)
            raise
        except WattbookError as error:
            done.set_exception(error)
        except asyncio.CancelledError:
            done.set_exception(LinkLost("the line is stopped", meter=self._task.name))
            raise
        if order.guest:
            self._orders.guest_was_served(began, self._clock.monotonic())

    def _lost(self, error: LinkLost) -> None:
        for record in self._records.values():
            record.gone(str(error))
        self._orders.drop(str(error))
