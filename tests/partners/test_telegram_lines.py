"""Listening on real descriptors: a pseudo-terminal that is unplugged and comes back, and a TCP line that hangs up."""

import asyncio
import contextlib
import os
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from wattbook.codecs.decoder import make_decoder
from wattbook.codecs.obis import DataSet
from wattbook.codecs.sml import encode_telegram
from wattbook.drivers.source import Listened
from wattbook.drivers.telegram import TelegramSource
from wattbook.engine import once
from wattbook.engine.once import read_once
from wattbook.model import Event, Kept, Reading, SystemClock, Unreachable
from wattbook.profiles import Library, SerialSettings
from wattbook.transports.open import open_link

_WAIT_S_MAX = 30.0
SML = Library().get("sml")


def telegram(energy: int) -> bytes:
    sets = [DataSet("1-0:1.8.0*255", str(energy), "Wh"), DataSet("1-0:16.7.0*255", "230.5", "W")]
    return encode_telegram(bytes.fromhex("0901454d480000000001"), sets)


class Plug:
    """A serial adapter: a pseudo-terminal behind a name that stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = -1

    def insert(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        fresh = self.path.with_suffix(".new")
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self.path)
        os.close(slave)

    def pull(self) -> None:
        self.path.unlink()
        os.close(self.master)
        self.master = -1

    def say(self, data: bytes) -> None:
        os.write(self.master, data)


class Desk:
    """The readings that came, and what was reported of the way they came."""

    def __init__(self) -> None:
        self.energies: list[float] = []
        self.lost_count = 0

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError(readings)

    def measured(self, reading: Reading) -> None:
        self.energies.append(reading.values["active_energy_import"])

    def note(self, event: Event) -> None:
        raise AssertionError(event)

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        pass

    def garbled(self, meter: str, reason: str) -> None:
        raise AssertionError(reason)

    def lost(self, meter: str, reason: str) -> None:
        self.lost_count += 1


@contextlib.contextmanager
def listening(port: str) -> Iterator[Desk]:
    """Run a source in a loop of its own thread."""
    desk, started, loop = Desk(), threading.Event(), asyncio.new_event_loop()
    source = TelegramSource(
        "line",
        [Listened("main", SML)],
        open_link=lambda: open_link(port, SerialSettings()),
        decoder=lambda: make_decoder(SML),
        clock=SystemClock(),
        report=desk,
    )
    stop = asyncio.Event()

    async def main() -> None:
        task = asyncio.create_task(source.run(desk))
        started.set()
        await stop.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert started.wait(_WAIT_S_MAX)
    try:
        yield desk
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_WAIT_S_MAX)
        loop.close()
    assert not thread.is_alive()


def until(true: Callable[[], bool], again: Callable[[], None] = lambda: None) -> None:
    end = time.monotonic() + _WAIT_S_MAX
    while not true():
        assert time.monotonic() < end, "it did not happen"
        again()
        time.sleep(0.05)


def test_a_port_pulled_and_put_back_is_listened_to_again(tmp_path: Path) -> None:
    plug = Plug(tmp_path / "ttyUSB0")
    plug.insert()
    with listening(str(plug.path)) as desk:
        # What is said before anybody has the port open is lost, as on a wire; so say it until it is heard.
        until(lambda: 1.0 in desk.energies, again=lambda: plug.say(telegram(1)))
        plug.pull()
        until(lambda: desk.lost_count >= 2)
        begun_s, lost_count = time.monotonic(), desk.lost_count
        until(lambda: desk.lost_count >= lost_count + 4)
        assert time.monotonic() - begun_s > 0.3, "it spins while the port is gone"  # three waits of 0.1 s at the least
        plug.insert()
        until(lambda: 2.0 in desk.energies, again=lambda: plug.say(telegram(2)))
    os.close(plug.master)


def test_a_tcp_line_that_hangs_up_is_called_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_WAIT_S_MAX)
        with listening(f"tcp://127.0.0.1:{server.getsockname()[1]}") as desk:
            for number in (1, 2):
                connection, _ = server.accept()
                with connection:
                    data = telegram(number)
                    connection.sendall(data[:100])
                    connection.sendall(data[100:] + data[:50])
                    until(lambda number=number: float(number) in desk.energies)
            until(lambda: desk.lost_count >= 2)
    assert desk.energies == [1.0, 2.0]


def test_a_tcp_line_that_hangs_up_before_it_says_anything_is_not_stormed(tmp_path: Path) -> None:
    """A head that serves one client only does so; called ten times a second, small ones break down."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        connections, end = 0, time.monotonic() + 2.0
        with listening(f"tcp://127.0.0.1:{server.getsockname()[1]}"):
            while time.monotonic() < end:
                with contextlib.suppress(TimeoutError):
                    connection, _ = server.accept()
                    connections += 1
                    with connection:
                        connection.sendall(b"Port already in use\r\n")
    assert 1 < connections < 8


@pytest.mark.parametrize("size", [1, 7, 16, 200])
def test_whatever_pieces_an_adapter_makes_the_telegrams_are_the_same(tmp_path: Path, size: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_WAIT_S_MAX)
        with listening(f"tcp://127.0.0.1:{server.getsockname()[1]}") as desk:
            connection, _ = server.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                data = b"".join(map(telegram, range(5)))
                for at in range(0, len(data), size):
                    connection.sendall(data[at : at + size])
                until(lambda: len(desk.energies) == 5)
    assert desk.energies == [0.0, 1.0, 2.0, 3.0, 4.0]


@contextlib.contextmanager
def speaking(*telegrams: bytes) -> Iterator[str]:
    """An address where these are said to whoever comes, and then nothing."""

    def speak() -> None:
        connection, _ = server.accept()
        with connection:
            for one in telegrams:
                connection.sendall(one)
            connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=speak)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


NEIGHBOUR = encode_telegram(bytes.fromhex("0901454d480000000002"), [DataSet("1-0:1.8.0*255", "222", "Wh")])
NUMBER_ALONE = encode_telegram(bytes.fromhex("0901454d480000000001"), [DataSet("1-0:96.50.1*1", "EMH")])


@pytest.mark.parametrize("address", ["", "1EMH0000000001", "1 emh 0000000001", "0901454d480000000001"])
def test_the_meter_that_is_named_is_read_and_no_other(address: str) -> None:
    before = [NUMBER_ALONE, NEIGHBOUR] if address else [NUMBER_ALONE]
    with speaking(*before, telegram(111)) as port:
        reading = read_once(port, SML, address, clock=SystemClock())
    assert reading.values["active_energy_import"] == 111


def test_a_neighbour_alone_is_told_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "LISTEN_S_MAX", 0.6)
    with (
        speaking(NEIGHBOUR) as port,
        pytest.raises(Unreachable, match='the one that did calls itself "1EMH0000000002"'),
    ):
        read_once(port, SML, "1EMH0000000001", clock=SystemClock())
    with speaking(NUMBER_ALONE) as port, pytest.raises(Unreachable, match="no value that is known"):
        read_once(port, SML, None, clock=SystemClock())
