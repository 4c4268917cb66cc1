"""The files in examples/ do what they say: each is read by a daemon from simulated meters where it names real ports."""

import re
from pathlib import Path

import pytest

from example_files import EXAMPLES, SECRETS, here, one_meter, pzems
from running import daemon, get, get_json, until, wattbook


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_example_has_no_problem(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "x")
    said = wattbook("check", "-c", example)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_owner_of_an_optical_meter_gets_what_he_parses_today(tmp_path: Path) -> None:
    config = here("optical-two-tariff.toml", tmp_path)
    with one_meter(tmp_path, "zpa-two-tariff"), daemon(config, tmp_path / "run.log") as (url, _):
        energy = url + "electricity_meter/api/v1.0/energy"
        assert get(energy) == b'{"energy":{"highTarif":0,"lowTarif":0,"suma":0}}\n'
        until(lambda: get(energy) != b'{"energy":{"highTarif":0,"lowTarif":0,"suma":0}}\n')
        told = get(energy).decode()
    number = r'"(\d{7}\.\d{3})"'
    found = re.fullmatch(rf'{{"energy":{{"highTarif":{number},"lowTarif":{number},"suma":{number}}}}}\n', told)
    assert found
    high, low, total = map(float, found.groups())
    assert abs(high + low - total) < 0.0025  # the meter rounds each of the three


def _states(url: str) -> set[str]:
    """Of the meters on lines; the machine itself is always present."""
    return {meter["state"] for meter in get_json(url + "api/v1/meters") if meter["line"]}


def test_three_pzems_are_found_on_whatever_port_and_again_after_a_replug(tmp_path: Path) -> None:
    config = here("three-pzem-016.toml", tmp_path)

    def present(url: str) -> bool:
        return all(meter["state"] == "present" for meter in get_json(url + "api/v1/meters"))

    first = {"main-a": "ttyUSB2", "main-b": "ttyUSB0", "generator": "ttyUSB1"}
    second = {"main-a": "ttyUSB0", "main-b": "ttyUSB1", "generator": "ttyUSB2"}
    with pzems(tmp_path, first) as house, daemon(config, tmp_path / "run.log") as (url, _):
        until(lambda: present(url))
        for port in house.addresses:
            house.unplug(port)
        until(lambda: _states(url) == {"away"})
        house.stop()
        with pzems(tmp_path, second):
            until(lambda: present(url))
            readings = {reading["meter"]: reading for reading in get_json(url + "api/v1/readings/latest")}
            assert set(readings) == {"main-a", "main-b", "generator", "pi"}
    assert "Traceback" not in (tmp_path / "run.log").read_text()


def test_pzems_whose_ports_are_absent_are_away_and_say_why(tmp_path: Path) -> None:
    with daemon(here("three-pzem-016.toml", tmp_path), tmp_path / "run.log") as (url, _):
        until(lambda: _states(url) == {"away"})
        assert all("no such port" in meter["reason"] for meter in get_json(url + "api/v1/meters") if meter["line"])
    assert (tmp_path / "run.log").read_text().count("is away") == 3  # each said once
