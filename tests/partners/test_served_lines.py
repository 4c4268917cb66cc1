"""`wattbook run` and `wattbook proxy` serving a line of strict slaves to masters that are not ours."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient

from running import daemon, get, get_json, started, until, wattbook, write_house
from wattbook import config
from wattbook.profiles import Library, SerialSettings, load_profile
from wattbook.simulate import Options, SimulatedLine, SimulatedMeter, Simulation, build
from wattbook.store import BookReader

PZEM = Library().get("pzem-016")
SERVED = """
[site]
commit_every = "100ms"
[api]
listen = "127.0.0.1:0"
[[line]]
name = "rs485"
port = "{folder}/rs485"
baud = 38400
[[meter]]
name = "m4"
line = "rs485"
model = "pzem-016"
address = 4
every = "{every}"
[[meter]]
name = "m5"
line = "rs485"
model = "pzem-016"
address = 5
every = "{every}"
[[proxy]]
line = "rs485"
listen = "127.0.0.1:0"
{more}
[[proxy]]
line = "rs485"
listen = "127.0.0.1:0"
kind = "rtu+tcp"
"""


@contextmanager
def house(folder: Path, every: str = "0s", more: str = "") -> Iterator[tuple[Simulation, Path]]:
    """Five strict slaves on a pseudo-terminal, two of them metered, and the configuration that serves the line.

    Unit 8 keeps holding registers, which can be written.
    """
    line = SimulatedLine("rs485", str(folder / "rs485"), SerialSettings(baud=38400), strict=True)
    meters = [SimulatedMeter(f"m{address}", "rs485", PZEM, address) for address in (4, 5, 6, 7)]
    held = folder / "held.toml"
    text = Path(str(files("wattbook.profiles") / "models/pzem-016.toml")).read_text(encoding="utf-8")
    held.write_text(text.replace("function = 4", "function = 3").replace('name = "pzem-016"', 'name = "held"'))
    meters.append(SimulatedMeter("m8", "rs485", load_profile(held), 8))
    path = write_house(folder, SERVED.replace("{every}", every).replace("{more}", more))
    with build([line], meters, Options(folder)) as simulation:
        yield simulation, path


def served_ports(log: Path) -> list[int]:
    """Where the proxies listen: Modbus TCP, then RTU over TCP."""
    return [int(port) for port in re.findall(r"serving .* at 127\.0\.0\.1:(\d+)", log.read_text(encoding="utf-8"))]


@contextmanager
def master(port: int, framer: FramerType = FramerType.SOCKET, source: str = "127.0.0.1") -> Iterator[ModbusTcpClient]:
    client = ModbusTcpClient("127.0.0.1", port=port, framer=framer, timeout=5, retries=0, source_address=(source, 0))
    assert client.connect()
    try:
        yield client
    finally:
        client.close()


def ask_on(port: int, framer: FramerType, unit: int, stop: threading.Event, answers: list[int]) -> None:
    """A greedy master: it asks again as soon as it was answered."""
    with master(port, framer) as client:
        while not stop.is_set():
            response = client.read_input_registers(0, count=9, device_id=unit)
            answers.append(-1 if response.isError() else response.registers[0])


def polls(url: str) -> int:
    return sum(meter["counters"]["answers"] for meter in get_json(url + "api/v1/meters"))


def test_two_greedy_masters_and_the_daemon_share_a_line_of_strict_slaves(tmp_path: Path) -> None:
    log, seconds = tmp_path / "run.log", 4.0
    with house(tmp_path) as (simulation, path), daemon(path, log) as (url, _):
        until(lambda: polls(url) > 20)
        before, began = polls(url), time.monotonic()
        time.sleep(seconds)
        alone = (polls(url) - before) / (time.monotonic() - began)
        simulation.reset_statistics()
        stop, answers = threading.Event(), ([], [])
        tcp, rtu = served_ports(log)
        asks = ((tcp, FramerType.SOCKET, 6, stop, answers[0]), (rtu, FramerType.RTU, 7, stop, answers[1]))
        threads = [threading.Thread(target=ask_on, args=each) for each in asks]
        for thread in threads:
            thread.start()
        before, began = polls(url), time.monotonic()
        time.sleep(seconds)
        beside = (polls(url) - before) / (time.monotonic() - began)
        said = subprocess.run(
            ["mbpoll", "-m", "tcp", "-p", str(tcp), "-a", "4", "-t", "3", "-r", "1", "-c", "2", "-1", "127.0.0.1"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        stop.set()
        for thread in threads:
            thread.join(10)
        seen = simulation.statistics()["rs485"]
        metrics = get(url + "metrics").decode()
    assert re.search(r"\[1\]:\s+2\d\d\d\n", said.stdout), said.stdout + said.stderr
    assert seen.offences == 0 and seen.garbled == 0
    assert beside > 0.4 * alone, f"{alone:.1f} polls/s alone, {beside:.1f} beside two greedy masters"
    for mine in answers:
        assert len(mine) > 10 and all(2000 < volts < 2600 for volts in mine)
    asked = re.findall(r'wattbook_proxy_requests_total\{line="rs485",listen="127.0.0.1:\d+"\} (\d+)', metrics)
    assert sum(map(int, asked)) == sum(map(len, answers)) + 1
    assert "Traceback" not in log.read_text()


def test_only_who_may_writes_and_the_book_says_who_did(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with (
        house(tmp_path, "1s", 'allow_write = ["127.0.0.2"]') as (_, path),
        daemon(path, log) as (url, _),
    ):
        until(lambda: polls(url) > 2)
        [tcp, _] = served_ports(log)
        with master(tcp) as client:
            assert client.write_register(1, 100, device_id=8).exception_code == 1
            assert client.read_holding_registers(1, count=1, device_id=8).registers != [100]
            assert client.read_coils(0, count=1, device_id=4).exception_code == 1  # the slave's own word
            assert client.read_input_registers(500, count=1, device_id=4).exception_code == 2
            assert client.read_input_registers(0, count=1, device_id=99).exception_code == 11
            assert len(client.report_device_id(device_id=4).identifier) > 0
        with master(tcp, source="127.0.0.2") as client:
            assert not client.write_register(1, 100, device_id=8).isError()
            assert client.read_holding_registers(1, count=1, device_id=8).registers == [100]
            assert client.write_register(1, 100, device_id=4).exception_code == 2  # this slave has no such one
    with BookReader(config.load(path).book) as reader:
        events = [event for event in reader.read("", 10_000).events if event.kind == "proxy.write"]
    assert {(event.subject, event.actor) for event in events} == {("rs485", "127.0.0.2")}
    told = [(event.body["unit"], event.body["words"], event.body["outcome"]) for event in events]
    assert told == [(8, [100], "done"), (4, [100], "exception 2 (illegal data address)")]


def test_strangers_nonsense_and_crowds_are_hung_up(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with house(tmp_path, "1s") as (simulation, path), daemon(path, log) as (url, _):
        until(lambda: polls(url) > 2)
        tcp, rtu = served_ports(log)
        for port in (tcp, rtu):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + bytes(400))
                assert _is_hung_up(connection)
        crowd = [socket.create_connection(("127.0.0.1", tcp), timeout=10) for _ in range(32)]
        try:
            clients = f'wattbook_proxy_clients{{line="rs485",listen="127.0.0.1:{tcp}"}} 32\n'
            until(lambda: clients in get(url + "metrics").decode())
            with socket.create_connection(("127.0.0.1", tcp), timeout=10) as connection:
                assert _is_hung_up(connection)
        finally:
            for connection in crowd:
                connection.close()
        with master(rtu, FramerType.RTU) as client:
            assert not client.read_input_registers(0, count=9, device_id=5).isError()
        simulation.unplug("rs485")
        until(lambda: {meter["state"] for meter in get_json(url + "api/v1/meters")} == {"away"})
        with master(tcp) as client:
            assert client.read_input_registers(0, count=9, device_id=4).exception_code == 10
        simulation.replug("rs485")
        until(lambda: {meter["state"] for meter in get_json(url + "api/v1/meters")} == {"present"})
        with master(tcp) as client:
            assert not client.read_input_registers(0, count=9, device_id=4).isError()


def _is_hung_up(connection: socket.socket) -> bool:
    """Whether the other end closes, politely or not."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_the_command_serves_while_no_daemon_runs_and_says_who_does(tmp_path: Path) -> None:
    with house(tmp_path) as (simulation, path):
        log = tmp_path / "proxy.log"
        with started("proxy", "-c", path, "--json", log=log) as process:
            until(lambda: log.read_text().count("\n") >= 2)
            told = [json.loads(line) for line in log.read_text().splitlines()[:2]]
            assert [each["kind"] for each in told] == ["tcp", "rtu+tcp"] and told[0]["allow"] == []
            with master(int(told[0]["listen"].split(":")[1])) as client:
                assert not client.read_input_registers(0, count=9, device_id=4).isError()
            assert simulation.statistics()["rs485"].requests == 1  # nobody asked but this master
            second = wattbook("run", "-c", path)
            assert second.returncode == 1 and "is writing this book" in second.stderr
        assert process.returncode == 0 and "Traceback" not in log.read_text()
        with daemon(path, tmp_path / "run.log"):
            said = wattbook("proxy", "-c", path)
        assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1
        assert "by this file it serves rs485" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--line", "rs458"], 'did you mean "rs485"'),
        (["--listen", "127.0.0.1:1502"], "choose one with --line"),
        (["--line", "rs485", "--listen", "0.0.0.0:1502"], "for one proxy"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    path = write_house(tmp_path, SERVED.replace("{every}", "1s").replace("{more}", ""))
    said = wattbook("proxy", "-c", path, *arguments)
    assert said.returncode == 2 and len(said.stderr.strip().splitlines()) == 1 and says in said.stderr
