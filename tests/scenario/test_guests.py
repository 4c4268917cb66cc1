"""Requests of other masters on a full line, on a virtual clock: polls keep their half, and the silences are kept."""

from __future__ import annotations

import itertools
import random
from concurrent.futures import Future

import pytest
from test_line_faults import PZEM, Notebook, World, WorldClock

from wattbook.codecs.modbus import Request, Response
from wattbook.codecs.modbus_ask import Rtu
from wattbook.engine.orders import GUESTS_MAX, LineBusy, Orders
from wattbook.engine.port_worker import Outside, Pool, PortWorker
from wattbook.engine.record import LineTask, MeterRecord, MeterTask
from wattbook.profiles import SerialSettings
from wattbook.transports.link import Link, LinkLost
from wattbook.transports.pace import Pace

ABSENT = 99


class Visited(World):
    """The line of the fault tests, with a unit that is not there, and notes of who was asked when."""

    def __init__(self) -> None:
        super().__init__(random.Random(0), trouble=True, end=1060)
        self.order: list[tuple[float, int]] = []
        self.guests: list[Greedy] = []

    def open(self, port: str, settings: SerialSettings) -> Link:
        for guest in self.guests:
            guest.ask()
        return super().open(port, settings)

    def write(self, data: bytes) -> None:
        self.order.append((self.now, data[0]))
        super().write(data)

    def spoil(self, unit: int, answer: bytes) -> bytes:
        return b"" if unit == ABSENT else answer


class Greedy:
    """A master that asks again as soon as it was answered."""

    def __init__(self, worker: PortWorker, framing: Rtu, unit: int) -> None:
        self._worker, self._framing, self._unit = worker, framing, unit
        self.answers = 0

    def ask(self, last: Future[Response] | None = None) -> None:
        if last is not None:
            if isinstance(last.exception(), LinkLost):
                return  # the line was stopped
            self.answers += last.exception() is None
        request = Request(self._unit, 4, 0, 9)
        done = self._worker.submit(self._framing.exchange(request, 0.5), guest=True)
        if not done.done():
            done.add_done_callback(self.ask)


def visited(*units: int, every_s: float = 0.0) -> tuple[Visited, Notebook, list[Greedy]]:
    """A minute of a line with four meters of ours and a greedy master for each of these units."""
    world, notebook, framing = Visited(), Notebook(), Rtu()
    meters = tuple(MeterTask(f"m{unit}", PZEM, unit, every_s) for unit in (4, 5, 6, 7))
    task = LineTask("line", ("port",), meters, notebook, WorldClock(world), SerialSettings())
    outside = Outside(
        world.open, lambda stopped: Pace(stopped, monotonic=world.monotonic, sleep=world.pass_time), world.wait
    )
    pool = Pool([MeterRecord(meter, task, framing) for meter in meters])
    worker = PortWorker("port", task, pool, world.stopping, framing, bound=True, outside=outside)
    world.guests += [Greedy(worker, framing, unit) for unit in units]
    worker.start()  # a thread: only a line that runs takes orders
    assert world.stopping.wait(120)
    worker.stop()
    assert not worker.is_alive()
    return world, notebook, world.guests


def test_greedy_masters_leave_our_polls_half_of_a_full_line() -> None:
    alone, quiet, _ = visited()
    world, notebook, guests = visited(8, 9)
    before, after = (sum(map(len, book.readings.values())) for book in (quiet, notebook))
    assert after >= 0.48 * before
    assert min(guest.answers for guest in guests) >= 0.15 * before  # and they have most of the other half, in turns
    ours = [unit in (4, 5, 6, 7) for _, unit in world.order]
    # Once our own polls are due (always, on a full line) no two guests follow each other.
    assert not any(not first and not second for first, second in itertools.pairwise(ours[8:]))
    assert world.offences == alone.offences == 0


def test_a_master_that_asks_for_nobody_costs_no_more_than_half_either() -> None:
    _, quiet, _ = visited()
    world, notebook, _ = visited(ABSENT)
    before, after = (sum(map(len, book.readings.values())) for book in (quiet, notebook))
    assert after >= 0.48 * before
    assert world.offences == 0


def test_polls_of_a_period_stay_on_time_beside_greedy_masters() -> None:
    world, notebook, guests = visited(8, 9, every_s=5.0)
    for readings in notebook.readings.values():
        assert len(readings) >= 12  # none of a minute is lost
        # One guest may be on the line when they are due, and one between two of the four.
        assert all(reading.at.timestamp() % 5 < 0.4 for reading in readings[1:])
    assert sum(guest.answers for guest in guests) > 1000
    assert world.offences == 0


def test_too_many_guests_are_busy_and_commands_overtake_them() -> None:
    orders = Orders("line")
    futures = []
    for _ in range(GUESTS_MAX):
        order, done = orders.make(_nothing(), guest=True)
        orders.put(order)
        futures.append(done)
    _, refused = orders.make(_nothing(), guest=True)
    with pytest.raises(LineBusy, match="wait already"):
        refused.result(0)
    command, _ = orders.make(_nothing())
    orders.put(command)
    assert futures[0].cancel()
    assert orders.next(0.0, poll_due=True) is command
    first = orders.next(0.0, poll_due=True)
    assert first is not None and first.done is futures[1]  # who gave up is passed over
    orders.guest_was_served(10.0, 10.5)
    orders.polled()
    assert orders.next(10.9, poll_due=True) is None
    assert orders.next(10.9, poll_due=False) is not None
    assert orders.next(11.1, poll_due=True) is not None
    orders.drop("pulled out")
    assert not orders and isinstance(futures[-1].exception(0), LinkLost)


def _nothing():  # type: ignore[no-untyped-def]
    return
    yield
