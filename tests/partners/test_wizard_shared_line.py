"""The wizard on a line of strict slaves that the daemon reads: it asks between polls, and meters keep their turns."""

from __future__ import annotations

import json
import re
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from running import daemon, get_json, until, write_house
from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Options, SimulatedLine, SimulatedMeter, Simulation, build

pytestmark = pytest.mark.enable_socket

PZEM, SDM = Library().get("pzem-016"), Library().get("sdm120")
READ = (4, 5)  # in the configuration
NEW = {6: "pzem-016", 12: "sdm120"}  # on the line, and in no configuration
SETTINGS = SerialSettings(baud=38400)  # neither model's own
LINE = """
[site]
commit_every = "100ms"
[api]
listen = "127.0.0.1:0"
[[line]]
name = "rs485"
port = "{folder}/rs485"
baud = 38400
"""
METER = '[[meter]]\nname = "m{unit}"\nline = "rs485"\nmodel = "pzem-016"\naddress = {unit}\nevery = "0s"\n'


@contextmanager
def house(folder: Path) -> Iterator[tuple[Simulation, Path]]:
    meters = [SimulatedMeter(f"m{unit}", "rs485", PZEM, unit) for unit in (*READ, 6)]
    meters.append(SimulatedMeter("m12", "rs485", SDM, 12))
    path = write_house(folder, LINE + "".join(METER.replace("{unit}", str(unit)) for unit in READ))
    line = SimulatedLine("rs485", str(folder / "rs485"), SETTINGS, strict=True)
    with build([line], meters, Options(folder)) as simulation:
        yield simulation, path


def post(url: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{url}api/v1/wizard/{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def counted(url: str) -> dict[str, int]:
    """What happened to our meters, all of them together."""
    counters = [meter["counters"] for meter in get_json(url + "api/v1/meters")]
    return {name: sum(each[name] for each in counters) for name in counters[0]}


def scan(url: str) -> Any:
    return get_json(url + "api/v1/wizard/scan")


def test_a_line_in_use_is_scanned_between_polls_and_its_meters_keep_every_second_turn(tmp_path: Path) -> None:
    port = str(tmp_path / "rs485")
    with house(tmp_path) as (simulation, path), daemon(path, tmp_path / "run.log") as (url, _):
        until(lambda: counted(url)["answers"] > 20)
        choices = get_json(url + "api/v1/wizard")
        assert {"port": port, "line": "rs485", "settings": "38400 8N1"} in choices["ports"]

        before = counted(url)
        status, begun = post(url, "scan", {"do": "start", "port": port})
        assert (status, begun["line"], begun["settings"]) == (202, "rs485", "38400 8N1")
        until(lambda: len(scan(url)["found"]) == len(NEW))
        told, after = post(url, "scan", {"do": "stop"})[1], counted(url)
        [last] = re.findall(r"^38400 8N1, address (\d+)$", told["doing"])
        asked = int(last) - 1 - len(READ)  # from 1 on, one after another
        assert asked > 5
        assert (told["state"], told["error"], told["remarks"]) == ("stopped", "", [])
        assert {one["address"] for one in told["found"]} == set(NEW)
        assert all(NEW[one["address"]] in (one["model"], *one["also"]) for one in told["found"])
        assert {(one["baud"], one["parity"], one["meter"]) for one in told["found"]} == {(38400, "none", "")}
        # Our meters are due all the time: each question of the scan had to wait for one of theirs.
        assert after["polls"] - before["polls"] >= asked
        assert after["answers"] - before["answers"] == after["polls"] - before["polls"]
        assert simulation.statistics()["rs485"].offences == 0

        device = {"port": port, "model": "pzem-016", "address": 6}
        status, reading = post(url, "test", device)
        assert status == 200 and {value["name"] for value in reading["values"]} >= {"voltage", "current"}
        status, refused = post(url, "test", {**device, "baud": 9600})
        assert (status, refused["error"]) == (
            400, 'baud: line "rs485" is in use at 38400 8N1; others cannot be tried',
        )  # fmt: skip
        status, refused = post(url, "test", {**device, "address": 99})
        assert status == 409 and "99 on line rs485" in refused["error"]
        status, refused = post(url, "test", {**device, "model": "zpa-two-tariff"})
        assert status == 400 and "has Modbus meters" in refused["error"]

        found = {"baud": 38400, "parity": "none", "stopbits": 1, "name": "press"}
        status, written = post(url, "meter", device | found)
        assert status == 201, written
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        assert [line["name"] for line in table["line"]] == ["rs485"]
        assert table["meter"][-1] == {"name": "press", "model": "pzem-016", "address": 6, "line": "rs485"}


def test_a_scan_of_a_line_in_use_is_stopped_and_the_line_goes_on(tmp_path: Path) -> None:
    port = str(tmp_path / "rs485")
    with house(tmp_path) as (_, path), daemon(path, tmp_path / "run.log") as (url, _):
        until(lambda: counted(url)["answers"] > 5)
        post(url, "scan", {"do": "start", "port": port})
        until(lambda: scan(url)["done_s"] > 1)
        assert post(url, "test", {"port": port, "model": "pzem-016", "address": 6})[0] == 409
        status, stopped = post(url, "scan", {"do": "stop"})
        assert (status, stopped["state"]) == (200, "stopped")
        answers = counted(url)["answers"]
        until(lambda: counted(url)["answers"] > answers + 10)
        assert "Traceback" not in (tmp_path / "run.log").read_text(encoding="utf-8")
