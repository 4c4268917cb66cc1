"""Listening on a line that is played from memory, on a clock that moves with it."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from wattbook.codecs.decoder import make_decoder
from wattbook.codecs.obis import DataSet
from wattbook.codecs.sml import encode_telegram as encode_sml
from wattbook.drivers.source import Listened
from wattbook.drivers.telegram import TelegramSource
from wattbook.model import ConfigError, Event, Kept, Reading, Unreachable
from wattbook.profiles import Library
from wattbook.transports.link import Link

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
SML, DSMR_2 = Library().get("sml"), Library().get("dsmr-2")
ID_A, ID_B = bytes.fromhex("0901454d480000000001"), bytes.fromhex("0901454d480000000002")
Played = tuple[float, bytes | Exception]  # seconds since the start -> what the line does then


def sml(energy: str, power: str = "230.5", server_id: bytes = ID_A) -> bytes:
    sets = [DataSet("1-0:1.8.0*255", energy, "Wh"), DataSet("1-0:16.7.0*255", power, "W")]
    return encode_sml(server_id, sets)


class Time:
    """A clock that stands until the line moves it."""

    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.s)

    def monotonic(self) -> float:
        return self.s


class PlayedLine:
    """Plays a script. When it is over, `over` is set and the line is silent."""

    character_s = 1e-4

    def __init__(self, time: Time, script: Sequence[Played]) -> None:
        self.time, self.script = time, list(script)
        self.over = threading.Event()
        self.opened = self.closed = self.reads = 0

    def open(self) -> Link:
        if self.script and self.script[0][0] < 0:
            error = self.script.pop(0)[1]
            assert isinstance(error, Exception)
            raise error
        self.opened += 1
        return self

    def read(self, timeout_s: float) -> bytes:
        self.reads += 1
        until_s = self.time.s + timeout_s
        if not self.script:
            self.over.set()
        if not self.script or self.script[0][0] > until_s:
            self.time.s = until_s
            return b""
        at_s, played = self.script.pop(0)
        self.time.s = max(self.time.s, at_s)
        if isinstance(played, Exception):
            raise played
        return played

    def close(self) -> None:
        self.closed += 1

    def write(self, data: bytes) -> None:
        raise AssertionError("who listens says nothing")

    def set_baud(self, baud: int) -> None:
        raise AssertionError("who listens changes nothing")


@dataclass
class Desk:
    """The readings that came, and what the source reported."""

    readings: list[Reading] = field(default_factory=list)
    heard_of: list[str] = field(default_factory=list)
    garbled_of: list[tuple[str, str]] = field(default_factory=list)
    lost_of: list[tuple[str, str]] = field(default_factory=list)

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError(readings)

    def measured(self, reading: Reading) -> None:
        self.readings.append(reading)

    def note(self, event: Event) -> None:
        raise AssertionError(event)

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        self.heard_of.append(meter)

    def garbled(self, meter: str, reason: str) -> None:
        self.garbled_of.append((meter, reason))

    def lost(self, meter: str, reason: str) -> None:
        self.lost_of.append((meter, reason))


async def play(
    script: Sequence[Played], *meters: Listened, check: Callable[[PlayedLine], None] = lambda line: None
) -> Desk:
    """Run a source on a script to its end."""
    time, kept = Time(), Desk()
    line = PlayedLine(time, script)
    source = TelegramSource(
        "line",
        meters,
        open_link=line.open,
        decoder=lambda: make_decoder(meters[0].profile),
        clock=time,
        report=kept,
    )
    task = asyncio.create_task(source.run(kept))
    assert await asyncio.to_thread(line.over.wait, 20)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert line.closed == line.opened
    check(line)
    return kept


METER = Listened("main", SML)


async def test_a_telegram_is_dated_when_it_is_complete() -> None:
    telegram = sml("1000.5")
    kept = await play([(1.0, telegram[:20]), (1.2, telegram[20:100]), (1.35, telegram[100:])], METER)
    values = {"active_energy_import": 1000.5, "active_power": 230.5}
    assert kept.readings == [Reading("main", START + timedelta(seconds=1.35), values)]
    assert kept.heard_of == ["main"]


async def test_a_damaged_telegram_is_counted_and_the_next_one_is_read() -> None:
    damaged = bytearray(sml("1000"))
    damaged[60] ^= 1
    kept = await play([(1, bytes(damaged)), (2, sml("1001"))], METER)
    assert [reading.values["active_energy_import"] for reading in kept.readings] == [1001.0]
    assert [meter for meter, _ in kept.garbled_of] == ["main"]


async def test_a_vanished_port_is_opened_again() -> None:
    telegram = sml("1000")
    script: list[Played] = [
        (-1, Unreachable("no port")),
        (1, telegram[:50]),
        (1.1, Unreachable("gone")),
        (-1, Unreachable("no port")),
        (2, telegram),
    ]
    kept = await play(script, METER)
    assert [reason for _, reason in kept.lost_of] == ["no port", "gone", "no port"]
    assert len(kept.readings) == 1, "the half telegram before the loss is no part of the one after it"
    assert kept.garbled_of == []


async def test_every_thins_what_is_kept_and_not_what_is_heard() -> None:
    script = [(second, sml(str(1000 + second))) for second in range(1, 13)]
    kept = await play(script, Listened("main", SML, every_s=5))
    assert [reading.at.second for reading in kept.readings] == [1, 5, 10]
    assert len(kept.heard_of) == 12


async def test_meters_are_told_apart_by_their_own_id() -> None:
    meters = Listened("a", SML, ID_A.hex().upper()), Listened("rest", SML)
    kept = await play([(1, sml("1")), (2, sml("2", server_id=ID_B))], *meters)
    assert [(reading.meter, reading.values["active_energy_import"]) for reading in kept.readings] == [
        ("a", 1.0),
        ("rest", 2.0),
    ]


async def test_a_stranger_is_named_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    kept = await play([(1, sml("1", server_id=ID_B)), (2, sml("2", server_id=ID_B))], Listened("a", SML, ID_A.hex()))
    assert kept.readings == []
    (line,) = [record.getMessage() for record in caplog.records if record.name == "wattbook.drivers.telegram"]
    assert "not configured" in line


def test_two_meters_without_an_address_cannot_be_told_apart() -> None:
    meters = [Listened("a", SML), Listened("b", SML)]
    with pytest.raises(ConfigError, match="b and a on the line"):
        TelegramSource("x", meters, open_link=lambda: None, decoder=lambda: None, clock=Time(), report=Desk())  # type: ignore[arg-type,return-value]


async def test_a_port_that_can_never_be_opened_ends_the_source() -> None:
    def refuse() -> Link:
        raise ConfigError("this is no serial port")

    kept = Desk()
    source = TelegramSource(
        "x", [METER], open_link=refuse, decoder=lambda: make_decoder(SML), clock=Time(), report=kept
    )
    with pytest.raises(ConfigError, match="no serial port"):
        await asyncio.wait_for(source.run(kept), 20)
    assert kept.lost_of == [("main", "this is no serial port")]


async def test_a_line_at_rest_costs_two_reads_a_second() -> None:
    def check(line: PlayedLine) -> None:
        assert line.reads < 2.1 * line.time.s + 10

    await play([(1, sml("1")), (60, sml("2"))], METER, check=check)
