"""A whole line on a virtual clock, with faults from a seed: a quarter of an hour of trouble in a second of test."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from wattbook.codecs.encode_registers import encode_registers
from wattbook.codecs.modbus import Response, encode_response, parse_request
from wattbook.codecs.modbus_ask import Rtu
from wattbook.engine.port_worker import Outside, Pool, PortWorker
from wattbook.engine.record import LineTask, MeterRecord, MeterTask
from wattbook.model import Event, Kept, Reading
from wattbook.model.clock import instant
from wattbook.profiles import Library, SerialSettings
from wattbook.transports.link import Link, LinkLost
from wattbook.transports.pace import Pace

PZEM = Library().get("pzem-016")
assert PZEM.modbus is not None
REGISTERS = PZEM.modbus.registers
LOOK_S = 1e-7  # to look at the clock; a thread that waits awake does nothing else
CHARACTER_S = 10 / 9600
SILENCE_S = 3.5 * CHARACTER_S
BOOT_S = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
HOUR_S = 3600.0
TROUBLE_FROM = 1010.0


@dataclass
class World:
    """Virtual time, a line with four slaves, and what goes wrong. Slave 4 never fails; the line may."""

    chance: random.Random
    trouble: bool
    end: float
    broken: bool = False  # its port opens, and every use of it fails
    opened: int = 0
    now: float = 1000.0
    stopping: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    offences: int = 0
    counters: dict[int, int] = field(default_factory=dict)
    silent_until: dict[int, float] = field(default_factory=dict)
    unplugged: list[tuple[float, float]] = field(default_factory=list)
    due: list[tuple[float, int]] = field(default_factory=list)
    last_byte: float = 0.0
    character_s: float = CHARACTER_S

    # the clock
    def monotonic(self) -> float:
        self.now += LOOK_S
        return self.now

    def clock_now(self) -> datetime:
        return instant(BOOT_S + self.now)

    # the outside of a port
    def pass_time(self, seconds: float) -> None:
        self.now += max(seconds, 0.0) + 1e-9
        if self.now >= self.end:
            self.stopping.set()

    def wait(self, event: threading.Event, seconds: float) -> None:
        if not event.is_set():
            self.pass_time(seconds)

    def open(self, port: str, settings: SerialSettings) -> Link:
        self.check_plug()
        self.opened += 1
        assert self.opened < 10_000, "it opens the port without a pause"
        self.due.clear()
        return self

    def check_plug(self) -> None:
        if self.unplugged and self.unplugged[0][1] <= self.now:
            self.unplugged.pop(0)
        if self.unplugged and self.unplugged[0][0] <= self.now:
            raise LinkLost("pulled out")

    # the link
    def write(self, data: bytes) -> None:
        self.check_plug()
        if self.broken:
            raise LinkLost("an adapter that has a fault")
        self.offences += self.now < self.last_byte + SILENCE_S - 1e-6
        request = parse_request(data)
        ended = self.now + len(data) * CHARACTER_S
        self.asked += 1
        self.counters[request.unit] = count = self.counters.get(request.unit, 0) + 1
        values = {"voltage": 100.0 + request.unit, "active_energy_import": float(count)}
        words = encode_registers(REGISTERS, values)
        answer = encode_response(Response(request.unit, 4, tuple(words[4, n] for n in range(request.count))))
        self.say(ended + 0.005, self.spoil(request.unit, answer))

    def spoil(self, unit: int, answer: bytes) -> bytes:
        # A slave that was never heard may be a slow one, and is waited for longer; here all are known to be quick.
        if not self.trouble or unit == 4 or self.now < TROUBLE_FROM:
            return answer
        if self.silent_until.get(unit, 0.0) > self.now:
            return b""
        match self.chance.randrange(60):
            case 0:
                self.silent_until[unit] = self.now + self.chance.uniform(0.1, 100)
                return b""
            case 1:
                return answer[: self.chance.randrange(len(answer))]
            case 2:
                at = self.chance.randrange(len(answer))
                return answer[:at] + bytes((answer[at] ^ self.chance.randrange(1, 256),)) + answer[at + 1 :]
            case 3:
                return encode_response(Response(unit, 4, exception=self.chance.choice((2, 4, 6))))
            case 4:
                return bytes(self.chance.randrange(256) for _ in range(self.chance.randrange(40)))
            case 5:
                return b"\x00" + answer
            case _:
                return answer

    def say(self, start: float, data: bytes) -> None:
        self.due += [(start + n * CHARACTER_S, byte) for n, byte in enumerate(data, 1)]
        if data:
            self.last_byte = start + len(data) * CHARACTER_S

    def read(self, timeout_s: float) -> bytes:
        self.check_plug()
        if self.due and self.now < self.due[0][0] <= self.now + timeout_s:
            self.now = self.due[0][0]
        elif not self.due or self.due[0][0] > self.now:
            self.pass_time(timeout_s)
        there = [byte for at, byte in self.due if at <= self.now]
        del self.due[: len(there)]
        return bytes(there)

    def set_baud(self, baud: int) -> None:
        raise AssertionError("nobody changes the speed of a Modbus line")

    def close(self) -> None:
        self.due.clear()


class WorldClock:
    def __init__(self, world: World) -> None:
        self.now, self.monotonic = world.clock_now, world.monotonic


class Notebook:
    def __init__(self) -> None:
        self.readings: dict[str, list[Reading]] = {}
        self.events: dict[str, list[Event]] = {}

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError("polled readings are not waited for")

    def measured(self, reading: Reading) -> None:
        self.readings.setdefault(reading.meter, []).append(reading)

    def note(self, event: Event) -> None:
        self.events.setdefault(event.subject, []).append(event)


def run(world: World, every_s: float = 0.0) -> tuple[Notebook, list[MeterRecord]]:
    notebook = Notebook()
    meters = tuple(MeterTask(f"m{unit}", PZEM, unit, every_s) for unit in (4, 5, 6, 7))
    task = LineTask("line", ("port",), meters, notebook, WorldClock(world), SerialSettings())
    framing = Rtu()
    records = [MeterRecord(meter, task, framing) for meter in meters]
    outside = Outside(
        world.open, lambda stopped: Pace(stopped, monotonic=world.monotonic, sleep=world.pass_time), world.wait
    )
    PortWorker("port", task, Pool(records), world.stopping, framing, bound=True, outside=outside).run()
    return notebook, records


@pytest.mark.parametrize("seed", range(5))
def test_a_quarter_of_an_hour_of_trouble(seed: int) -> None:
    chance = random.Random(seed)
    pulls = sorted(chance.uniform(1100, 1900) for _ in range(3))
    world = World(chance, trouble=True, end=1000 + HOUR_S / 4)
    world.unplugged = [(at, at + chance.uniform(0.5, 10)) for at in pulls]
    pulled = list(world.unplugged)
    notebook, records = run(world)

    for record in records:
        readings, unit = notebook.readings[record.name], int(record.name[1:])
        # No damaged answer became a value, none was taken for a later one.
        assert {reading.values["voltage"] for reading in readings} == {100.0 + unit}
        counts = [reading.values["active_energy_import"] for reading in readings]
        assert all(earlier < later for earlier, later in itertools.pairwise(counts))
        instants = [reading.at for reading in readings]
        assert all(earlier < later for earlier, later in itertools.pairwise(instants))
        # Who goes comes back before it goes again, and each is said once.
        kinds = [event.kind for event in notebook.events.get(record.name, [])]
        assert kinds == ["meter.away", "meter.back"] * (len(kinds) // 2) + ["meter.away"] * (len(kinds) % 2)
        counters = record.status.counters
        assert counters.answers == len(readings)
        lost = 1 + sum(first < world.now for first, _ in pulled)  # polls broken off by a pull, or the end
        assert 0 <= counters.polls - counters.answers - counters.timeouts - counters.garbled - counters.refused <= lost

    # The good one is heard all the time that the line is there; after a pull, within a second.
    good = [(reading.at.timestamp() - BOOT_S) for reading in notebook.readings["m4"]]
    for earlier, later in itertools.pairwise(good):
        gone_s = sum(min(until, later) - first for first, until in pulled if earlier - 0.1 <= first <= later)
        assert later - earlier <= gone_s + (1.0 if gone_s else 0.8), f"at {earlier}"
    assert world.offences == 0


def test_a_healthy_line_is_full_and_fair() -> None:
    world = World(random.Random(0), trouble=False, end=1060)
    notebook, _ = run(world)
    polls = [len(notebook.readings[f"m{unit}"]) for unit in (4, 5, 6, 7)]
    assert max(polls) - min(polls) <= 1
    poll_s = (8 + 23) * CHARACTER_S + 0.005 + SILENCE_S
    assert sum(polls) >= 0.985 * 60 / poll_s  # beside the slaves' 5 ms, the early looks cost up to a character
    assert world.offences == 0
    assert notebook.events == {}


def test_a_port_that_opens_and_fails_is_opened_with_pauses() -> None:
    world = World(random.Random(0), trouble=False, end=1060, broken=True)
    _, records = run(world)
    assert 50 < world.opened <= 125  # each half second, after the first few
    assert [record.status.state for record in records] == ["away"] * 4


def test_periods_stay_aligned_for_a_day() -> None:
    world = World(random.Random(0), trouble=False, end=1000 + 24 * HOUR_S)
    notebook, _ = run(world, every_s=900.0)
    for readings in notebook.readings.values():
        assert len(readings) in (96, 97)
        assert all(reading.at.minute % 15 == 0 and reading.at.second == 0 for reading in readings[1:])
