"""One port of a serial line: whose turn it is, asking, and what happens when the port or a meter goes."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.modbus_ask import Rtu
from wattbook.engine.orders import Order, Orders
from wattbook.engine.record import LineTask, MeterRecord
from wattbook.engine.schedule import BACKOFF_S_MAX, Schedule
from wattbook.model.errors import MeterError, WattbookError
from wattbook.profiles.profile import SerialSettings
from wattbook.transports.link import Link, LinkLost
from wattbook.transports.open import open_link
from wattbook.transports.pace import Pace, Stopped, wake_on_time
from wattbook.transports.play import Player

log = logging.getLogger(__name__)
T = TypeVar("T")

STOP_S_MAX = 2.0  # to wait for a thread; it looks every 0.2 s
LOOK_S = 0.5  # for meters that may have come to this port
_REOPEN_S = (0.05, 0.1, 0.2, 0.5)  # a port that came back is found within half a second
_SEEK_S = 3.0  # a new port is asked for every meter; nobody is called away before it had the time
_TRY_AGAIN_S = 0.5  # a meter that is not here, doubled each time


@dataclass(frozen=True, slots=True)
class Outside:
    """What a port's thread touches of the world, so that a test can put a virtual one there."""

    open_link: Callable[[str, SerialSettings], Link] = open_link
    pace: Callable[[Callable[[], bool]], Pace] = Pace  # waits on the line, given what says "stop"
    wait: Callable[[threading.Event, float], object] = threading.Event.wait  # while nothing is due


class Pool:
    """Meters that are on no port now. Workers take one, ask, and keep it or give it back."""

    def __init__(self, records: Sequence[MeterRecord]) -> None:
        self._lock = threading.Lock()
        self._records = deque(records)
        self._sought = len(self._records)
        self._shut: dict[str, str] = {}  # ports that cannot be opened now, and why

    @property
    def sought(self) -> int:
        """How many meters are on no port, those just being asked included."""
        return self._sought

    def take(self, wanted: Callable[[MeterRecord], bool]) -> MeterRecord | None:
        """The first wanted meter, to be asked; None when there is none."""
        with self._lock:
            for record in self._records:
                if wanted(record):
                    self._records.remove(record)
                    return record
        return None

    def holds(self, wanted: Callable[[MeterRecord], bool]) -> bool:
        """Whether there is a wanted meter to take."""
        with self._lock:
            return any(map(wanted, self._records))

    def found(self) -> None:
        """A meter that was taken is on the taker's port, and stays there."""
        with self._lock:
            self._sought -= 1

    def give_back(self, record: MeterRecord, *, lost: bool) -> None:
        """The meter is not here; `lost`: any more."""
        with self._lock:
            self._records.append(record)
            self._sought += lost

    def opened(self, port: str) -> None:
        """This port is there."""
        with self._lock:
            self._shut.pop(port, None)

    def shut(self, port: str, reason: str) -> None:
        """This port cannot be opened. When none of those ever tried can, none of the meters can be asked."""
        with self._lock:
            self._shut[port] = reason

    def all_shut(self, ports: Iterable[str]) -> str:
        """Why, when none of these ports can be opened; else ""."""
        with self._lock:
            reasons = [self._shut.get(port, "") for port in ports]
        return reasons[0] if reasons and all(reasons) else ""

    def all_gone(self, reason: str) -> None:
        """None of them can be asked."""
        with self._lock:
            for record in self._records:
                record.gone(reason)


class PortWorker:
    """The thread of one port."""

    def __init__(
        self,
        port: str,
        task: LineTask,
        pool: Pool,
        stopping: threading.Event,
        framing: Rtu,
        *,
        bound: bool,
        outside: Outside | None = None,
    ) -> None:
        """Prepare. `bound`: all meters of the pool are on this port and stay; else it asks which ones are here."""
        self._port, self._task, self._pool, self._bound = port, task, pool, bound
        self._outside = outside or Outside()
        self._clock, self._stopping, self._framing = task.clock, stopping, framing
        self._records: dict[str, MeterRecord] = {}
        self._schedule = Schedule({}, self._clock.monotonic())
        self._orders = Orders(task.name)
        self._wake = threading.Event()
        self._sought_until = 0.0 if bound else self._clock.monotonic() + _SEEK_S
        self._tried: dict[str, float] = {}  # meters that were asked in vain on this port: when to ask again
        self._delay_s: dict[str, float] = {}
        self._failures = 0  # to open the port and be answered, in a row
        self._answered = False  # since the port was opened
        self._thread = threading.Thread(target=self._run_in_thread, name=f"line {task.name} {port}", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(STOP_S_MAX)

    def is_alive(self) -> bool:
        """Whether the thread runs; without its port, one that is not `bound` ends by itself."""
        return self._thread.is_alive()

    def has(self, meter: str) -> bool:
        """Whether this meter is on this port now."""
        return meter in self._records

    def submit(self, conversation: Conversation[T], *, guest: bool = False) -> Future[T]:
        """Play a conversation before any further poll, or a `guest`'s between polls.

        The future raises LinkLost when the line is gone, LineBusy when too many wait.
        """
        order, done = self._orders.make(conversation, guest=guest)
        if not done.done():
            self._orders.put(order)
            self._wake.set()
            if not self._thread.is_alive():
                self._orders.drop("the line is not running")
        return done

    def _run_in_thread(self) -> None:
        wake_on_time()
        self.run()

    def run(self) -> None:
        """Open the port and ask, until stopped; in the caller's thread."""
        if self._bound:
            while record := self._pool.take(lambda _: True):
                self._bind(record)
        try:
            while not self._stopping.is_set():
                try:
                    self._serve(self._outside.open_link(self._port, self._task.settings))
                except WattbookError as error:
                    if not self._answered:
                        self._lost(error)
                        self._pool.shut(self._port, str(error))
                    self._answered = False  # a server on the network may close what is idle: it is opened again first
                if self._idle() or (not self._bound and self._failures >= len(_REOPEN_S)):
                    return  # another worker begins when the port is listed again
                self._outside.wait(self._stopping, _REOPEN_S[min(self._failures, len(_REOPEN_S) - 1)])
                self._failures += 1
        finally:
            self._orders.drop("the line is stopped")
            self._release_all()

    def _serve(self, link: Link) -> None:
        """Ask and ask until the line is stopped. Raises LinkLost."""
        self._pool.opened(self._port)
        player = Player(link, pace=self._outside.pace(self._stopping.is_set))
        self._framing.reset()
        self._answered = not self._records and self._bound and not self._failures  # nobody asks before a guest does
        for name, record in self._records.items():
            record.patience.failures = 0
            self._schedule.add(name, record.every_s, self._clock.monotonic())
        try:
            while not self._stopping.is_set() and not self._idle():
                self._do_next(player)
        except Stopped:
            pass  # the loop above would have ended as well
        finally:
            link.close()

    def _idle(self) -> bool:
        """Whether all meters are on other ports: then this one is not ours to hold."""
        return not self._bound and not self._records and not self._pool.sought

    def _do_next(self, player: Player) -> None:
        if self._wake.is_set():
            self._wake.clear()
        if self._orders:
            player.look()
        if self._orders and (order := self._next_order()):
            self._carry_out(player, order)
            return
        stranger = None if self._bound else self._pool.take(self._may_be_tried)
        if stranger is not None:
            self._try(player, stranger)
        now = self._clock.monotonic()
        turn = self._schedule.next()
        if turn is None or turn[1] > now:
            idle_s = LOOK_S if turn is None else turn[1] - now
            self._outside.wait(self._wake, idle_s if self._bound else min(idle_s, LOOK_S))
            return
        self._poll(player, self._records[turn[0]])

    def _poll(self, player: Player, record: MeterRecord) -> None:
        at = self._ask(player, record)
        if at is not None:
            self._schedule.answered(record.name, self._clock.monotonic(), at)
        elif record.patience.away and not self._bound:
            self._release(record)

    def _ask(self, player: Player, record: MeterRecord) -> datetime | None:
        """Ask one meter once and book the outcome; return when it answered, None when it did not."""
        clock = self._clock
        player.framed, player.heard = record.asked.framed, record.heard
        began = clock.monotonic()
        record.begin()
        self._orders.polled()
        try:
            measured = player.play(record.asked.conversation(record.patience.timeout_s(began)))
        except LinkLost:
            record.status.heard_bytes = 0
            raise
        except MeterError as error:
            delay_s = record.failed(error, sought=began < self._sought_until)
            if record.name in self._records:
                self._schedule.put_off(record.name, clock.monotonic(), delay_s)
            return None
        self._failures, self._answered = 0, True
        now = clock.monotonic()
        return record.answered(measured, first_byte_s=player.first_byte_s, latency_s=now - began, now=now)

    def _next_order(self) -> Order | None:
        now, turn = self._clock.monotonic(), self._schedule.next()
        due = turn is not None and turn[1] <= now
        return self._orders.next(now, poll_due=due or (not self._bound and self._pool.holds(self._may_be_tried)))

    def _carry_out(self, player: Player, order: Order) -> None:
        player.framed = True
        player.heard = lambda size: None
        began = self._clock.monotonic()
        try:
            result = player.play(order.conversation)
        except Stopped:
            order.done.set_exception(LinkLost("the line is stopped", meter=self._task.name))
            raise
        except LinkLost as error:
            order.done.set_exception(error)
            raise
        except WattbookError as error:
            self._served(order, began)
            order.done.set_exception(error)
        else:
            self._failures, self._answered = 0, True
            self._served(order, began)
            order.done.set_result(result)

    def _served(self, order: Order, began: float) -> None:
        if order.guest:
            self._orders.guest_was_served(began, self._clock.monotonic())

    def _may_be_tried(self, record: MeterRecord) -> bool:
        return self._tried.get(record.name, 0.0) <= self._clock.monotonic()

    def _try(self, player: Player, record: MeterRecord) -> None:
        """Ask a meter that is on no port whether it is on this one."""
        at = None
        try:
            at = self._ask(player, record)
        finally:
            if at is None:
                delay_s = min(2 * self._delay_s.get(record.name, _TRY_AGAIN_S / 2), BACKOFF_S_MAX)
                self._delay_s[record.name] = delay_s
                self._tried[record.name] = self._clock.monotonic() + delay_s
                self._pool.give_back(record, lost=False)
        if at is not None:
            self._delay_s.pop(record.name, None)
            log.info("%s is on %s", record.name, self._port)
            self._bind(record)
            self._schedule.answered(record.name, self._clock.monotonic(), at)

    def _bind(self, record: MeterRecord) -> None:
        self._pool.found()
        self._records[record.name] = record
        self._schedule.add(record.name, record.every_s, self._clock.monotonic())

    def _release(self, record: MeterRecord) -> None:
        del self._records[record.name]
        self._schedule.remove(record.name)
        self._pool.give_back(record, lost=True)

    def _release_all(self) -> None:
        for record in list(self._records.values()):
            self._release(record)

    def _lost(self, error: WattbookError) -> None:
        """The port is gone, and all its meters with it."""
        for record in self._records.values():
            record.gone(str(error))
        if not self._bound:
            self._release_all()
        self._orders.drop(str(error))
