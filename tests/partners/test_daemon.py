"""The whole of wattbook: a simulated house in one process, the daemon in another, asked as people and programs ask."""

import json
import re
import signal
from pathlib import Path

import pytest

from running import (
    HOUSE,
    WAIT_S_MAX,
    daemon,
    get,
    get_json,
    post,
    simulated,
    started,
    until,
    wattbook,
    write_house,
)
from wattbook.simulate.house import OUTAGE_S


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return write_house(tmp_path)


def _latest(url: str) -> dict[str, dict[str, float]]:
    return {reading["meter"]: reading["values"] for reading in get_json(url + "api/v1/readings/latest")}


def test_every_kind_of_line_is_read_and_kept(house: Path, tmp_path: Path) -> None:
    """Modbus and optical meters are asked, SML speaks first, HTTP pushes; all of it is in one book."""
    with simulated(tmp_path, house), daemon(house, tmp_path / "run.log") as (url, _):
        assert get(url + "electricity_meter/api/v1.0/energy") == b'{"energy":{"highTarif":0,"lowTarif":0,"suma":0}}\n'
        until(lambda: {"main-a", "main-b", "heat-pump"} <= _latest(url).keys())
        until(lambda: "utility" in _latest(url))
        energy = get(url + "electricity_meter/api/v1.0/energy").decode()
        pattern = r'{"energy":{"highTarif":"\d{7}\.\d{3}","lowTarif":"\d{7}\.\d{3}","suma":"\d{7}\.\d{3}"}}\n'
        assert re.fullmatch(pattern, energy)
        reading = {"meter": "pushed", "at": "2026-11-21T01:02:03.000Z", "values": {"voltage": 230.1}, "quality": "good"}
        assert post(url + "api/v1/readings", json.dumps(reading).encode()) == {"new": 1, "same": 0, "conflicts": 0}
        assert post(url + "api/v1/readings", json.dumps(reading).encode()) == {"new": 0, "same": 1, "conflicts": 0}
        metrics = get(url + "metrics").decode()
        assert metrics.endswith("# EOF\n") and "main-a" in metrics
        states = {meter["name"]: meter["state"] for meter in get_json(url + "api/v1/meters")}
        assert states["main-a"] == states["utility"] == states["heat-pump"] == "present"

        said = wattbook("latest", "-c", house, "--json")
        assert said.returncode == 0 and {json.loads(line)["meter"] for line in said.stdout.splitlines()} >= {"main-a"}
        said = wattbook("query", "main-a", "voltage", "-c", house, "--from", "-1h", "--json")
        answer = json.loads(said.stdout)
        assert answer["unit"] == "V" and len(answer["points"]) > 1 and answer["points"][0]["quality"] == "good"
    assert "Traceback" not in (tmp_path / "run.log").read_text()


def test_a_daemon_goes_on_with_its_book(house: Path, tmp_path: Path) -> None:
    with simulated(tmp_path, house):
        for _ in range(2):
            with daemon(house, tmp_path / "run.log") as (url, process):
                until(lambda url=url: "main-a" in _latest(url))
            assert process.returncode == 0
    said = wattbook("query", "main-a", "active_energy_import", "-c", house, "--from", "-1h", "--json")
    instants = [point["at"] for point in json.loads(said.stdout)["points"]]
    assert instants == sorted(set(instants)) and len(instants) > 1


def test_a_line_that_is_not_there_leaves_the_others_alone(tmp_path: Path) -> None:
    config = write_house(tmp_path, HOUSE.replace('port = "{folder}/sim/sml"', 'port = "{folder}/nowhere/sml"'))
    sim = tmp_path / "sim.toml"
    sim.write_text(config.read_text().replace("nowhere", "sim"))
    with simulated(tmp_path, sim), daemon(config, tmp_path / "run.log") as (url, _):
        until(lambda: "main-a" in _latest(url))
        until(lambda: {m["name"]: m["state"] for m in get_json(url + "api/v1/meters")}["heat-pump"] == "away")
        [pump] = [meter for meter in get_json(url + "api/v1/meters") if meter["name"] == "heat-pump"]
        assert "no such port" in pump["reason"]
    assert (tmp_path / "run.log").read_text().count("heat-pump is away") == 1


def test_a_second_daemon_on_one_book_is_refused_in_words(house: Path, tmp_path: Path) -> None:
    with simulated(tmp_path, house), daemon(house, tmp_path / "run.log"):
        said = wattbook("run", "-c", house)
    assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1
    assert "wattbook.db" in said.stderr


def test_the_demo_shows_a_house_and_stops_cleanly(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with started("demo", "--dir", tmp_path / "demo", "--listen", "127.0.0.1:0", log=log, stop=signal.SIGINT) as process:
        until(lambda: "page" in log.read_text())
        found = re.search(r"page +(http://\S+)", log.read_text())
        assert found
        shown = {"main-a", "main-b", "heat-pump"}
        # The house may be in its failure of the utility now, during which its meters are away.
        until(lambda: shown <= _latest(found[1]).keys(), within_s=OUTAGE_S + WAIT_S_MAX)
        assert "demo/wattbook.db" in log.read_text()
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()
    until(lambda: not (tmp_path / "demo/lines/rs485").exists())  # the simulator is gone, and its ports with it
