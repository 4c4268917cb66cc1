"""Simulated lines against programs that are not ours: minimalmodbus, pymodbus, mbpoll, pyserial and smllib."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import minimalmodbus
import pytest
import serial
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from smllib import SmlStreamReader

from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Faults, Options, SimulatedLine, SimulatedMeter, Simulation, build

pytestmark = pytest.mark.enable_socket

LIBRARY = Library()
PZEM = LIBRARY.get("pzem-016")
WAIT_S = 10.0  # for what happens at once on a machine that is not busy


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def quiet(port: serial.SerialBase) -> None:
    """Hear nothing for as long as a meter must be left alone before it is answered."""
    usual, port.timeout = port.timeout, 0.2
    assert port.read(1) == b""
    port.timeout = usual


@contextmanager
def rs485(folder: Path, port: str = "rs485", *, strict: bool = True) -> Iterator[Simulation]:
    meters = [SimulatedMeter(f"pzem-{address}", "line", PZEM, address) for address in (4, 5)]
    with build([SimulatedLine("line", port, strict=strict)], meters, Options(folder)) as simulation:
        yield simulation


@contextmanager
def instrument(
    port: str, address: int = 4, timeout_s: float = 1.0, baud: int = 9600
) -> Iterator[minimalmodbus.Instrument]:
    device = minimalmodbus.Instrument(port, address)
    device.serial.baudrate = baud
    device.serial.timeout = timeout_s
    with closing(device.serial):
        yield device


def test_minimalmodbus_reads_what_the_meter_measures(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, instrument(simulation.address("line")) as device:
        for _ in range(10):
            words = device.read_registers(0, 9, functioncode=4)
            assert 2200 <= words[0] <= 2400
            assert 490 <= words[7] <= 510
        until(lambda: simulation.statistics()["line"].answers == 10)  # counted after the last byte went out
    assert simulation.statistics()["line"].offences == 0


def test_pymodbus_reads_two_slaves(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation:
        client = ModbusSerialClient(simulation.address("line"), baudrate=9600, timeout=1, retries=3)
        assert client.connect()
        with closing(client):
            for address in (4, 5):
                answer = client.read_input_registers(0, count=9, device_id=address)
                assert not answer.isError()
                assert 2200 <= answer.registers[0] <= 2400
            assert client.read_input_registers(100, count=1, device_id=4).exception_code == 2


def mbpoll(*arguments: str) -> str:
    program = shutil.which("mbpoll")
    if program is None:
        pytest.skip("mbpoll is not installed: apt-get install mbpoll")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mbpoll_reads_over_the_line(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation:
        port = simulation.address("line")
        shown = mbpoll(
            "-m", "rtu", "-a", "4", "-b", "9600", "-P", "none", "-t", "3", "-0", "-r", "0", "-c", "9", "-1", port
        )
    rows = [line for line in shown.splitlines() if line.startswith("[")]
    assert len(rows) == 9
    assert 2200 <= int(rows[0].split(":")[1]) <= 2400


def test_mbpoll_reads_over_tcp() -> None:
    meters = [SimulatedMeter("pzem", "line", PZEM, 4)]
    with build([SimulatedLine("line", "tcp://127.0.0.1:0")], meters) as simulation:
        port = simulation.address("line").rsplit(":", 1)[1]
        shown = mbpoll("-m", "tcp", "-p", port, "-a", "4", "-t", "3", "-0", "-r", "0", "-c", "9", "-1", "127.0.0.1")
    assert len([line for line in shown.splitlines() if line.startswith("[")]) == 9


def test_pymodbus_over_tcp_and_over_rtu_in_tcp() -> None:
    for scheme, framer in (("tcp", FramerType.SOCKET), ("rtu+tcp", FramerType.RTU)):
        meters = [SimulatedMeter("pzem", "line", PZEM, 4)]
        with build([SimulatedLine("line", f"{scheme}://127.0.0.1:0")], meters) as simulation:
            port = int(simulation.address("line").rsplit(":", 1)[1])
            client = ModbusTcpClient("127.0.0.1", port=port, framer=framer, timeout=0.7)
            assert client.connect()
            with closing(client):
                assert 2200 <= client.read_input_registers(0, count=9, device_id=4).registers[0] <= 2400
                assert client.read_input_registers(99, count=1, device_id=4).exception_code == 2
                simulation.set_faults("pzem", Faults(exception=4))
                assert client.read_input_registers(0, count=9, device_id=4).exception_code == 4


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(silent=True), minimalmodbus.NoResponseError),
        (Faults(damage_every=1), minimalmodbus.ModbusException),
        (Faults(exception=6), minimalmodbus.SlaveDeviceBusyError),
        (Faults(noise_before=4), minimalmodbus.ModbusException),
        (Faults(late_s=0.5), minimalmodbus.NoResponseError),
    ],
)
def test_faults_reach_the_reader_and_go_away(tmp_path: Path, faults: Faults, error: type[Exception]) -> None:
    with rs485(tmp_path) as simulation, instrument(simulation.address("line"), timeout_s=0.3) as device:
        simulation.set_faults("pzem-4", faults)
        with pytest.raises((error, ValueError)):
            device.read_registers(0, 9, functioncode=4)
        simulation.set_faults("pzem-4", Faults())
        until(lambda: _reads(device))


def _reads(device: minimalmodbus.Instrument) -> bool:
    try:
        return len(device.read_registers(0, 9, functioncode=4)) == 9
    except (minimalmodbus.ModbusException, ValueError, OSError):
        return False


def test_an_adapter_that_echoes(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, instrument(simulation.address("line")) as device:
        simulation.set_faults("line", Faults(echo=True))
        device.handle_local_echo = True
        assert len(device.read_registers(0, 9, functioncode=4)) == 9


def test_unplug_and_replug_behind_the_same_name(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation:
        link = Path(simulation.address("line"))
        with instrument(str(link)) as device:
            assert _reads(device)
            before = link.readlink()
            simulation.unplug("line")
            until(lambda: not link.is_symlink())
            with pytest.raises(OSError):
                device.serial.read(1)
                device.serial.write(b"x")
                device.serial.read(1)
        holder = os.open(os.devnull, os.O_RDONLY)  # so that no descriptor number is taken twice by chance
        simulation.replug("line")
        until(link.is_symlink)
        os.close(holder)
        with instrument(str(link)) as device:
            assert _reads(device)
        assert before.parent == link.readlink().parent
    assert not link.is_symlink()


def test_a_reader_at_another_speed_hears_nothing(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation:
        with instrument(simulation.address("line"), timeout_s=0.2, baud=19200) as device:
            assert not _reads(device)
        until(lambda: simulation.statistics()["line"].garbled == 1)
        with instrument(simulation.address("line")) as device:
            assert _reads(device)


def test_a_request_without_the_silence_before_it_is_an_offence(tmp_path: Path) -> None:
    """At 300 Bd, where the silence is 0.12 s, so that a busy machine cannot make a patient reader of this one."""
    line = SimulatedLine("line", "slow", serial=SerialSettings(300))
    meters = [SimulatedMeter("pzem", "line", PZEM, 4)]
    request = bytes.fromhex("0404 0000 0009 3059")
    with (
        build([line], meters, Options(tmp_path)) as simulation,
        closing(serial.Serial(simulation.address("line"), 300, timeout=WAIT_S)) as port,
    ):
        port.write(request)
        assert len(port.read(23)) == 23
        port.write(request)
        port.timeout = 0.8
        assert port.read(23) == b""
        seen = simulation.statistics()["line"]
    assert (seen.offences, seen.ignored, seen.answers) == (1, 1, 1)
    assert seen.gap_min_s is not None
    assert seen.gap_min_s < 3.5 * 10 / 300


def test_the_wire_takes_its_time(tmp_path: Path) -> None:
    """The answer cannot be complete before the request, the silence and the answer were on the wire."""
    with rs485(tmp_path) as simulation, closing(serial.Serial(simulation.address("line"), 9600, timeout=2)) as port:
        begun = time.monotonic()
        port.write(bytes.fromhex("0404 0000 0009 3059"))
        assert len(port.read(23)) == 23
        assert time.monotonic() - begun >= (8 + 3.5 + 23) * 10 / 9600


def test_smllib_understands_the_stream(tmp_path: Path) -> None:
    meter = SimulatedMeter("heat-pump", "line", LIBRARY.get("sml"), every_s=0.5)
    with build([SimulatedLine("line", "sml")], [meter], Options(tmp_path)) as simulation:
        stream, values = SmlStreamReader(), {}
        with closing(serial.Serial(simulation.address("line"), 9600, timeout=0.2)) as port:
            end = time.monotonic() + WAIT_S
            while not values and time.monotonic() < end:
                stream.add(port.read(64))
                if frame := stream.get_frame():
                    values = {entry.obis: entry.get_value() for entry in frame.get_obis()}
    assert values["0100010800ff"] > 1000
    assert 500 <= values["0100100700ff"] <= 2000


def test_who_opens_a_port_late_finds_nothing_old(tmp_path: Path) -> None:
    meter = SimulatedMeter("heat-pump", "line", LIBRARY.get("sml"), every_s=1.5)  # a second between two
    with build([SimulatedLine("line", "sml")], [meter], Options(tmp_path)) as simulation:
        path = simulation.address("line")
        first = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(first)
        assert select.select([first], [], [], WAIT_S)[0]
        os.close(first)
        said = simulation.statistics()["line"].answers
        until(lambda: simulation.statistics()["line"].answers >= said + 3)
        second = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        with pytest.raises(BlockingIOError):
            os.read(second, 4096)
        os.close(second)


pyserial_telnet = pytest.mark.filterwarnings("ignore:set(Daemon|Name).*:DeprecationWarning")  # pyserial 3.5 calls it


def test_a_readout_at_another_speed_than_the_readers_is_garbage(tmp_path: Path) -> None:
    meter = SimulatedMeter("utility", "line", LIBRARY.get("iec62056-21"), baud=9600)
    with (
        build([SimulatedLine("line", "optical")], [meter], Options(tmp_path)) as simulation,
        closing(serial.Serial(simulation.address("line"), 300, timeout=2)) as port,
    ):
        port.write(b"/?!\r\n")
        assert port.read_until(b"\r\n") == b"/WBK5SIMULATED.01\r\n"
        quiet(port)
        port.write(b"\x06050\r\n")  # and stays at 300
        heard = port.read(200)
        assert len(heard) == 200
        assert b"1.8.0(" not in heard


@contextmanager
def telnet_port(address: str) -> Iterator[serial.SerialBase]:
    with closing(serial.serial_for_url(address, do_not_open=True)) as port:
        port.timeout = 2
        yield port


@pyserial_telnet
def test_pyserial_reads_an_optical_meter_over_rfc2217_at_both_speeds() -> None:
    meter = SimulatedMeter("utility", "line", LIBRARY.get("iec62056-21"), baud=9600)
    with (
        build([SimulatedLine("line", "rfc2217://127.0.0.1:0")], [meter]) as simulation,
        telnet_port(simulation.address("line")) as port,
    ):
        port.baudrate, port.bytesize, port.parity = 300, 7, "E"
        port.open()
        port.write(b"/?!\r\n")
        assert port.read_until(b"\r\n") == b"/WBK5SIMULATED.01\r\n"
        quiet(port)
        port.write(b"\x06050\r\n")
        until(lambda: simulation.statistics()["line"].gap_min_s is not None)  # the meter has it
        port.baudrate = 9600
        readout = port.read_until(b"!\r\n\x03")
        assert b"\r\n1.8.0(" in readout
        assert all(byte < 0x80 for byte in readout)


@pyserial_telnet
def test_parity_matters_over_rfc2217() -> None:
    meter = SimulatedMeter("utility", "line", LIBRARY.get("iec62056-21"))
    with (
        build([SimulatedLine("line", "rfc2217://127.0.0.1:0")], [meter]) as simulation,
        telnet_port(simulation.address("line")) as port,
    ):
        port.baudrate, port.bytesize, port.parity = 300, 8, "N"
        port.open()
        port.timeout = 0.8
        port.write(b"/?!\r\n")  # without its parity bits it is no sign-on to a 7E1 meter
        assert port.read(1) == b""
        port.timeout = 2
        port.write(bytes(byte | (byte.bit_count() & 1) << 7 for byte in b"/?!\r\n"))
        heard = port.read(20)
        assert bytes(byte & 0x7F for byte in heard).startswith(b"/WBK5")
        assert any(byte & 0x80 for byte in heard)


@pyserial_telnet
def test_a_modbus_line_with_even_parity_over_rfc2217() -> None:
    line = SimulatedLine("line", "rfc2217://127.0.0.1:0", serial=SerialSettings(9600, 8, "even"))
    request = bytes.fromhex("0404 0000 0009 3059")
    with (
        build([line], [SimulatedMeter("pzem", "line", PZEM, 4)]) as simulation,
        telnet_port(simulation.address("line")) as port,
    ):
        port.baudrate, port.bytesize, port.parity = 9600, 8, "N"
        port.open()
        port.timeout = 0.3
        port.write(request)
        assert port.read(1) == b""
        port.parity = "E"
        port.timeout = 2
        port.write(request)
        assert len(port.read(23)) == 23
