"""The MQTT source on a broker that lives in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wattbook.codecs.mqtt import Message
from wattbook.drivers.mqtt import MqttSource, topics_of
from wattbook.drivers.source import Listened
from wattbook.model import BookError, ConfigError, Event, Kept, Reading, Unreachable
from wattbook.profiles import Library, Profile, parse_profile
from wattbook.transports.mqtt import BrokerSettings, Connection

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
JSON = Library().get("json-mqtt")
BROKER = BrokerSettings("broker", 1883, "me")


@dataclass
class StoppedClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Diary:
    """What the source reported."""

    heard_count: dict[str, int] = field(default_factory=dict)
    garbled_reasons: list[str] = field(default_factory=list)
    lost_meters: list[str] = field(default_factory=list)

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        self.heard_count[meter] = self.heard_count.get(meter, 0) + count

    def garbled(self, meter: str, reason: str) -> None:
        self.garbled_reasons.append(f"{meter}: {reason}")

    def lost(self, meter: str, reason: str) -> None:
        self.lost_meters.append(meter)


class MemoryBook:
    """Keeps readings; refuses the first `full` times, and can be held up."""

    def __init__(self, *, full: int = 0) -> None:
        self.readings: list[Reading] = []
        self.full = full
        self.free = asyncio.Event()
        self.free.set()

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        await self.free.wait()
        if self.full:
            self.full -= 1
            raise BookError("the disk is full", retry=True)
        self.readings += readings
        return Kept(tuple(range(len(readings))), new=len(readings))

    def measured(self, reading: Reading) -> None:
        self.readings.append(reading)

    def note(self, event: Event) -> None:
        raise AssertionError(event)


class MemoryBroker:
    """Sends what is queued; an exception in the queue is the end of the connection."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message | Exception] = asyncio.Queue()
        self.acknowledged: list[int] = []
        self.forgotten: list[str] = []
        self.topics: Sequence[str] = ()
        self.connections = 0
        self.idle = asyncio.Event()

    async def connect(self, settings: BrokerSettings, topics: Sequence[str]) -> Connection:
        self.topics = topics
        self.connections += 1
        return self

    async def receive(self, limit: int) -> list[Message]:
        self.idle.set()
        first = await self.queue.get()
        self.idle.clear()
        if isinstance(first, Exception):
            raise first
        taken = [first]
        while not self.queue.empty() and len(taken) < limit:
            message = self.queue.get_nowait()
            assert isinstance(message, Message)
            taken.append(message)
        return taken

    def acknowledge(self, messages: Iterable[Message]) -> None:
        self.acknowledged += [message.packet_id for message in messages]

    def forget(self, topic: str) -> None:
        self.forgotten.append(topic)

    async def aclose(self) -> None:
        pass


@dataclass
class Bench:
    broker: MemoryBroker
    book: MemoryBook
    diary: Diary
    clock: StoppedClock

    async def settle(self) -> None:
        """Wait until everything queued is dealt with."""
        async with asyncio.timeout(5):
            while not (self.broker.queue.empty() and self.broker.idle.is_set()):
                await asyncio.sleep(0)

    def send(self, payload: Any, packet_id: int = 1, *, meter: str = "a", retained: bool = False) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.broker.queue.put_nowait(Message(f"meters/{meter}/reading", data, packet_id, retained, len(data)))


@asynccontextmanager
async def running(*meters: Listened, full: int = 0, now: datetime = NOW) -> AsyncIterator[Bench]:
    bench = Bench(MemoryBroker(), MemoryBook(full=full), Diary(), StoppedClock(now))
    source = MqttSource(BROKER, meters, clock=bench.clock, report=bench.diary, connect=bench.broker.connect)
    task = asyncio.create_task(source.run(bench.book))
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.wait([task])


def listened(name: str = "a", *, every_s: float = 0.0, profile: Profile = JSON) -> Listened:
    return Listened(name, profile, address=name, every_s=every_s)


async def test_a_message_becomes_a_reading_and_is_acknowledged() -> None:
    async with running(listened()) as bench:
        bench.send({"time": "2026-11-21T11:59:59.987Z", "voltage": 230.1, "energy": 12.345}, 7)
        await bench.settle()
    at = NOW - timedelta(milliseconds=20)
    assert bench.book.readings == [Reading("a", at, {"voltage": 230.1, "active_energy_import": 12345.0})]
    assert bench.broker.acknowledged == [7]
    assert bench.broker.topics == ("meters/a/reading",)
    assert bench.diary == Diary({"a": 1})


async def test_nothing_is_acknowledged_before_it_is_kept() -> None:
    async with running(listened()) as bench:
        bench.book.free.clear()
        bench.send({"power": 1})
        for _ in range(20):
            await asyncio.sleep(0)
        assert (bench.broker.acknowledged, bench.broker.queue.qsize()) == ([], 0)
        bench.book.free.set()
        await bench.settle()
        assert bench.broker.acknowledged == [1]


async def test_what_waits_meanwhile_goes_into_one_commit() -> None:
    async with running(listened(), listened("b")) as bench:
        for number in range(1, 501):
            bench.send({"power": number}, number, meter="ab"[number % 2])
        await bench.settle()
    assert len(bench.book.readings) == 500
    assert bench.broker.acknowledged == list(range(1, 501))
    assert bench.diary.heard_count == {"a": 250, "b": 250}


async def test_a_full_book_keeps_the_messages_at_the_broker_until_there_is_room() -> None:
    async with running(listened(), full=2) as bench:
        bench.send({"power": 1})
        await bench.settle()
    assert len(bench.book.readings) == 1
    assert bench.broker.acknowledged == [1]


async def test_messages_without_a_time_are_dated_on_arrival_and_never_twice_the_same() -> None:
    async with running(listened()) as bench:
        for _ in range(3):
            bench.send({"power": 1})
        await bench.settle()
    assert [reading.at - NOW for reading in bench.book.readings] == [timedelta(milliseconds=ms) for ms in (0, 10, 20)]


async def test_a_load_without_times_stays_in_order_and_a_clock_that_was_set_back_is_believed() -> None:
    async with running(listened()) as bench:
        for _ in range(300):
            bench.send({"power": 1})
        await bench.settle()
        bench.clock.at += timedelta(milliseconds=100)
        bench.send({"power": 1})  # while instants three seconds ahead are given away
        await bench.settle()
        bench.clock.at = NOW - timedelta(days=365)
        for _ in range(2):
            bench.send({"power": 1})
            await bench.settle()
    instants = [reading.at for reading in bench.book.readings]
    assert instants[:301] == [NOW + timedelta(milliseconds=10 * place) for place in range(301)]
    assert [at - bench.clock.at for at in instants[301:]] == [timedelta(0), timedelta(milliseconds=10)]


async def test_the_brokers_last_known_value_is_not_taken_for_a_new_one() -> None:
    async with running(listened()) as bench:
        bench.send({"power": 1}, 1, retained=True)
        bench.send({"time": "2026-11-21T00:00:00Z", "power": 2}, 2, retained=True)
        await bench.settle()
    assert [reading.values["active_power"] for reading in bench.book.readings] == [2.0]
    assert bench.broker.acknowledged == [1, 2]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        ({"power": "on"}, "is no number"),
        ({}, "none of the profile's fields"),
        ({"time": "1970-01-01T00:00:10Z", "power": 1}, "set it"),
        ({"time": "2026-11-23T00:00:00Z", "power": 1}, "set it"),
        ({"time": "noon", "power": 1}, "'noon'"),
        ({"time": "0001-01-01T00:00:00+14:00", "power": 1}, "beyond the calendar"),
        ({"power": "1e9999999"}, "is no number that can be kept"),
        ({"power": "sNaN"}, "is no number that can be kept"),
        ({"power": 1e300}, "is no number that can be kept"),
        (b"[" * 60_000, "nested too deep"),
    ],
)
async def test_a_bad_payload_is_counted_and_acknowledged(payload: Any, reason: str) -> None:
    async with running(listened()) as bench:
        bench.send(payload, 1)
        bench.send({"power": 1}, 2)
        await bench.settle()
    (garbled,) = bench.diary.garbled_reasons
    assert garbled.startswith("a: meters/a/reading: ")
    assert reason in garbled
    assert bench.broker.acknowledged == [1, 2]
    assert len(bench.book.readings) == 1


async def test_a_meters_time_is_believed_while_our_own_clock_is_not_set() -> None:
    async with running(listened(), now=datetime(2025, 6, 1, tzinfo=UTC)) as bench:
        bench.send({"time": NOW.isoformat(), "power": 1})
        await bench.settle()
    assert [reading.at for reading in bench.book.readings] == [NOW]
    assert bench.diary.garbled_reasons == []


async def test_no_year_beyond_the_era_is_believed_though_our_own_clock_is_not_set() -> None:
    async with running(listened(), now=datetime(2025, 6, 1, tzinfo=UTC)) as bench:
        bench.send({"time": "2201-01-01T00:00:00Z", "power": 1})
        await bench.settle()
    assert bench.book.readings == []
    assert "its clock says 2201-01-01T00:00:00+00:00" in bench.diary.garbled_reasons[0]


async def test_a_payload_that_is_too_long_is_counted() -> None:
    async with running(listened()) as bench:
        bench.broker.queue.put_nowait(Message("meters/a/reading", b"", 5, False, 70_000))
        await bench.settle()
    assert bench.diary.garbled_reasons == ["a: meters/a/reading: a payload of 70000 bytes is too long"]
    assert bench.broker.acknowledged == [5]


async def test_every_thins_to_the_first_of_each_step_of_the_clock() -> None:
    async with running(listened(every_s=10)) as bench:
        for second in (1, 5, 9.99, 10, 15, 31):
            bench.send({"time": (NOW + timedelta(seconds=second)).isoformat(), "power": second})
        await bench.settle()
    assert [(reading.at - NOW).total_seconds() for reading in bench.book.readings] == [1, 10, 31]
    assert bench.diary.heard_count == {"a": 6}
    assert len(bench.broker.acknowledged) == 6


async def test_a_topic_nobody_wants_any_more_is_given_up_once() -> None:
    async with running(listened()) as bench:
        bench.send({"power": 1}, 1, meter="old")
        bench.send({"power": 1}, 2, meter="old")
        await bench.settle()
    assert bench.broker.forgotten == ["meters/old/reading"]
    assert bench.broker.acknowledged == [1, 2]


async def test_a_lost_broker_is_reported_and_connected_again() -> None:
    async with running(listened(), listened("b")) as bench:
        bench.broker.queue.put_nowait(Unreachable("broker closed the connection"))
        bench.send({"power": 1})
        await bench.settle()
    assert bench.diary.lost_meters == ["a", "b"]
    assert bench.broker.connections == 2
    assert len(bench.book.readings) == 1


async def test_a_broker_that_refuses_us_is_reported_and_not_knocked_at_all_the_time() -> None:
    knocks = 0

    async def refuse(settings: BrokerSettings, topics: Sequence[str]) -> Connection:
        nonlocal knocks
        knocks += 1
        raise ConfigError("wrong user or password")

    diary = Diary()
    source = MqttSource(BROKER, [listened()], clock=StoppedClock(), report=diary, connect=refuse)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(source.run(MemoryBook()), 0.3)
    assert (knocks, diary.lost_meters) == (1, ["a"])


def plug(topic: str, *fields: dict[str, Any], time: str = "") -> Profile:
    model = {"name": "plug", "title": "Plug", "vendor": "x", "protocol": "mqtt", "source": "test", "verified": True}
    return parse_profile(
        {"model": model, "mqtt": {"topic": topic, "time": time}, "field": list(fields)}, place="plug.toml"
    )


async def test_two_meters_in_one_message_and_a_value_on_a_topic_of_its_own() -> None:
    first = plug("pair", {"quantity": "active_power", "path": "P.0"})
    second = plug(
        "pair", {"quantity": "active_power", "path": "P.1"}, {"quantity": "voltage", "path": "", "topic": "u"}
    )
    async with running(listened("a", profile=first), listened("b", profile=second)) as bench:
        bench.broker.queue.put_nowait(Message("pair", b'{"P":[1,2]}', 1, False, 11))
        bench.broker.queue.put_nowait(Message("u", b"230.5", 2, False, 5))
        await bench.settle()
    assert [(reading.meter, reading.values) for reading in bench.book.readings] == [
        ("a", {"active_power": 1.0}),
        ("b", {"active_power": 2.0}),
        ("b", {"voltage": 230.5}),
    ]
    assert set(bench.broker.topics) == {"pair", "u"}


async def test_values_of_one_time_on_several_topics_are_readings_of_their_own() -> None:
    """The book keeps the first reading of a meter and an instant; topics must not take each other's place."""
    power = {"quantity": "active_power", "path": "v"}
    volts = {"quantity": "voltage", "path": "v", "topic": "u"}
    profile = plug("p", power, volts, time="t")
    for commits in (1, 2):
        async with running(listened("a", profile=profile)) as bench:
            for number, topic in enumerate(("u", "p"), 1):
                data = json.dumps({"t": NOW.isoformat(), "v": number}).encode()
                bench.broker.queue.put_nowait(Message(topic, data, number, False, len(data)))
                if commits == 2:
                    await bench.settle()
            await bench.settle()
        assert {(reading.at, *reading.values.items()) for reading in bench.book.readings} == {
            (NOW, ("active_power", 2.0)),
            (NOW + timedelta(milliseconds=10), ("voltage", 1.0)),
        }


@pytest.mark.parametrize("address", ["", "a/b", "+", "#", "a\0b"])
def test_an_address_that_is_no_part_of_a_topic_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="cannot be part of an MQTT topic"):
        topics_of(Listened("a", JSON, address))


def test_a_topic_for_many_meters_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not the topic of one meter"):
        topics_of(Listened("a", plug("meters/+", {"quantity": "voltage", "path": "u"})))
