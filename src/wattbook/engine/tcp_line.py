"""A Modbus TCP line, plain or over TLS: one connection, one request at a time, in the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TypeVar

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.modbus_ask import OutOfStep, Tcp
from wattbook.engine.orders import Order, Orders
from wattbook.engine.record import LineTask, MeterRecord
from wattbook.engine.schedule import Schedule
from wattbook.engine.status import MeterStatus
from wattbook.model.errors import MeterError, Refused, Unreachable, WattbookError
from wattbook.transports.link import LinkLost
from wattbook.transports.ports import modbus_address
from wattbook.transports.stream import Stream, connect
from wattbook.transports.tls import tls_context

log = logging.getLogger(__name__)
T = TypeVar("T")
_REOPEN_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # a device that restarts takes seconds; a refused connection costs little
_MUTE = (
    "the connection stands and nothing ever came on it: the unit address may be wrong, or the device "
    "busy with another program"
)
_UNANSWERED_MAX = 256  # requests that may still be answered late
_TIMEOUT_S_MIN = 0.5  # a network and perhaps a gateway with its own serial line lie between


class TcpLine:
    """Asks the meters behind one Modbus TCP address. `start`, `stop` and `run` belong to the event loop."""

    def __init__(self, task: LineTask) -> None:
        """Prepare. Raises ConfigError for a wrong address, of host or meter, or certificates that cannot be used."""
        self._task, self._clock = task, task.clock
        [port] = task.ports
        where = modbus_address(port)
        self._host, self._port = where.host, where.port
        self._tls = tls_context(task.tls) if where.tls else None
        self.framing = Tcp()
        self._records = {meter.name: MeterRecord(meter, task, self.framing) for meter in task.meters}
        self._schedule = Schedule({}, 0.0)
        self._orders = Orders(task.name)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        self._failures = 0  # to connect and be answered, in a row
        self._answered = False  # on the present connection
        self._unanswered: dict[int, MeterRecord] = {}  # transaction -> who was asked in vain, bounded
        self._broke_at = ""  # the meter that was asked when the connection broke
        self._doubted = False  # that it is the connection's fault, until another meter was asked as well
        self._scheduled = False  # all meters, since they were away with the connection

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
                    stream = await connect(self._host, self._port, tls=self._tls)
                    try:
                        await self._serve(stream)
                        continue
                    finally:
                        stream.close()
                except LinkLost as error:
                    self._lost(error)
                await asyncio.sleep(_REOPEN_S[min(self._failures, len(_REOPEN_S) - 1)])
                self._failures += 1
        finally:
            self._orders.drop("the line is stopped")

    async def _serve(self, stream: Stream) -> None:
        """Ask until the connection breaks: raises LinkLost, or returns when it was closed while nobody was asked."""
        self.framing.reset()
        self._unanswered.clear()
        if not self._scheduled:
            self._scheduled = True
            for record in self._records.values():
                record.patience.failures = 0
                self._schedule.add(record.name, record.every_s, self._clock.monotonic())
        self._answered = False
        while True:
            await self._do_next(stream)
            # Without meters nobody asks before another master does: until then a closed connection is no failure.
            if stream.lost and (self._answered or not self._records):
                return

    async def _do_next(self, stream: Stream) -> None:
        if self._orders and (order := self._next_order()):
            await self._carry_out(order, stream)
            return
        turn = self._schedule.next()
        if turn is None:
            await self._sleep(None)
            return
        name, due_s = turn
        now = self._clock.monotonic()
        if due_s > now:
            await self._sleep(due_s - now)
        else:
            await self._poll(self._records[name], now, stream)

    async def _sleep(self, seconds: float | None) -> None:
        """Wait so long, or for a command."""
        assert self._loop is not None
        self._wake.clear()
        timer = None if seconds is None else self._loop.call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _poll(self, record: MeterRecord, began: float, stream: Stream) -> None:
        self._orders.polled()
        record.begin()
        timeout_s = record.patience.timeout_s(began, least_s=_TIMEOUT_S_MIN)
        try:
            measured = await stream.play(record.asked.conversation(timeout_s))
        except LinkLost as error:
            self._break_at(record, error)
            raise
        except MeterError as error:
            if isinstance(error, Unreachable):
                record.patience.late = False  # unless that is told of it now
                self._expect(record)
                error = error if stream.ever_heard else Unreachable(f"{error}; {_MUTE}")
            if isinstance(error, OutOfStep):
                nonsense = f"the connection carries nonsense: {error}"
                self._break_at(record, OutOfStep(nonsense))
                raise LinkLost(nonsense) from error
            if isinstance(error, Refused):
                self._was_answered()
            self._put_off(record, error)
            return
        finally:
            self._note_late()
        self._was_answered()
        now = self._clock.monotonic()
        at = record.answered(measured, first_byte_s=now - began, latency_s=now - began, now=now)
        self._schedule.answered(record.name, now, at)

    def _expect(self, record: MeterRecord) -> None:
        """A gateway may still be busy with this request, and tell about it later."""
        if len(self._unanswered) == _UNANSWERED_MAX:
            del self._unanswered[next(iter(self._unanswered))]
        self._unanswered[self.framing.transaction] = record

    def _note_late(self) -> None:
        """Wait longer for those about whom something was told late: while a gateway waits for one that is not there, it
        hears no other, and all of them would be called away."""
        while self.framing.passed:
            if record := self._unanswered.pop(self.framing.passed.popleft(), None):
                record.patience.late = True

    def _was_answered(self) -> None:
        """Somebody behind the connection answered."""
        self._failures, self._answered, self._doubted = 0, True, False

    def _break_at(self, record: MeterRecord, error: MeterError) -> None:
        self._put_off(record, error)
        self._broke_at = record.name

    def _put_off(self, record: MeterRecord, error: MeterError) -> None:
        self._schedule.put_off(record.name, self._clock.monotonic(), record.failed(error))

    def _next_order(self) -> Order | None:
        now, turn = self._clock.monotonic(), self._schedule.next()
        return self._orders.next(now, poll_due=turn is not None and turn[1] <= now)

    async def _carry_out(self, order: Order, stream: Stream) -> None:
        began, done = self._clock.monotonic(), order.done
        try:
            result = await stream.play(order.conversation)
        except LinkLost as error:
            done.set_exception(error)
            raise
        except WattbookError as error:
            if isinstance(error, Refused):
                self._was_answered()
            done.set_exception(error)
        except asyncio.CancelledError:
            done.set_exception(LinkLost("the line is stopped", meter=self._task.name))
            raise
        else:
            self._was_answered()
            done.set_result(result)
        if order.guest:
            self._orders.guest_was_served(began, self._clock.monotonic())

    def _lost(self, error: LinkLost) -> None:
        """The connection is gone. Many devices close one now and then, so one that carried answers is opened again
        before anybody is called away; else all its meters are. But perhaps the other end hangs up at what one meter was
        asked: then the others are asked before that is believed."""
        broke_at, self._broke_at = self._broke_at, ""
        if self._answered:
            self._answered = False
            log.debug("%s: %s; it is opened again", self._task.name, error)
            return
        others = [record for record in self._records.values() if record.name != broke_at]
        if broke_at and others and not self._doubted:
            self._doubted = True
            for record in others:
                self._schedule.add(record.name, record.every_s, self._clock.monotonic())
            return
        self._scheduled = self._doubted = False
        for record in self._records.values():
            record.gone(str(error))
        self._orders.drop(str(error))
