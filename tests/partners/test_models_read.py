"""Every Modbus model, served by our simulator and read by pymodbus, its words understood by the TOML rows alone.

And the seeds' own polling loops, as their programs wrote them, with libraries that are not ours.
"""

from __future__ import annotations

import struct
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import minimalmodbus
import pytest
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.framer.rtu import FramerRTU

from given import Given, given
from wattbook.profiles import Library
from wattbook.simulate import Options, SimulatedLine, SimulatedMeter, Simulation, build

pytestmark = pytest.mark.enable_socket

LIBRARY = Library()
MODELS = [profile.name for profile in LIBRARY if profile.modbus is not None]
FORMATS = {
    "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "uint64": ">Q", "int64": ">q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip
FACTORS = {"k": Decimal(1000), "m": Decimal("0.001"), "M": Decimal(10**6)}
PLAIN_UNITS = (
    "",
    "V",
    "A",
    "W",
    "var",
    "VA",
    "Wh",
    "varh",
    "VAh",
    "Hz",
    "°",
    "°C",
    "%",
    "s",
    "1",
    "min",
    "h",
    "C",
    "deg",
)


@contextmanager
def served(*names: str) -> Iterator[ModbusTcpClient]:
    """These models behind one Modbus TCP port, at units 1, 2 ..."""
    meters = [
        SimulatedMeter(name, "line", LIBRARY.get(name), unit, given(LIBRARY.get(name)))
        for unit, name in enumerate(names, 1)
    ]
    with build([SimulatedLine("line", "tcp://127.0.0.1:0")], meters) as simulation:
        client = ModbusTcpClient("127.0.0.1", port=int(simulation.address("line").rsplit(":", 1)[1]), timeout=5)
        assert client.connect()
        with closing(client):
            yield client


class Rows:
    """A profile's file, without our loader: what stands where, and what it means."""

    def __init__(self, name: str, client: ModbusTcpClient, unit: int) -> None:
        text = resources.files("wattbook.profiles").joinpath("models", f"{name}.toml").read_text(encoding="utf-8")
        self.table = tomllib.loads(text, parse_float=Decimal)
        self.modbus = self.table.get("modbus", {})
        self.client, self.unit = client, unit
        self.block = self._sunspec_block() if "sunspec" in self.table else 0

    def read(self, address: int, count: int, function: int) -> list[int]:
        ask = self.client.read_holding_registers if function == 3 else self.client.read_input_registers
        answer = ask(address, count=count, device_id=self.unit)
        assert not answer.isError(), answer
        return list(answer.registers)

    def _sunspec_block(self) -> int:
        function, at = self.modbus.get("function", 4), self.table["sunspec"]["bases"][0]
        assert struct.pack(">2H", *self.read(at, 2, function)) == b"SunS"
        at += 2
        while (head := self.read(at, 2, function))[0] not in self.table["sunspec"]["models"]:
            assert head[0] != 0xFFFF, "no block of a meter"
            at += 2 + head[1]
        return at

    def value(self, row: Mapping[str, Any]) -> float:
        function = row.get("function", self.modbus.get("function", 4))
        wire = self.block - self.modbus.get("address_base", 0)
        kind = row["type"]
        size = 1 if kind == "sign16" else struct.calcsize(FORMATS[kind]) // 2
        words = self.read(wire + row["address"], size, function)
        if row.get("word_order", self.modbus.get("word_order", "high-first")) == "low-first":
            words.reverse()
        if kind == "sign16":
            number: Any = -(words[0] & 0x7FFF) if words[0] & 0x8000 else words[0]
        else:
            (number,) = struct.unpack(FORMATS[kind], struct.pack(f">{size}H", *words))
        number = Decimal(number)
        if "rest_at" in row:
            (rest,) = self.read(wire + row["rest_at"], 1, function)
            number += Decimal(rest) / row["rest_of"]
        if "exponent_at" in row:
            (power,) = struct.unpack(">h", struct.pack(">H", *self.read(wire + row["exponent_at"], 1, function)))
            number = number.scaleb(power)
        return float(number * row.get("scale", 1) * _factor(row.get("unit", "")))


def _factor(unit: str) -> Decimal:
    if unit in ("h", "min"):
        return Decimal({"h": 3600, "min": 60}[unit])
    return Decimal(1) if unit in PLAIN_UNITS else FACTORS[unit[0]]


@pytest.mark.parametrize("name", MODELS)
def test_pymodbus_and_the_rows_of_the_file_give_the_values(name: str) -> None:
    expected = given(LIBRARY.get(name)).values
    with served(name) as client:
        rows = Rows(name, client, 1)
        heard = {row["quantity"]: rows.value(row) for row in rows.table["register"]}
    floats = {row["quantity"] for row in rows.table["register"] if row["type"] == "float32"}
    assert heard.keys() == expected.keys()
    for quantity, value in expected.items():
        # A float32 has seven digits; our reader rounds them where the profile names a resolution.
        tolerance = 1e-6 if quantity in floats else 1e-12
        assert heard[quantity] == pytest.approx(value, rel=tolerance, abs=tolerance), quantity


# Seed 001: three PZEM-016; each port is matched by reading FC04 registers 1-2 for each slave, then 0 to 8 is polled.
def test_the_loop_of_seed_001(tmp_path: Path) -> None:
    pzem = LIBRARY.get("pzem-016")
    lines = [SimulatedLine(f"usb{n}", f"ttyUSB{n}") for n in range(3)]
    mounted = {"mainA": (2, 4), "mainB": (0, 5), "gen": (1, 6)}
    values = {"voltage": 121.3, "current": 70.001, "active_power": 8123.4, "active_energy_import": 123456.0,
              "frequency": 60.0, "power_factor": 0.97}  # fmt: skip
    meters = [
        SimulatedMeter(name, f"usb{usb}", pzem, slave, Given(values | {"voltage": 115.0 + slave}))
        for name, (usb, slave) in mounted.items()
    ]
    with build(lines, meters, Options(tmp_path)) as simulation:
        ports = [simulation.address(line.name) for line in lines]
        found: dict[str, str] = {}
        for name, (_, slave) in mounted.items():
            for port in ports:
                with _instrument(port, slave) as device:
                    try:
                        device.read_registers(1, 2, functioncode=4)
                    except minimalmodbus.NoResponseError:
                        continue
                    found[name] = port
        assert found == {name: ports[usb] for name, (usb, _) in mounted.items()}
        for name, (_, slave) in mounted.items():
            with _instrument(found[name], slave) as device:
                for _ in range(3):
                    told = device.read_registers(0, 9, functioncode=4)
                    assert told[0] * 0.1 == pytest.approx(115.0 + slave)
                    assert (told[1] + (told[2] << 16)) * 0.001 == pytest.approx(70.001)
                    assert (told[3] + (told[4] << 16)) * 0.1 == pytest.approx(8123.4)
                    assert told[5] + (told[6] << 16) == 123456
                    assert (told[7] * 0.1, told[8] * 0.01) == (60.0, pytest.approx(0.97))


@contextmanager
def _instrument(port: str, slave: int) -> Iterator[minimalmodbus.Instrument]:
    device = minimalmodbus.Instrument(port, slave)
    device.serial.baudrate, device.serial.timeout = 9600, 0.2
    with closing(device.serial):
        yield device


@contextmanager
def _rtu(tmp_path: Path, model: str, unit: int, values: Mapping[str, float]) -> Iterator[ModbusSerialClient]:
    profile = LIBRARY.get(model)
    meter = SimulatedMeter(model, "bus", profile, unit, Given(values))
    simulation: Simulation
    with build([SimulatedLine("bus", "bus")], [meter], Options(tmp_path)) as simulation:
        client = ModbusSerialClient(simulation.address("bus"), baudrate=profile.serial.baud, timeout=1, retries=0)
        assert client.connect()
        with closing(client):
            yield client


def _identification(client: ModbusSerialClient, unit: int) -> bytes:
    """The text of function 17 after its two first bytes, as lector takes it (pymodbus takes the last for a state)."""
    request = bytes((unit, 17))
    client.socket.write(request + FramerRTU.compute_CRC(request).to_bytes(2, "big"))
    head = client.socket.read(3)
    assert head[:2] == request
    rest = client.socket.read(head[2] + 2)
    time.sleep(0.02)  # the silence between frames, which pymodbus knows of its own requests only
    return bytes(rest[2:-2])


# Seed 002: lector's ten parameters of a PM710, code -> (N, registers, N of the exponent, fixed scale); N - 1 is sent.
PM710_CODES: dict[str, tuple[int, int, int, float]] = {
    "TPF": (4033, 3, 4106, 1), "IPF": (4020, 4, 4105, 1), "FRE": (4013, 1, 0, 0.01), "PAF": (4036, 3, 4107, 1),
    "PAT": (4006, 1, 4107, 1), "PAP": (4007, 1, 4107, 1), "PRT": (4008, 1, 4107, 1), "FPT": (4009, 1, 0, 0.0001),
    "THDV": (4049, 3, 0, 0.1), "THDI": (4045, 3, 0, 0.1),
}  # fmt: skip
PM710_VALUES = {
    "voltage_l1": 230.1, "voltage_l2": 231.2, "voltage_l3": 229.3, "voltage_l12": 398.0, "voltage_l23": 399.0,
    "voltage_l31": 400.0, "current_l1": 12.5, "current_l2": 13.25, "current_l3": 11.75, "current_n": 0.5,
    "frequency": 49.98, "active_power_l1": 2800.0, "active_power_l2": 2900.0, "active_power_l3": 3000.0,
    "active_power": 8700.0, "apparent_power": 9000.0, "reactive_power": -2300.0, "power_factor": 0.9667,
    "voltage_thd_l1": 2.1, "voltage_thd_l2": 2.2, "voltage_thd_l3": 2.3, "current_thd_l1": 8.1, "current_thd_l2": 8.2,
    "current_thd_l3": 8.3, "active_energy_import": 122_362_900_000.0, "reactive_energy": 5_000_000.0,
}  # fmt: skip
PM710_EXPECTED: dict[str, tuple[float, ...]] = {
    "TPF": (230.1, 231.2, 229.3), "IPF": (12.5, 13.25, 11.75, 0.5), "FRE": (49.98,), "PAF": (2.8, 2.9, 3.0),
    "PAT": (8.7,), "PAP": (9.0,), "PRT": (-2.3,), "FPT": (0.9667,), "THDV": (2.1, 2.2, 2.3), "THDI": (8.1, 8.2, 8.3),
}  # fmt: skip


def test_the_loop_of_seed_002_on_a_pm710(tmp_path: Path) -> None:
    with _rtu(tmp_path, "pm710", 2, PM710_VALUES) as client:
        assert _identification(client, 2) == b"PM710 Power Meter"
        for _ in range(2):
            for code, (number, count, exponent, scale) in PM710_CODES.items():
                words = client.read_holding_registers(number - 1, count=count, device_id=2).registers
                if exponent:
                    word = client.read_holding_registers(exponent - 1, count=1, device_id=2).registers[0]
                    assert word <= 4 or word >= 65532  # what lector accepts
                    scale = 10.0 ** (word - 65536 if word > 32767 else word)
                heard = [(word - 65536 if word > 32767 else word) * scale for word in words]
                assert heard == pytest.approx(PM710_EXPECTED[code]), code
        high, low = client.read_holding_registers(3999, count=2, device_id=2).registers
        (word,) = client.read_holding_registers(4107, count=1, device_id=2).registers
        assert (high << 16 | low) * 10.0 ** (word - 65536 if word > 32767 else word) == pytest.approx(122_362_900)
        hours, minutes = client.read_holding_registers(4109, count=2, device_id=2).registers
        assert (hours, minutes) == (0, 0)


def test_the_loop_of_seed_002_on_a_das_8000(tmp_path: Path) -> None:
    values = {f"analogue_c{channel}": 20.5 + channel for channel in range(1, 9)}
    with _rtu(tmp_path, "das-8000", 5, values) as client:
        assert _identification(client, 5) == b"DAS-8000"
        words = client.read_input_registers(1, count=8, device_id=5).registers
        assert [word * 0.1 for word in words] == pytest.approx([20.5 + channel for channel in range(1, 9)])


def test_the_loop_of_seed_004(tmp_path: Path) -> None:
    """The RX380's logger: 19200 8E1, slave 1, FC04, 32-bit values high word first (a pseudo-terminal has no parity)."""
    values = {"active_power": 45_000.0, "apparent_power": 70_000.0, "reactive_power": 12_000.0, "power_factor": 0.965,
              "frequency": 50.01, "active_energy_import": 25_409_587.0, "apparent_energy": 30_000_000.0,
              "reactive_energy": 7_000_001.0}  # fmt: skip
    values |= {f"current_{phase}": 65.5 + place for place, phase in enumerate(("l1", "l2", "l3", "n"))}
    for place, pair in enumerate(("l12", "l23", "l31")):
        values |= {f"voltage_{pair}": 414.6 + place, f"voltage_{pair}_max": 422.2, f"voltage_{pair}_min": 399.9}
        values[f"voltage_l{place + 1}"] = 239.3 + place
    polls = {4012: 45_000, 4014: 70_000, 4016: 12_000, 4028: 4146, 4030: 4156, 4032: 4166, 4034: 2393, 4036: 2403,
             4038: 2413, 4020: 65_500, 4022: 66_500, 4024: 67_500, 4026: 68_500, 4124: 4222, 4128: 4222, 4132: 4222,
             4212: 3999, 4216: 3999, 4220: 3999, 4002: 25_409_587, 4006: 30_000_000, 4010: 7_000_001}  # fmt: skip
    with _rtu(tmp_path, "rx380", 1, values) as client:
        for address, expected in polls.items():
            high, low = client.read_input_registers(address, count=2, device_id=1).registers
            assert high << 16 | low == expected, address
        assert client.read_input_registers(4018, count=2, device_id=1).registers == [965, 5001]
