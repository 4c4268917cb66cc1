"""The daemon goes on with another wattbook.toml without a new start: asked by signal, by command and from the page."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from running import HOUSE, WAIT_S_MAX, daemon, get_json, post, simulated, until, wattbook, write_house

ONE_MORE = """
[[meter]]
name = "main-x"
line = "rs485"
model = "pzem-016"
address = 6
every = "200ms"
"""
HIGH = """
[[alert]]
name = "high"
kind = "above"
quantity = "voltage"
limit = 100
meters = ["main-a"]
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return write_house(tmp_path)


@contextmanager
def running(house: Path, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """The daemon over simulated lines of six meters, of which the file may name fewer."""
    every = tmp_path / "sim.toml"
    every.write_text(house.read_text() + ONE_MORE)
    with simulated(tmp_path, every), daemon(house, tmp_path / "run.log") as (url, process):
        until(lambda: "main-a" in latest(url))
        yield url, process
    assert "Traceback" not in log(tmp_path), log(tmp_path)


def latest(url: str) -> dict[str, dict[str, float]]:
    return {reading["meter"]: reading["values"] for reading in get_json(url + "api/v1/readings/latest")}


def about(url: str) -> dict[str, str]:
    found: dict[str, str] = get_json(url + "api/v1/about")["configuration"]
    return found


def log(tmp_path: Path) -> str:
    return (tmp_path / "run.log").read_text()


def change(url: str, path: str = "", **order: object) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{url}api/v1/configuration{path}", json.dumps(order).encode(), {"x-wattbook": "1"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def instants(house: Path, meter: str) -> list[tuple[str, int]]:
    said = wattbook("query", meter, "active_energy_import", "-c", house, "--from", "-1h", "--json")
    return [(point["at"], point["value"]) for point in json.loads(said.stdout)["points"]]


def test_a_signal_adds_a_meter_which_is_read(house: Path, tmp_path: Path) -> None:
    with running(house, tmp_path) as (url, process):
        house.write_text(house.read_text() + ONE_MORE)
        until(lambda: about(url)["state"] == "changed")
        process.send_signal(signal.SIGHUP)
        until(lambda: about(url)["state"] == "in force")
        until(lambda: "main-x" in latest(url))
    assert instants(house, "main-x")


def test_a_broken_file_leaves_the_old_one_in_force_and_shows_its_place(house: Path, tmp_path: Path) -> None:
    with running(house, tmp_path) as (url, process):
        house.write_text(house.read_text().replace('model = "sml"', 'model = "smll"'))
        begun = time.monotonic()
        until(lambda: about(url)["state"] == "broken" and "wattbook.toml:" in log(tmp_path))
        assert time.monotonic() - begun < 10  # 2 s, but for two busy cores
        place = re.match(r"wattbook\.toml:(\d+): meter .*smll", about(url)["problem"])
        assert place and 'model = "smll"' in house.read_text().splitlines()[int(place[1]) - 1]
        process.send_signal(signal.SIGHUP)
        status, answer = change(url, "/apply")
        assert status == 409 and answer["problems"][0]["line"] == int(place[1])
        until(lambda: "SIGHUP: wattbook.toml" in log(tmp_path))
        assert log(tmp_path).count(f"wattbook.toml:{place[1]}: meter") >= 1
        before = latest(url)["main-a"]
        until(lambda: latest(url)["main-a"] != before)
        assert wattbook("reload", "-c", house).returncode == 2
        house.write_text(HOUSE.replace("{folder}", str(tmp_path)).replace("Test house", "Tested house"))
        said = wattbook("reload", "-c", house)
        assert (said.returncode, said.stderr) == (0, "in force\n"), said.stderr
        assert get_json(url + "api/v1/about")["site"] == "Tested house"
        assert about(url) == {"state": "in force", "problem": ""}


def test_what_the_page_changes_is_used_at_once(house: Path, tmp_path: Path) -> None:
    with running(house, tmp_path) as (url, _):
        rule = {"name": "high", "kind": "above", "quantity": "voltage", "limit": 100}
        status, answer = change(url, do="add", table="alert", keys=rule)
        assert (status, answer["applied"]) == (200, True)
        until(lambda: get_json(url + "api/v1/alerts")["rules"][0]["state"] == "raised")
        assert change(url, do="change", table="site", keys={"timezone": "Asia/Tokyo", "name": "Ie"})[0] == 200
        told = get_json(url + "api/v1/about")
        assert (told["site"], told["timezone"]) == ("Ie", "Asia/Tokyo")
        assert change(url, do="change", table="alert", name="high", keys={"limit": "x"})[0] == 400
        assert change(url, do="remove", table="alert", name="high")[0] == 200
        assert get_json(url + "api/v1/alerts")["rules"] == []
        meter = {"name": "main-x", "line": "rs485", "model": "pzem-016", "address": 6}
        assert change(url, do="add", table="meter", keys=meter)[0] == 200
        until(lambda: "main-x" in latest(url))
    assert tomllib.loads(house.read_text())["site"] == {"name": "Ie", "timezone": "Asia/Tokyo", "commit_every": "200ms"}


def test_a_configuration_that_cannot_begin_gives_way_to_the_one_before(house: Path, tmp_path: Path) -> None:
    with running(house, tmp_path) as (url, process):
        port = int(url.rsplit(":", 1)[1].strip("/"))
        good = house.read_text()
        house.write_text(good + f'\n[[proxy]]\nline = "rs485"\nlisten = "127.0.0.1:{port}"\n')
        status, answer = change(url, "/apply")
        assert status == 400 and str(port) in answer["error"], answer
        assert about(url)["state"] == "broken" and "cannot be used" in about(url)["problem"]
        before = latest(url)["main-a"]
        until(lambda: latest(url)["main-a"] != before)
        house.write_text(good)
        process.send_signal(signal.SIGHUP)
        until(lambda: about(url)["state"] == "in force")


def test_readings_go_on_across_many_changes(house: Path, tmp_path: Path) -> None:
    """None that was acknowledged is lost, none is there twice, and nobody who asks is turned away."""
    sent, times = 0, []
    with running(house, tmp_path) as (url, process):
        for number in range(20):
            begun = time.monotonic()
            assert change(url, do="change", table="site", keys={"name": f"House {number}"})[0] == 200
            times.append(time.monotonic() - begun)
            reading = {"meter": "pushed", "at": f"2026-11-21T01:02:{number:02}.000Z", "values": {"voltage": 230.1}}
            request = urllib.request.Request(url + "api/v1/readings", json.dumps(reading).encode(), method="POST")
            with urllib.request.urlopen(request, timeout=60) as answer:
                sent += json.loads(answer.read())["new"]
        assert process.poll() is None
    found = instants(house, "main-a")
    assert [at for at, _ in found] == sorted({at for at, _ in found}) and len(found) > 20
    said = wattbook("query", "pushed", "voltage", "-c", house, "--from", "2026-11-21T01:02:00Z",
                    "--to", "2026-11-21T01:03:00Z", "--json")  # fmt: skip
    assert sent == len(json.loads(said.stdout)["points"]) == 20
    assert wattbook("verify", "-c", house).returncode == 0
    print(f"a change takes {sorted(times)[10]:.2f} s, at most {max(times):.2f} s")


def test_systemd_is_told_when_it_is_done(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(WAIT_S_MAX)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with running(house, tmp_path) as (_, process):
            assert systemd.recv(1024).startswith(b"READY=1")
            for good in (True, False):
                house.write_text(house.read_text() + ("" if good else "[[line"))
                process.send_signal(signal.SIGHUP)
                heard = [systemd.recv(1024)]
                while not heard[-1].startswith(b"READY=1"):
                    heard.append(systemd.recv(1024))
                assert heard[0].startswith(b"RELOADING=1\nMONOTONIC_USEC=")
                assert (b"not TOML" in heard[-1]) is not good


def test_the_wizard_s_meter_is_there_at_once_and_two_changes_wait_for_each_other(house: Path, tmp_path: Path) -> None:
    with running(house, tmp_path) as (url, _), ThreadPoolExecutor() as pool:
        meters = [{"model": "push", "name": f"press {number}"} for number in range(2)]
        rules = [{"name": f"rule {number}", "kind": "silent"} for number in range(2)]
        asked = [pool.submit(post, url + "api/v1/wizard/meter", json.dumps(meter).encode()) for meter in meters]
        changed = [pool.submit(change, url, do="add", table="alert", keys=rule) for rule in rules]
        answers = [each.result(WAIT_S_MAX) for each in asked]
        assert [answer["restart"] for answer in answers] == [False, False]
        assert [each.result(WAIT_S_MAX)[0] for each in changed] == [200, 200]
        names = {meter["name"] for meter in get_json(url + "api/v1/meters")}
        assert {"press 0", "press 1", "main-a"} <= names
        assert {rule["name"] for rule in get_json(url + "api/v1/alerts")["rules"]} == {"rule 0", "rule 1"}


def test_who_is_logged_in_stays_so_and_streams_begin_again(house: Path, tmp_path: Path) -> None:
    with running(house, tmp_path) as (url, process):
        assert wattbook("user", "add", "anna", "--stdin", "-c", house, given="four words are enough\n").returncode == 0
        body = json.dumps({"name": "anna", "password": "four words are enough"}).encode()
        login = urllib.request.Request(url + "api/v1/login", body, {"x-wattbook": "1"})
        with urllib.request.urlopen(login, timeout=WAIT_S_MAX) as answer:
            cookie = answer.headers["set-cookie"].partition(";")[0]
        with urllib.request.urlopen(
            urllib.request.Request(url + "api/v1/live", headers={"cookie": cookie}), timeout=WAIT_S_MAX
        ) as stream:
            process.send_signal(signal.SIGHUP)
            assert b"retry: 100" in stream.read()
        me = urllib.request.Request(url + "api/v1/me", headers={"cookie": cookie})
        with urllib.request.urlopen(me, timeout=WAIT_S_MAX) as answer:
            assert json.loads(answer.read())["name"] == "anna"


def test_what_an_alert_decided_is_not_decided_again(house: Path, tmp_path: Path) -> None:
    house.write_text(house.read_text() + HIGH)
    with running(house, tmp_path) as (url, _):
        until(lambda: get_json(url + "api/v1/alerts")["rules"][0]["state"] == "raised")
        since = get_json(url + "api/v1/alerts")["rules"][0]["since"]
        for number in range(3):
            assert change(url, do="change", table="supply", keys={"generator_current": 1.0 + number})[0] == 200
            rule = get_json(url + "api/v1/alerts")["rules"][0]
            assert (rule["state"], rule["since"]) == ("raised", since)
        assert len(get_json(url + "api/v1/alerts/history")["events"]) == 1
