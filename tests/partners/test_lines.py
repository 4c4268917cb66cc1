"""Lines that collect, on real pseudo-terminals and sockets: faults, replug, commands, stop; and servers not ours."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import serial
import serial.rfc2217
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusTcpServer

from notebook import Notebook
from wattbook import config
from wattbook.codecs.modbus import Request, Response, encode_response, parse_request
from wattbook.codecs.modbus_ask import Rtu, Tcp, read, write_register
from wattbook.engine.collect import LineTask, MeterTask, SerialLine, TcpLine, make_line
from wattbook.engine.lines import Lines
from wattbook.engine.once import read_once
from wattbook.engine.status import MeterStatus
from wattbook.model import ConfigError, Event, Garbled, Refused, SystemClock, Unreachable
from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Faults, Options, SimulatedLine, SimulatedMeter, Simulation, build
from wattbook.transports.link import Link, LinkLost
from wattbook.transports.open import open_link
from wattbook.transports.play import Player

pytestmark = pytest.mark.enable_socket

LIBRARY = Library()
PZEM, ZPA = LIBRARY.get("pzem-016"), LIBRARY.get("zpa-two-tariff")
WAIT_S = 20.0  # for what takes a second on a machine that is not busy
Welcome = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@contextmanager
def rs485(
    folder: Path, port: str = "rs485", addresses: Sequence[int] = (4, 5), baud: int = 38400
) -> Iterator[Simulation]:
    line = SimulatedLine("line", port, SerialSettings(baud=baud), strict=False)
    meters = [SimulatedMeter(f"m{address}", "line", PZEM, address) for address in addresses]
    with build([line], meters, Options(folder)) as simulation:
        yield simulation


@contextmanager
def collecting(
    *ports: str, addresses: Sequence[int] = (4, 5), every_s: float = 0.0, baud: int = 38400
) -> Iterator[tuple[SerialLine, Notebook]]:
    keeper = Notebook()
    meters = tuple(MeterTask(f"m{address}", PZEM, address, every_s) for address in addresses)
    line = SerialLine(LineTask("line", ports, meters, keeper, SystemClock(), SerialSettings(baud=baud)))
    line.start()
    try:
        yield line, keeper
    finally:
        began = time.monotonic()
        line.stop()
        assert time.monotonic() - began < 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("line line")]


def status(line: SerialLine | TcpLine, meter: str) -> MeterStatus:
    return next(status for status in line.statuses if status.meter == meter)


def test_meters_are_read_in_turn_and_their_instants_rise(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (line, keeper):
        until(lambda: len(keeper.of("m4")) >= 20 and len(keeper.of("m5")) >= 20)
        for meter in ("m4", "m5"):
            instants = [reading.at for reading in keeper.of(meter)]
            assert all(earlier < later for earlier, later in itertools.pairwise(instants))
            assert status(line, meter).state == "present"
            assert status(line, meter).counters.answers >= 20
            assert 0 < status(line, meter).latency_s < 1
        assert 200 < keeper.readings[0].values["voltage"] < 260
        assert keeper.events == []


def test_a_silent_meter_goes_once_and_returns_once(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (line, keeper):
        until(lambda: len(keeper.of("m5")) > 2)
        simulation.set_faults("m5", Faults(silent=True))
        until(lambda: status(line, "m5").state == "away")
        others = len(keeper.of("m4"))
        until(lambda: len(keeper.of("m4")) > others + 20)
        simulation.set_faults("m5", Faults())
        until(lambda: status(line, "m5").state == "present")
        assert keeper.kinds("m5") == ["meter.away", "meter.back"]
        assert keeper.kinds("m4") == []
        assert status(line, "m5").counters.timeouts >= 3


@pytest.mark.parametrize(
    ("faults", "counter"),
    [(Faults(damage_every=2), "garbled"), (Faults(exception=6), "refused"), (Faults(late_s=0.4), "timeouts")],
)
def test_faults_are_counted_and_never_a_value(tmp_path: Path, faults: Faults, counter: str) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (line, keeper):
        until(lambda: len(keeper.of("m5")) > 2)
        simulation.set_faults("m5", faults)
        until(lambda: getattr(status(line, "m5").counters, counter) >= 2)
        simulation.set_faults("m5", Faults())
        seen = len(keeper.of("m5"))
        until(lambda: len(keeper.of("m5")) > seen + 2)
        assert all(200 < reading.values["voltage"] < 260 for reading in keeper.readings)


@pytest.mark.parametrize("faults", [Faults(echo=True), Faults(noise_before=2)])
def test_an_echo_or_a_glitch_costs_nothing(tmp_path: Path, faults: Faults) -> None:
    with rs485(tmp_path) as simulation:
        simulation.set_faults("line" if faults.echo else "m4", faults)
        with collecting(simulation.address("line"), addresses=(4,)) as (line, keeper):
            until(lambda: len(keeper.of("m4")) > 20)
            assert keeper.kinds("m4") == []
            # A wrong guess of two random bytes may look like an answer; that is counted, not believed.
            assert status(line, "m4").counters.garbled <= 3


def test_a_port_that_vanished_is_found_again(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (line, keeper):
        until(lambda: len(keeper.of("m5")) > 2)
        simulation.unplug("line")
        until(lambda: all(status.state == "away" for status in line.statuses))
        assert "is the adapter plugged in?" in status(line, "m4").reason
        seen = len(keeper.of("m4"))
        simulation.replug("line")
        until(lambda: len(keeper.of("m4")) > seen and status(line, "m5").state == "present")
        assert keeper.kinds("m4") == ["meter.away", "meter.back"]


def test_a_port_that_is_not_there_is_said_and_waited_for(tmp_path: Path) -> None:
    with collecting(str(tmp_path / "rs485")) as (line, keeper):
        until(lambda: all(status.state == "away" for status in line.statuses))
        assert "no such port" in status(line, "m4").reason
        with pytest.raises(Unreachable):
            line.submit(read(line.framing, unit=4, address=0, count=1)).result(WAIT_S)
        with rs485(tmp_path):
            until(lambda: len(keeper.of("m4")) > 0)


def test_meters_are_found_on_whatever_port_they_are(tmp_path: Path) -> None:
    ports = tmp_path / "a", tmp_path / "b"
    line_b = SimulatedLine("b", str(ports[1]), SerialSettings(baud=38400))
    with (
        rs485(tmp_path, str(ports[0]), (4,)) as first,
        build([line_b], [SimulatedMeter("m5", "b", PZEM, 5)], Options(tmp_path)) as second,
        collecting(*map(str, ports)) as (line, keeper),
    ):
        until(lambda: len(keeper.of("m4")) > 2 and len(keeper.of("m5")) > 2)
        assert keeper.events == []  # looking for a meter is no absence
        # Both are pulled; what was on the one comes back on the other.
        first.unplug("line")
        second.unplug("b")
        until(lambda: all(status.state == "away" for status in line.statuses))
        seen = {meter: len(keeper.of(meter)) for meter in ("m4", "m5")}
        moved = SimulatedLine("c", str(ports[1]), SerialSettings(baud=38400))
        with build([moved], [SimulatedMeter("x", "c", PZEM, 4), SimulatedMeter("y", "c", PZEM, 5)], Options(tmp_path)):
            until(lambda: all(len(keeper.of(meter)) > seen[meter] for meter in seen))
            assert line.submit(read(line.framing, unit=4, address=0, count=1), meter="m4").result(WAIT_S)


def test_commands_are_played_before_polls_and_tell_what_happened(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line"), every_s=3600.0) as (line, keeper):
        until(lambda: len(keeper.readings) == 2)
        [volts] = line.submit(read(line.framing, unit=4, address=0, count=1)).result(WAIT_S)
        assert 2000 < volts < 2600
        with pytest.raises(Refused):
            line.submit(write_register(line.framing, unit=4, address=999, word=1)).result(WAIT_S)
        with pytest.raises(Unreachable):
            line.submit(read(line.framing, unit=99, address=0, count=1, timeout_s=0.1)).result(WAIT_S)


def test_too_many_commands_are_refused_and_a_stopped_line_refuses_all(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (line, keeper):
        until(lambda: len(keeper.readings) > 2)
        futures = [line.submit(read(line.framing, unit=99, address=0, count=1, timeout_s=0.5)) for _ in range(150)]
        assert any(future.done() and "commands wait" in str(future.exception()) for future in futures)
        line.stop()
        assert all(isinstance(future.exception(WAIT_S), Unreachable) for future in futures)
        with pytest.raises(Unreachable):
            line.submit(read(line.framing, unit=4, address=0, count=1)).result(WAIT_S)


def test_a_readout_shows_its_progress_and_stops_in_the_middle(tmp_path: Path) -> None:
    keeper = Notebook()
    with build([SimulatedLine("head", "head")], [SimulatedMeter("home", "head", ZPA)], Options(tmp_path)) as simulation:
        task = LineTask(
            "head", (simulation.address("head"),), (MeterTask("home", ZPA),), keeper, SystemClock(), ZPA.serial
        )
        line = SerialLine(task)
        line.start()
        try:
            until(lambda: status(line, "home").heard_bytes > 60)
            assert status(line, "home").state == "starting"
        finally:
            began = time.monotonic()
            line.stop()
        assert time.monotonic() - began < 2  # the machine may be busy; a stop is looked for every 0.2 s
    assert keeper.readings == []


def test_a_port_is_opened_by_one_program_only(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation:
        link = open_link(simulation.address("line"), SerialSettings())
        try:
            with pytest.raises(LinkLost, match="another program has this port"):
                open_link(simulation.address("line"), SerialSettings())
        finally:
            link.close()
            link.close()


def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("x")
    with pytest.raises(LinkLost, match="no serial port"):
        open_link(str(file), SerialSettings())


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("udp://host:1", 'begins with "udp://"'),
        ("tcp://host", "needs a host and a port"),
        ("tcp://host:99999", "number from 1 to 65535"),
        ("rfc2217://:2217", "needs a host"),
    ],
)
def test_wrong_addresses_are_said(port: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_link(port, SerialSettings())


def words(link: Link) -> tuple[int, ...]:
    try:
        return Player(link, framed=True).play(read(Rtu(), unit=4, address=0, count=9, timeout_s=2.0))
    finally:
        link.close()


@pytest.mark.parametrize("scheme", ["rtu+tcp", "rfc2217"])
def test_a_line_behind_a_socket(tmp_path: Path, scheme: str) -> None:
    with rs485(tmp_path, f"{scheme}://127.0.0.1:0", baud=19200) as simulation:
        heard = words(open_link(simulation.address("line"), SerialSettings(baud=19200)))
        assert 2000 < heard[0] < 2600
        with collecting(simulation.address("line"), baud=19200) as (_, keeper):
            until(lambda: len(keeper.of("m4")) > 2)


def test_another_speed_over_rfc2217_is_noise_to_the_meter(tmp_path: Path) -> None:
    with rs485(tmp_path, "rfc2217://127.0.0.1:0", baud=19200) as simulation:
        link = open_link(simulation.address("line"), SerialSettings(baud=9600))
        with pytest.raises(Unreachable):
            words(link)


def test_a_server_of_pyserial_sets_what_we_ask() -> None:
    """Our RFC 2217 client against pyserial's server, whose port gives back what it is sent."""
    seen: list[tuple[int, int, str, int]] = []
    done = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            manager = serial.rfc2217.PortManager(port, _Writer(connection))
            connection.settimeout(0.01)
            while not done.is_set():
                try:
                    data = connection.recv(1024)
                except TimeoutError:
                    data = b""
                port.write(b"".join(manager.filter(data)))
                if waiting := port.read(1024):
                    connection.sendall(b"".join(manager.escape(waiting)))
            seen.append((port.baudrate, port.bytesize, port.parity, port.stopbits))

    with socket.create_server(("127.0.0.1", 0)) as server, serial.serial_for_url("loop://", timeout=0.01) as port:
        thread = threading.Thread(target=serve)
        thread.start()
        settings = SerialSettings(baud=2400, bits=7, parity="even", stopbits=2)
        link = open_link(f"rfc2217://127.0.0.1:{server.getsockname()[1]}", settings)
        try:
            link.write(bytes(range(256)))
            heard, end = b"", time.monotonic() + WAIT_S
            while len(heard) < 256 and time.monotonic() < end:
                heard += link.read(0.1)
            assert heard == bytes(range(256))
            link.set_baud(4800)
        finally:
            done.set()
            thread.join(WAIT_S)
            link.close()
    assert seen == [(4800, 7, "E", 2)]


class _Writer:
    """What pyserial's PortManager writes its answers to."""

    def __init__(self, connection: socket.socket) -> None:
        self.write = connection.sendall


@contextmanager
def pymodbus_server() -> Iterator[int]:
    """A Modbus TCP server that is not ours, with a PZEM's registers at unit 4."""
    block = ModbusSequentialDataBlock(1, [2301, 1500, 0, 3450, 0, 4711, 0, 500, 98, 0])
    context = ModbusServerContext(devices={4: ModbusDeviceContext(ir=block)}, single=False)
    ready, ports = threading.Event(), []

    async def serve() -> None:
        server = ModbusTcpServer(context, address=("127.0.0.1", 0))
        task = asyncio.create_task(server.serve_forever(background=False))
        while server.transport is None:
            await asyncio.sleep(0.01)
        ports.append(server.transport.sockets[0].getsockname()[1])
        loop_and_server.append((asyncio.get_running_loop(), server))
        ready.set()
        await task

    loop_and_server: list[tuple[asyncio.AbstractEventLoop, ModbusTcpServer]] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(WAIT_S)
    try:
        yield ports[0]
    finally:
        loop, server = loop_and_server[0]
        asyncio.run_coroutine_threadsafe(server.shutdown(), loop).result(WAIT_S)
        thread.join(WAIT_S)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_modbus_tcp_against_pymodbus() -> None:
    keeper = Notebook()
    with pymodbus_server() as port:
        meters = (MeterTask("m4", PZEM, 4), MeterTask("m9", PZEM, 9))
        line = make_line(LineTask("net", (f"tcp://127.0.0.1:{port}",), meters, keeper, SystemClock()))
        assert isinstance(line, TcpLine)
        line.start()
        try:
            await eventually(lambda: len(keeper.of("m4")) > 10)
            assert keeper.of("m4")[0].values == {
                "voltage": 230.1, "current": 1.5, "active_power": 345.0,
                "active_energy_import": 4711.0, "frequency": 50.0, "power_factor": 0.98,
            }  # fmt: skip
            heard = line.submit(read(line.framing, unit=4, address=0, count=1, timeout_s=WAIT_S))
            assert await asyncio.wrap_future(heard) == (2301,)
            await eventually(lambda: status(line, "m9").state == "away")
            assert keeper.of("m9") == []
        finally:
            await line.stop()


def test_noise_is_asked_again_when_a_meter_is_read_once(tmp_path: Path) -> None:
    with rs485(tmp_path, addresses=(4,)) as simulation:
        simulation.set_faults("m4", Faults(damage_every=2))
        for _ in range(4):
            reading = read_once(simulation.address("line"), PZEM, 4, clock=SystemClock(), baud=38400)
            assert 200 < reading.values["voltage"] < 260
        simulation.set_faults("m4", Faults(damage_every=1))
        with pytest.raises(Garbled):
            read_once(simulation.address("line"), PZEM, 4, clock=SystemClock(), baud=38400)
        assert simulation.statistics()["line"].answers == 4 + 3 + 2  # of four readings three met noise


def test_a_meter_that_lacks_registers_is_not_taken_for_wrong_wiring(tmp_path: Path) -> None:
    with rs485(tmp_path, addresses=(4,)) as simulation:
        simulation.set_faults("m4", Faults(exception=2))
        with pytest.raises(Refused, match="for registers 0-8; check the model; what this device lacks is left out"):
            read_once(simulation.address("line"), PZEM, 4, clock=SystemClock(), baud=38400)


def test_a_tcp_meter_read_once_shows_its_wire() -> None:
    wire: list[tuple[str, bytes]] = []
    with pymodbus_server() as port:
        read_once(f"tcp://127.0.0.1:{port}", PZEM, 4, clock=SystemClock(), wire=lambda *seen: wire.append(seen))
    assert [direction for direction, _ in wire] == [">", "<"]
    assert wire[0][1][6:] == bytes.fromhex("04 04 0000 0009")


async def test_a_tcp_meter_that_restarts_is_back(tmp_path: Path) -> None:
    keeper = Notebook()
    with ExitStack() as first_life:
        address = first_life.enter_context(rs485(tmp_path, "tcp://127.0.0.1:0")).address("line")
        line = TcpLine(LineTask("net", (address,), (MeterTask("m4", PZEM, 4),), keeper, SystemClock()))
        line.start()
        try:
            await eventually(lambda: len(keeper.of("m4")) > 2)
            await asyncio.to_thread(first_life.close)
            await eventually(lambda: status(line, "m4").state == "away")
            with rs485(tmp_path, address):
                await eventually(lambda: status(line, "m4").state == "present")
            assert keeper.kinds("m4")[:2] == ["meter.away", "meter.back"]
        finally:
            await line.stop()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def _talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"\xff" * 30)


@pytest.mark.parametrize("welcome", [_hang_up, _talk_nonsense])
async def test_a_device_that_accepts_and_never_answers_is_not_stormed(welcome: Welcome) -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            await welcome(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    line = TcpLine(LineTask("net", (address,), (MeterTask("m4", PZEM, 4),), Notebook(), SystemClock()))
    line.start()
    try:
        await eventually(lambda: status(line, "m4").state == "away")
        await asyncio.sleep(1.0)  # in which it would connect a thousand times
        assert connections < 20
    finally:
        await line.stop()
        server.close()
        await asyncio.sleep(0.1)  # for the last connection to be closed on both sides


@contextmanager
def serial_server_that_closes_what_is_idle(closed: threading.Event) -> Iterator[str]:
    """A PZEM-016 behind it; after 0.1 s without a request it hangs up."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.settimeout(0.1)
                with connection, suppress(TimeoutError):
                    while asked := connection.recv(8):
                        request = parse_request(asked)
                        connection.sendall(encode_response(Response(request.unit, 4, (2300,) * request.count)))
                closed.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"rtu+tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_nobody_is_called_away_because_a_serial_server_closed_an_idle_connection() -> None:
    with (
        serial_server_that_closes_what_is_idle(threading.Event()) as port,
        collecting(port, addresses=[4], every_s=0.5) as (_, keeper),
    ):
        until(lambda: len(keeper.of("m4")) > 4)
    assert keeper.kinds("m4") == []


def test_other_masters_do_not_notice_that_a_serial_server_closed_an_idle_connection() -> None:
    closed = threading.Event()
    with (
        serial_server_that_closes_what_is_idle(closed) as port,
        collecting(port, addresses=[]) as (line, _),
    ):
        for _ in range(4):
            assert closed.wait(WAIT_S)
            closed.clear()
            time.sleep(0.05)  # for it to be seen on this side
            asked = line.submit(read(line.framing, unit=4, address=0, count=1), guest=True)
            assert asked.result(WAIT_S) == (2300,)


async def test_other_masters_do_not_notice_that_an_idle_connection_was_closed() -> None:
    """On a line that has no meters of ours; nor that the first one was closed before anybody asked."""
    closed = asyncio.Event()

    async def hang_up_on_the_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError):
            while request := await asyncio.wait_for(reader.read(12), 0.05):
                writer.write(request[:4] + bytes.fromhex("0005 01 03 02 0007"))
        writer.close()
        await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(hang_up_on_the_idle, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    line = TcpLine(LineTask("net", (address,), (), Notebook(), SystemClock()))
    line.start()
    try:
        for _ in range(8):
            await asyncio.wait_for(closed.wait(), WAIT_S)
            await asyncio.sleep(0.05)  # for it to be seen on this side
            closed.clear()
            asked = line.submit(line.framing.exchange(Request(1, 3, 0, 1), 0.5), guest=True)
            assert (await asyncio.wait_for(asyncio.wrap_future(asked), WAIT_S)).words == (7,)
    finally:
        await line.stop()
        server.close()
        await asyncio.sleep(0.1)


async def test_a_gateway_that_waits_long_for_one_meter_does_not_cost_the_others() -> None:
    """It asks one after another, as its own line wants it: meanwhile it hears nobody else."""

    async def ask_one_after_another(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(12):
            there = request[6] in (5, 9)
            await asyncio.sleep(0.02 if there else 3.0)
            answer = bytes((4, 18)) + bytes(18) if there else b"\x84\x0b"
            writer.write(request[:4] + bytes((0, len(answer) + 1, request[6])) + answer)
        writer.close()

    server = await asyncio.start_server(ask_one_after_another, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    meters = tuple(MeterTask(f"m{unit}", PZEM, unit, 0.5) for unit in (4, 5, 9))
    keeper = Notebook()
    line = TcpLine(LineTask("net", (address,), meters, keeper, SystemClock()))
    line.start()
    try:
        await eventually(lambda: "no answer behind the gateway" in status(line, "m4").reason)
        before = {name: len(keeper.of(name)) for name in ("m5", "m9")}
        await eventually(lambda: all(len(keeper.of(name)) > before[name] + 3 for name in before))
        assert keeper.kinds("m5") == keeper.kinds("m9") == []
    finally:
        await line.stop()
        server.close()
        await asyncio.sleep(0.1)


async def test_a_gateway_that_hangs_up_between_two_refusals_is_not_what_is_wrong() -> None:
    """Its meters are off, and it says so; and it closes what is idle, which is no news."""
    refused = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refused
        with suppress(TimeoutError):
            while request := await asyncio.wait_for(reader.read(12), 0.2):
                refused += 1
                writer.write(request[:4] + bytes((0, 3, request[6], request[7] | 0x80, 11)))
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    line = TcpLine(LineTask("net", (address,), (MeterTask("m4", PZEM, 4, 0.5),), Notebook(), SystemClock()))
    line.start()
    try:
        await eventually(lambda: status(line, "m4").state == "away")
        assert refused == 3 and "no answer behind the gateway" in status(line, "m4").reason
    finally:
        await line.stop()
        server.close()
        await asyncio.sleep(0.1)


def zeros(request: bytes) -> bytes:
    """The answer to a read over Modbus TCP, of registers that are all 0."""
    size = 2 * int.from_bytes(request[10:12], "big")
    return request[:4] + bytes((0, 3 + size)) + request[6:8] + bytes((size,)) + bytes(size)


@pytest.mark.parametrize(
    ("model", "answer", "reason"),
    [
        ("pzem-016", None, "closed the connection"),
        ("pzem-016", b"\xff" * 30, "carries nonsense"),
        ("sunspec-meter", b"", "no SunSpec marker"),
    ],
    ids=["hangs up", "nonsense", "another device"],
)
async def test_one_meter_that_cannot_be_asked_does_not_keep_the_others_from_it(
    model: str, answer: bytes | None, reason: str
) -> None:
    """It is the first of its line, and at its question the other end hangs up or talks nonsense; or it is another."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(12):
            if request[6] == 1 and answer is None:
                break
            writer.write((request[6] == 1 and answer) or zeros(request))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    meters = (MeterTask("bad", LIBRARY.get(model), 1, 0.5), MeterTask("good", PZEM, 2, 0.5))
    keeper = Notebook()
    line = TcpLine(LineTask("net", (address,), meters, keeper, SystemClock()))
    line.start()
    try:
        await eventually(lambda: reason in status(line, "bad").reason and len(keeper.of("good")) > 5)
        assert keeper.kinds("good") == []
        assert answer is None or status(line, "bad").counters.garbled > 0
    finally:
        await line.stop()
        server.close()
        await asyncio.sleep(0.1)


async def test_after_all_were_away_one_that_cannot_be_asked_keeps_none_from_it() -> None:
    """The other end begins by hanging up whatever it is asked, and then does so at one meter's question alone."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        while request := await reader.read(12):
            if served <= 2 or request[6] == 1:
                break
            writer.write(zeros(request))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    meters = (MeterTask("bad", PZEM, 1, 0.5), MeterTask("good", PZEM, 2, 0.5))
    keeper = Notebook()
    line = TcpLine(LineTask("net", (address,), meters, keeper, SystemClock()))
    line.start()
    try:
        await eventually(lambda: len(keeper.of("good")) > 5)
        assert status(line, "good").state == "present"
    finally:
        await line.stop()
        server.close()
        await asyncio.sleep(0.1)


async def test_a_bug_in_a_tcp_line_is_told(tmp_path: Path) -> None:
    class Broken(Notebook):
        def note(self, event: Event) -> None:
            raise ValueError("a bug")

    file = tmp_path / "wattbook.toml"
    file.write_text(
        '[[line]]\nname = "net"\nport = "tcp://127.0.0.1:1"\n'
        '[[meter]]\nname = "m4"\nline = "net"\nmodel = "pzem-016"\naddress = 4\n'
    )
    lines = Lines(config.load(file), keeper=Broken(), clock=SystemClock(), session="")
    told = asyncio.get_running_loop().create_future()
    lines.start(failed=told.set_exception)
    try:
        with pytest.raises(ValueError, match="a bug"):
            await asyncio.wait_for(told, WAIT_S)
    finally:
        await lines.stop()


def test_what_is_which_line() -> None:
    keeper, clock = Notebook(), SystemClock()

    def made(port: str, *meters: MeterTask) -> SerialLine | TcpLine:
        return make_line(LineTask("x", (port,), meters, keeper, clock))

    assert isinstance(made("rtu+tcp://h:1", MeterTask("m", PZEM)), SerialLine)
    assert isinstance(made("tcp://h:1", MeterTask("m", ZPA)), SerialLine)
    with pytest.raises(ConfigError, match="either Modbus meters"):
        made("tcp://h:1", MeterTask("m", PZEM), MeterTask("n", ZPA))
    with pytest.raises(ConfigError, match="number"):
        made("/dev/null", MeterTask("m", PZEM, "four"))
    with pytest.raises(ConfigError, match="speaks by itself"):
        made("/dev/null", MeterTask("m", LIBRARY.get("sml")))


def test_transactions_of_one_connection_are_numbered() -> None:
    tcp = Tcp()
    numbers = []
    for _ in range(3):
        conversation = read(tcp, unit=1, address=0, count=1)
        step = next(conversation)
        numbers.append(step.data[:2])  # type: ignore[union-attr]
        conversation.close()
    assert numbers == [b"\0\1", b"\0\2", b"\0\3"]
