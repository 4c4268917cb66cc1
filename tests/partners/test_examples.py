"""The files in examples/ do what they say: each is read by a daemon from simulated meters where it names real ports."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from running import daemon, get, get_json, until, wattbook
from wattbook.profiles import Library
from wattbook.simulate import Options, SimulatedLine, SimulatedMeter, Simulation, build

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_example_has_no_problem(example: Path) -> None:
    said = wattbook("check", "-c", example)
    assert (said.returncode, said.stderr) == (0, "")


def _here(example: str, folder: Path) -> Path:
    """The example with its ports in `folder` and a free port for its page."""
    text = (EXAMPLES / example).read_text(encoding="utf-8").replace("/dev/", f"{folder}/")
    path = folder / "wattbook.toml"
    path.write_text(re.sub(r'listen = "[^"]*"', 'listen = "127.0.0.1:0"', text), encoding="utf-8")
    if "listen" not in text:
        path.write_text(text + '\n[api]\nlisten = "127.0.0.1:0"\n', encoding="utf-8")
    return path


def test_the_owner_of_an_optical_meter_gets_what_he_parses_today(tmp_path: Path) -> None:
    config, model = _here("optical-two-tariff.toml", tmp_path), Library().get("zpa-two-tariff")
    house = build(
        [SimulatedLine("head", str(tmp_path / "ttyUSB0"))], [SimulatedMeter("house", "head", model)], Options(tmp_path)
    )
    with house, daemon(config, tmp_path / "run.log") as (url, _):
        energy = url + "electricity_meter/api/v1.0/energy"
        assert get(energy) == b'{"energy":{"highTarif":0,"lowTarif":0,"suma":0}}\n'
        until(lambda: get(energy) != b'{"energy":{"highTarif":0,"lowTarif":0,"suma":0}}\n')
        told = get(energy).decode()
    number = r'"(\d{7}\.\d{3})"'
    found = re.fullmatch(rf'{{"energy":{{"highTarif":{number},"lowTarif":{number},"suma":{number}}}}}\n', told)
    assert found
    high, low, total = map(float, found.groups())
    assert abs(high + low - total) < 0.0025  # the meter rounds each of the three


def _pzems(folder: Path, ports: Mapping[str, str]) -> Simulation:
    """Three PZEM-016, each on an adapter of its own: name -> port."""
    model, addresses = Library().get("pzem-016"), {"main-a": 4, "main-b": 5, "generator": 6}
    lines = [SimulatedLine(f"adapter of {name}", str(folder / port)) for name, port in ports.items()]
    meters = [SimulatedMeter(name, f"adapter of {name}", model, addresses[name]) for name in ports]
    return build(lines, meters, Options(folder))


def _states(url: str) -> set[str]:
    """Of the meters on lines; the machine itself is always present."""
    return {meter["state"] for meter in get_json(url + "api/v1/meters") if meter["line"]}


def test_three_pzems_are_found_on_whatever_port_and_again_after_a_replug(tmp_path: Path) -> None:
    config = _here("three-pzem-016.toml", tmp_path)

    def present(url: str) -> bool:
        return all(meter["state"] == "present" for meter in get_json(url + "api/v1/meters"))

    first = {"main-a": "ttyUSB2", "main-b": "ttyUSB0", "generator": "ttyUSB1"}
    second = {"main-a": "ttyUSB0", "main-b": "ttyUSB1", "generator": "ttyUSB2"}
    with _pzems(tmp_path, first) as house, daemon(config, tmp_path / "run.log") as (url, _):
        until(lambda: present(url))
        for port in house.addresses:
            house.unplug(port)
        until(lambda: _states(url) == {"away"})
        house.stop()
        with _pzems(tmp_path, second):
            until(lambda: present(url))
            readings = {reading["meter"]: reading for reading in get_json(url + "api/v1/readings/latest")}
            assert set(readings) == {"main-a", "main-b", "generator", "pi"}
    assert "Traceback" not in (tmp_path / "run.log").read_text()


def test_pzems_whose_ports_are_absent_are_away_and_say_why(tmp_path: Path) -> None:
    with daemon(_here("three-pzem-016.toml", tmp_path), tmp_path / "run.log") as (url, _):
        until(lambda: _states(url) == {"away"})
        assert all("no such port" in meter["reason"] for meter in get_json(url + "api/v1/meters") if meter["line"])
    assert (tmp_path / "run.log").read_text().count("is away") == 3  # each said once
