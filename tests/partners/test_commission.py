"""Commissioning as a person does it: scan, set-address and reset-energy on pseudo-terminals and sockets."""

from __future__ import annotations

import json
import signal
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from notebook import Notebook
from running import until, wattbook
from wattbook.codecs.identity import serial_text
from wattbook.config import examine
from wattbook.engine.collect import LineTask, MeterTask, SerialLine
from wattbook.engine.scan import Outcome, Scan
from wattbook.model import ConfigError, SystemClock
from wattbook.profiles import Library, Profile, SerialSettings
from wattbook.profiles.profile import Identity, SerialNumber
from wattbook.simulate import Faults, Options, SimulatedLine, SimulatedMeter, Simulation, build
from wattbook.simulate.memory import number_words
from wattbook.store import Book
from wattbook.transports.link import Link
from wattbook.transports.open import open_link

pytestmark = pytest.mark.enable_socket

FOLDER = Path(__file__).parents[1] / "profiles"
MODELS = Library([FOLDER])
PZEM, SDM120, SDM630 = (MODELS.get(name) for name in ("pzem-016", "sdm120", "sdm630"))
FAST = SerialSettings(115200)


def fast(profile: Profile) -> Profile:
    return replace(profile, serial=FAST)


@contextmanager
def line(
    folder: Path,
    meters: Sequence[tuple[Profile, int]],
    *,
    port: str = "rs485",
    baud: int = 115200,
    turnaround_s: float = 0.0,
    faults: Faults | None = None,
) -> Iterator[tuple[str, Simulation]]:
    simulated = [
        SimulatedMeter(f"m{unit}", "line", profile, unit, turnaround_s=turnaround_s, faults=faults or Faults())
        for profile, unit in meters
    ]
    bus = SimulatedLine("line", port, SerialSettings(baud), strict=False)
    with build([bus], simulated, Options(folder)) as simulation:
        yield simulation.address("line"), simulation


def names(outcome: Outcome) -> list[tuple[int, str | None]]:
    return [(one.unit, one.who.model.name if one.who.model else None) for one in outcome.found]


def _up_to(count: int, scan: Scan) -> Scan:
    """Of the first addresses only: each takes its time on the wire."""
    scan.passes = [replace(one, trials=one.trials[:count]) for one in scan.passes]
    return scan


FAST_MODELS = [fast(PZEM), fast(SDM120), fast(SDM630)]


def test_a_scan_names_every_model_at_its_address(tmp_path: Path) -> None:
    with line(tmp_path, [(PZEM, 1), (SDM120, 30), (SDM630, 247)]) as (port, _):
        outcome = Scan(port, FAST_MODELS).run()
    assert names(outcome) == [(1, "pzem-016"), (30, "sdm120"), (247, "sdm630")]
    assert outcome.remarks == [] and outcome.asked == 247
    assert all(one.settings == FAST for one in outcome.found)


def test_meters_that_think_longer_than_a_probe_waits_are_found(tmp_path: Path) -> None:
    with line(tmp_path, [(PZEM, 1), (PZEM, 2), (PZEM, 100)], turnaround_s=0.06) as (port, _):
        outcome = _up_to(110, Scan(port, [fast(PZEM)])).run()
    assert sorted(names(outcome)) == [(1, "pzem-016"), (2, "pzem-016"), (100, "pzem-016")]


def test_a_meter_at_the_last_address_may_think_long_too(tmp_path: Path) -> None:
    with line(tmp_path, [(PZEM, 20)], turnaround_s=0.06) as (port, _):
        outcome = _up_to(20, Scan(port, [fast(PZEM)])).run()
    assert names(outcome) == [(20, "pzem-016")] and outcome.remarks == []


class TornLink:
    """The way of the bytes on a busy machine: the first answer of unit 2 comes when two others were asked since, a
    piece of it before the request to unit 4 and the rest behind that."""

    def __init__(self, link: Link) -> None:
        self.character_s = link.character_s
        self._link, self._asked, self._held, self._torn = link, 0, b"", False

    def write(self, data: bytes) -> None:
        self._asked = data[0]
        self._link.write(data)

    def read(self, timeout_s: float) -> bytes:
        if self._asked == 2 and not self._torn:
            self._held += self._link.read(timeout_s)
            return b""
        if self._asked == 3 and timeout_s <= 0 and not self._torn:
            self._torn = True
            return self._held[:4]
        if self._asked == 4 and self._held:
            held, self._held = self._held, b""
            return held[4:]
        return self._link.read(timeout_s)

    def set_baud(self, baud: int) -> None:
        self._link.set_baud(baud)

    def close(self) -> None:
        self._link.close()


def test_an_answer_that_comes_late_and_in_pieces_is_a_meters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattbook.engine.asking.open_link", lambda *place: TornLink(open_link(*place)))
    with line(tmp_path, [(PZEM, 2)]) as (port, _):
        outcome = Scan(port, [fast(PZEM)], addresses=range(1, 7)).run()
    assert names(outcome) == [(2, "pzem-016")]


def test_answers_that_never_come_clean_are_two_devices_of_one_address(tmp_path: Path) -> None:
    with line(tmp_path, [(PZEM, 7), (PZEM, 9)]) as (port, simulation):
        simulation.set_faults("m7", Faults(damage_every=1))
        outcome = _up_to(20, Scan(port, [fast(PZEM)])).run()
    assert names(outcome) == [(9, "pzem-016")]
    (remark,) = outcome.remarks
    assert "address 7" in remark and "two devices may have this address" in remark


def test_a_tcp_device_is_found_at_its_unit(tmp_path: Path) -> None:
    with line(tmp_path, [(SDM630, 1), (PZEM, 5)], port="tcp://127.0.0.1:0") as (port, _):
        scan = _up_to(8, Scan(port, FAST_MODELS))
        scan.passes = [replace(one, first_byte_s=0.05) for one in scan.passes]
        assert names(scan.run()) == [(1, "sdm630"), (5, "pzem-016")]


class Gateway(socketserver.StreamRequestHandler):
    """One slave at a time: of who is not there it says so after its own time-out, and hears nobody else before."""

    def handle(self) -> None:
        while request := self.rfile.read(12):
            transaction, unit, function = request[:2], request[6], request[7]
            if unit not in (5, 9):
                time.sleep(0.5)
            code = 2 if unit in (5, 9) else 11
            self.wfile.write(transaction + bytes((0, 0, 0, 3, unit, function | 0x80, code)))


def test_a_gateway_is_waited_for_where_nobody_is() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        scan = Scan(f"tcp://127.0.0.1:{server.server_address[1]}", [PZEM], addresses=range(3, 10))
        outcome = scan.run()
        thread.join()
    assert [one.unit for one in outcome.found] == [5, 9] and outcome.asked == 7


@pytest.mark.parametrize("port", ["mqtt://host", "tls://host", "tcp://", "rtu+tcp://host", "htp://x"])
def test_no_scan_begins_where_no_modbus_meter_can_be(port: str) -> None:
    with pytest.raises(ConfigError):
        Scan(port, FAST_MODELS)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's models at a speed at which a whole line is asked in seconds."""
    folder = tmp_path_factory.mktemp("models")
    for file in FOLDER.glob("*.toml"):
        text = file.read_text().replace("baud = 9600", "baud = 115200").replace("baud = 2400", "baud = 115200")
        (folder / file.name).write_text(text)
    return folder


def test_the_command_writes_a_configuration_that_runs(tmp_path: Path, quick: Path) -> None:
    path = tmp_path / "new.toml"
    with line(tmp_path, [(PZEM, 1), (SDM630, 2)]) as (port, _):
        said = wattbook("scan", port, "--addresses", "1-8", "--profiles", quick, "--json", "--write", path)
    found = [json.loads(text) for text in said.stdout.splitlines()]
    assert said.returncode == 0, said.stderr
    assert [(one["address"], one["model"], one["baud"]) for one in found] == [
        (1, "pzem-016", 115200), (2, "sdm630", 115200),
    ]  # fmt: skip
    config, problems = examine(path)
    assert problems == [] and config is not None and [meter.address for meter in config.meters] == [1, 2]


def test_a_port_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    said = wattbook("scan", tmp_path / "nothing")
    assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1
    assert wattbook("scan").returncode == 2
    said = wattbook("scan", tmp_path / "nothing", "--addresses", "9-1")
    assert said.returncode == 2 and "from the lower to the higher: not 9-1" in said.stderr
    said = wattbook("scan", tmp_path / "nothing", "--addresses", "250")
    assert said.returncode == 2 and "a serial line has 1 to 247" in said.stderr


def _unanswered(simulation: Simulation) -> int:
    seen = simulation.statistics()["line"]
    return seen.requests - seen.answers


def test_a_scan_that_is_stopped_tells_what_it_found(tmp_path: Path) -> None:
    with line(tmp_path, [(PZEM, 1)], baud=9600) as (port, simulation):
        command = [sys.executable, "-m", "wattbook", "scan", port, "--profiles", str(FOLDER)]
        listens = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests in the background ignore it
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listens
        ) as scan:
            until(lambda: _unanswered(simulation) > 20)  # it is past address 1; a whole scan takes half a minute
            scan.send_signal(signal.SIGINT)
            try:
                out, err = scan.communicate(timeout=20)
            finally:
                scan.kill()
    assert scan.returncode == 130 and "stopped" in err
    assert "pzem-016" in out and 'model = "pzem-016"' in out


def test_a_port_and_all_ports_at_once_is_wrong_use(tmp_path: Path) -> None:
    said = wattbook("scan", "--all", tmp_path / "x")
    assert said.returncode == 2 and "name one port to scan, or --all" in said.stderr


def set_address(port: str, quick: Path, *arguments: str) -> Any:
    return wattbook("set-address", port, *arguments, "--model", "pzem-016", "--profiles", quick)


def test_an_address_is_written_and_read_back(tmp_path: Path, quick: Path) -> None:
    with line(tmp_path, [(PZEM, 1)]) as (port, _):
        said = set_address(port, quick, "4", "--yes")
        assert said.returncode == 0 and "at address 1" in said.stderr and "address 4 now" in said.stderr
        again = set_address(port, quick, "5", "--address", "4", "--yes")
        assert again.returncode == 0 and "address 5 now" in again.stderr
        read = wattbook("read", port, "--model", "pzem-016", "--address", "5", "--profiles", quick)
        assert read.returncode == 0


@pytest.mark.parametrize(
    ("meters", "arguments", "says", "code"),
    [
        ([(PZEM, 1), (PZEM, 2)], ["4"], "more than one device answers the general address", 1),
        ([(PZEM, 1), (SDM630, 2)], ["2"], "somebody answers at address 2 already", 2),
        ([(PZEM, 1), (SDM630, 2)], ["5", "--address", "2"], "is no pzem-016: it looks like a sdm630", 1),
        ([(PZEM, 1)], ["248"], "takes addresses from 1 to 247, not 248", 2),
        ([(PZEM, 1)], ["0"], "takes addresses from 1 to 247, not 0", 2),
        ([(PZEM, 1)], ["1", "--address", "1"], "it has the address 1 already", 2),
        ([(PZEM, 1)], ["4", "--address", "9"], "nobody answers at address 9", 1),
    ],
)
def test_what_must_not_be_written_is_said_before(
    tmp_path: Path, quick: Path, meters: Sequence[tuple[Profile, int]], arguments: list[str], says: str, code: int
) -> None:
    with line(tmp_path, meters) as (port, _):
        said = set_address(port, quick, *arguments, "--yes")
        assert said.returncode == code and says in said.stderr, said.stderr
        for profile, unit in meters:
            read = wattbook("read", port, "--model", profile.name, "--address", str(unit), "--profiles", quick)
            assert read.returncode == 0, "nothing was written"


HOUSE = """
[site]
name = "House"
profiles = "{profiles}"

[[line]]
name = "rs485"
port = "{port}"

[[meter]]
name = "kitchen"
line = "rs485"
model = "pzem-016"
address = 4
"""


@pytest.mark.parametrize("asked_for", ["", 'quantities = ["voltage"]\n'], ids=["all", "no counter"])
def test_a_reset_is_confirmed_read_back_and_remembered(tmp_path: Path, quick: Path, asked_for: str) -> None:
    path = tmp_path / "wattbook.toml"
    with line(tmp_path, [(PZEM, 4)]) as (port, _):
        path.write_text(HOUSE.format(profiles=quick, port=port) + asked_for)
        wrong = wattbook("reset-energy", "kitchen", "-c", path, "--confirm", "kichen")
        assert wrong.returncode == 2 and "nothing was done" in wrong.stderr
        done = wattbook("reset-energy", "kitchen", "-c", path, given="kitchen\n")
        assert done.returncode == 0 and "0.000 kWh" in done.stderr, done.stderr
    with sqlite3.connect(tmp_path / "wattbook.db") as book:
        ((subject, body),) = book.execute("SELECT subject, body FROM event WHERE kind = 'meter.reset'").fetchall()
    told = json.loads(body)
    assert subject == "kitchen" and told["before"]["active_energy_import"] > 1e6
    assert told["after"]["active_energy_import"] < 1000


def test_nothing_is_reset_while_a_daemon_writes_the_book(tmp_path: Path, quick: Path) -> None:
    path = tmp_path / "wattbook.toml"
    with line(tmp_path, [(PZEM, 4)]) as (port, _):
        path.write_text(HOUSE.format(profiles=quick, port=port))
        with Book.open(tmp_path / "wattbook.db", clock=SystemClock()):
            said = wattbook("reset-energy", "kitchen", "-c", path, "--confirm", "kitchen")
        assert said.returncode == 1 and "is writing this book" in said.stderr
        read = wattbook("read", port, "--model", "pzem-016", "--address", "4", "--profiles", quick, "--json")
        assert json.loads(read.stdout)["values"]["active_energy_import"] > 1e6


def test_a_model_without_the_command_says_so(tmp_path: Path, quick: Path) -> None:
    said = wattbook("reset-energy", tmp_path / "x", "--model", "sdm630", "--profiles", quick)
    assert said.returncode == 2 and "has no command reset-energy" in said.stderr


NUMBER = SerialNumber(3, 0xFC00, 2)
assert SDM120.modbus is not None
NUMBERED = replace(SDM120, serial=FAST, modbus=replace(SDM120.modbus, identity=Identity(serial_number=NUMBER)))


def number_of(name: str) -> str:
    return serial_text(NUMBER, number_words(name, 2))


@contextmanager
def collecting(ports: Sequence[str], unit: int, serial: str) -> Iterator[tuple[SerialLine, Notebook]]:
    keeper = Notebook()
    task = MeterTask("wanted", NUMBERED, unit, 0.05, serial=serial)
    collected = SerialLine(LineTask("line", tuple(ports), (task,), keeper, SystemClock(), FAST))
    collected.start()
    try:
        yield collected, keeper
    finally:
        collected.stop()


def test_a_meter_is_found_where_its_serial_number_answers(tmp_path: Path) -> None:
    """Two devices of one address on two ports: the simulator makes serial numbers of their names."""
    one, two = (SimulatedLine(name, name, FAST, strict=False) for name in ("a", "b"))
    meters = [SimulatedMeter("first", "a", NUMBERED, 3), SimulatedMeter("second", "b", NUMBERED, 3)]
    with build([one, two], meters, Options(tmp_path)) as simulation:
        ports = [simulation.address("a"), simulation.address("b")]
        with collecting(ports, 3, number_of("second")) as (collected, keeper):
            until(lambda: len(keeper.readings) > 5)
            assert collected.statuses[0].state == "present"
            simulation.unplug("b")
            until(lambda: collected.statuses[0].state == "away")
    strangers = [event for event in keeper.events if event.kind == "meter.stranger"]
    assert len(strangers) <= 2 and all(number_of("first") in event.body["reason"] for event in strangers)


def test_another_serial_number_is_said_in_words_and_once(tmp_path: Path) -> None:
    with line(tmp_path, [(NUMBERED, 3)]) as (port, _), collecting([port], 3, "4711") as (collected, keeper):
        until(lambda: collected.statuses[0].state == "away")
        assert "not 4711" in collected.statuses[0].reason and number_of("m3") in collected.statuses[0].reason
        until(lambda: collected.statuses[0].counters.polls > 3)
    assert keeper.readings == [] and [event.kind for event in keeper.events].count("meter.stranger") == 1
    assert collected.statuses[0].counters.timeouts == 0


def test_an_address_that_answers_garbled_only_is_told_as_what_it_may_be(tmp_path: Path) -> None:
    broken = Faults(damage_every=1)
    with (
        line(tmp_path, [(NUMBERED, 3)], faults=broken) as (port, _),
        collecting([port], 3, "") as (collected, _),
    ):
        until(lambda: "two devices may have this address" in collected.statuses[0].reason)
