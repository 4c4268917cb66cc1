"""`wattbook meter`: a meter's life told by a person, beside a running daemon and without one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from running import daemon, get_json, post, until, wattbook, write_house

BASE = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
ENERGY = "active_energy_import"
HOUSE = """
[site]
name = "Test house"
commit_every = "50ms"
[api]
listen = "127.0.0.1:0"
[[meter]]
name = "main-a"
model = "push"
"""


def at(minute: int) -> str:
    return (BASE + timedelta(minutes=minute)).isoformat()


def tell(url: str, *steps: tuple[int, float]) -> None:
    for minute, energy in steps:
        reading = {"meter": "main-a", "at": at(minute), "values": {ENERGY: energy}}
        assert post(url + "api/v1/readings", json.dumps(reading).encode())["new"] == 1


def events(config: Path) -> list[Any]:
    said = wattbook("meter", "show", "main-a", "-c", config, "--json")
    assert said.returncode == 0, said.stderr
    found: list[Any] = json.loads(said.stdout)["events"]
    return found


def energy(config: Path) -> float:
    said = wattbook(
        "query", "main-a", ENERGY, "-c", config, "--from", at(0), "--to", at(300), "--every", "1mo", "--json"
    )
    return sum(point["value"] or 0 for point in json.loads(said.stdout)["points"])


def change(config: Path, *arguments: str) -> None:
    said = wattbook("meter", arguments[0], "main-a", *arguments[1:], "-c", config, "--why", "a test")
    assert said.returncode == 0 and "written down as number" in said.stderr, said.stderr


def test_a_life_is_told_beside_the_daemon_and_without_it(tmp_path: Path) -> None:
    config = write_house(tmp_path, HOUSE)
    with daemon(config, tmp_path / "run.log") as (url, _):
        tell(url, (0, 90_000), (1, 90_010), (2, 0), (3, 2), (4, 3), (5, 5))
        until(lambda: [event["kind"] for event in events(config)] == ["meter.reset"])  # by itself
        assert energy(config) == 15
        tell(url, (6, 7_000_000), (7, 7_000_001), (8, 7_000_002))
        until(lambda: [event["state"] for event in events(config)] == ["holds", "open"])
        change(config, "accept", "--number", str(events(config)[1]["number"]))
        assert energy(config) == 17
        tell(url, (9, 7_000_010))
        assert get_json(url + "api/v1/readings/latest")[0].get("doubt", {}) == {}
        change(config, "correct", f"{ENERGY}=7000.006kWh", "--at", at(9))
        assert energy(config) == 21
    number = events(config)[-1]["number"]
    change(config, "undo", str(number))
    assert energy(config) == 25
    change(config, "replace", "--at", at(100), "--before", f"{ENERGY}=7000.020kWh", "--after", f"{ENERGY}=0")
    assert energy(config) == 35
    shown = wattbook("meter", "show", "main-a", "-c", config)
    assert "a test" in shown.stdout and "undone" in shown.stdout
    with daemon(config, tmp_path / "run.log") as (url, _):
        tell(url, (110, 5))
        assert energy(config) == 40
        assert get_json(url + "api/v1/readings/latest")[0].get("doubt", {}) == {}
    assert "Traceback" not in (tmp_path / "run.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show", "main-b"], 2, 'did you mean "main-a"'),
        (["replace", "main-a"], 2, "--why"),
        (["replace", "main-a", "--why", "x", "--before", "energy=1"], 2, "energy"),
        (["replace", "main-a", "--why", "x", "--before", f"{ENERGY}=1V"], 2, "is in Wh"),
        (["reset", "main-a", "--why", "x", "--from", "soon"], 2, "is no instant"),
        (["undo", "main-a", "7", "--why", "x"], 1, "has the number 7"),
        (["correct", "main-a", f"{ENERGY}=1", "--at", "now", "--why", "x"], 1, "has no reading"),
    ],
)
def test_a_wrong_order_is_one_line(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    said = wattbook("meter", *arguments, "-c", write_house(tmp_path, HOUSE))
    assert said.returncode == code
    assert len(said.stderr.strip().splitlines()) == 1 and says in said.stderr
