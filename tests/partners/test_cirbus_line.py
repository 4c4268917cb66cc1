"""CIRBUS meters on a pseudo-terminal: read by lector's own loop, by our line, and by the commands."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import serial

from notebook import Notebook
from running import daemon, get_json, simulated, until, wattbook, write_house
from wattbook.engine.collect import LineTask, MeterTask, SerialLine
from wattbook.model import SystemClock
from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Faults, Options, SimulatedLine, SimulatedMeter, Simulation, build

CVMK = Library().get("cvmk")
QUICK = 38400
PLANT = """
[site]
name = "Plant"

[[line]]
name = "rs485"
port = "{folder}/sim/rs485"

[[meter]]
name = "press"
line = "rs485"
model = "cvmk"
address = 0
every = "1s"

[[meter]]
name = "oven"
line = "rs485"
model = "cvmk-extremes"
address = 42
every = "1s"
"""


@contextmanager
def rs485(folder: Path, addresses: Sequence[int] = (0, 42), baud: int = QUICK) -> Iterator[Simulation]:
    meters = [SimulatedMeter(f"m{address}", "line", CVMK, address) for address in addresses]
    with build([SimulatedLine("line", "rs485", SerialSettings(baud))], meters, Options(folder)) as simulation:
        yield simulation


def lector_asks(port: serial.Serial, address: int, command: str) -> list[int]:
    """One turn of the replaced reader, written from its description: send, wait 0.5 s, take fields of 9 or 3 digits."""
    sent = f"${address:02d}{command}"
    port.write(f"{sent}{sum(map(ord, sent)) % 256:02X}\n".encode())
    time.sleep(0.5)
    said = port.read_until(b"\n").decode()
    body, check = said[:-3], said[-3:-1]
    assert said.endswith("\n") and f"{sum(map(ord, body)) % 256:02X}" == check
    assert body[:3] == f"${address:02d}"
    width = 3 if command in ("RFI", "RHI") else 9
    return [int(body[at : at + width]) for at in range(3, len(body), width)]


def test_lectors_own_loop_gets_right_answers(tmp_path: Path) -> None:
    with rs485(tmp_path, baud=9600) as simulation:
        with closing(serial.Serial(simulation.address("line"), 9600, timeout=20)) as port:
            voltages, currents, frequency, powers, factors = (
                lector_asks(port, 42, command) for command in ("RVI", "RAI", "RHI", "RPI", "RFI")
            )
        until(lambda: simulation.statistics()["line"].answers == 5)
    assert [len(fields) for fields in (voltages, currents, frequency, powers, factors)] == [4, 4, 1, 4, 4]
    assert all(226 <= volts <= 234 for volts in voltages[:3])
    assert 499 <= frequency[0] <= 501
    assert sum(powers[:3]) == pytest.approx(powers[3], rel=0.01)
    assert all(500 < current < 5000 for current in currents[:3])
    assert all(95 <= factor <= 100 for factor in factors)


@contextmanager
def collecting(port: str, addresses: Sequence[int] = (0, 42)) -> Iterator[tuple[SerialLine, Notebook]]:
    keeper = Notebook()
    meters = tuple(MeterTask(f"m{address}", CVMK, address) for address in addresses)
    line = SerialLine(LineTask("line", (port,), meters, keeper, SystemClock(), SerialSettings(QUICK)))
    line.start()
    try:
        yield line, keeper
    finally:
        line.stop()


def test_several_meters_on_one_line_are_read_in_turn(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (line, keeper):
        until(lambda: len(keeper.of("m0")) >= 3 and len(keeper.of("m42")) >= 3)
        assert [status.state for status in line.statuses] == ["present", "present"]
    for reading in keeper.readings:
        assert len(reading.values) == 32 and not reading.doubt
        assert 225 < reading.values["voltage_l1"] < 235
        assert reading.values["active_energy_import"] > 0
    assert keeper.events == []


@pytest.mark.parametrize(
    "faults",
    [Faults(damage_every=20), Faults(echo=True), Faults(noise_before=2), Faults(noise_after=3), Faults(late_s=0.12)],
    ids=["wrong check", "echo", "glitch before", "noise after", "late"],
)
def test_trouble_costs_polls_and_never_a_wrong_value(tmp_path: Path, faults: Faults) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (_, keeper):
        simulation.set_faults("line" if faults.echo else "m0", faults)
        already = len(keeper.of("m0"))
        until(lambda: len(keeper.of("m0")) >= already + 2 and len(keeper.of("m42")) >= 3)
    for reading in keeper.readings:
        assert 49.9 <= reading.values["frequency"] <= 50.1
        assert 225 < reading.values["voltage_l1"] < 235
        assert 390 < reading.values["voltage_l12"] < 406
        assert 0.5 < reading.values["current_l3"] < 5
        assert 0.9 < reading.values["power_factor"] <= 1


def test_a_silent_meter_is_away_and_returns(tmp_path: Path) -> None:
    with rs485(tmp_path) as simulation, collecting(simulation.address("line")) as (line, keeper):
        until(lambda: len(keeper.of("m0")) > 0)
        simulation.set_faults("m0", Faults(silent=True))
        # On a busy machine an answer of the other meter may come late, and is told as that.
        until(lambda: line.statuses[0].state == "away" and line.statuses[0].reason == "no answer to RHI")
        others = len(keeper.of("m42"))
        until(lambda: len(keeper.of("m42")) > others + 1)
        simulation.set_faults("m0", Faults())
        until(lambda: line.statuses[0].state == "present")
        assert [event.kind for event in keeper.events] == ["meter.away", "meter.back"]


def _latest(url: str) -> dict[str, dict[str, float]]:
    return {reading["meter"]: reading["values"] for reading in get_json(url + "api/v1/readings/latest")}


def test_commands_read_decode_and_keep_it(tmp_path: Path) -> None:
    config = write_house(tmp_path, PLANT)
    assert wattbook("check", "-c", config).returncode == 0
    with simulated(tmp_path, config):
        port = tmp_path / "sim/rs485"
        said = wattbook("read", port, "--model", "cvmk", "--address", "0", "--json")
        assert said.returncode == 0, said.stderr
        reading = json.loads(said.stdout)
        assert reading["meter"] == "0" and 225 < reading["values"]["voltage_l1"] < 235
        raw = wattbook("read", port, "--model", "cvmk-extremes", "--address", "42", "--raw")
        again = wattbook("decode", "-", "--model", "cvmk-extremes", "--json", given=raw.stderr)
        assert json.loads(again.stdout)["meter"] == "42"
        assert json.loads(again.stdout)["values"]["voltage_l1_min"] < 230
        nobody = wattbook("read", port, "--model", "cvmk", "--address", "9")
        assert nobody.returncode == 1 and "no answer to RHI" in nobody.stderr
        wrong = wattbook("read", port, "--model", "cvmk", "--address", "100")
        assert wrong.returncode == 2 and "from 0 to 99" in wrong.stderr
        with daemon(config, tmp_path / "daemon.log") as (url, _):
            until(lambda: len(_latest(url)) == 2)
            latest = _latest(url)
    oven = latest["oven"]  # whose power may be at its greatest just now
    assert oven["active_power_max"] >= oven["active_power"] >= oven["active_power_min"] > 0
    assert oven["active_power_max"] > oven["active_power_min"]
    assert 49 < latest["press"]["frequency"] < 51
