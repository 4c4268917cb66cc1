"""The example's flow in a real Node-RED, behind a real broker, seen in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from mosquitto_server import Mosquitto, mosquitto
from node_red import NodeRed, example_flow, node_red
from page_browser import window
from running import daemon, post, until

PRAGUE = ZoneInfo("Europe/Prague")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def server(tmp_path: Path, broker: Mosquitto) -> Iterator[NodeRed]:
    with node_red(tmp_path) as server:
        server.deploy(example_flow(broker.port))
        broker.publish("wattbook/House/first", _reading("first", datetime.now(UTC), voltage=1), options=["-r"])
        until(lambda: "House/first" in server.meters())
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with window(browser, timezone_id="Europe/Prague") as context:
        yield context.new_page()


def _reading(meter: str, at: datetime, **values: float) -> str:
    """The JSON of a reading, as everywhere."""
    told = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"meter": meter, "at": told, "values": values, "quality": "good"})


def test_every_meter_is_shown_with_power_voltage_current_and_energy(
    server: NodeRed, broker: Mosquitto, page: Page
) -> None:
    now = datetime.now(UTC)
    before = {"active_energy_import": 25_409_000.0}
    single = {"voltage": 230.4, "current": 5.2, "active_power": 1234.5, "active_energy_import": 25_409_587.0}
    three = {f"voltage_l{n}": 230.0 + n for n in (1, 2, 3)} | {f"current_l{n}": float(n) for n in (1, 2, 3)}
    between = {"voltage_l12": 400.1, "voltage_l23": 399.2, "voltage_l31": 401.0, "active_power": 12_345.0}
    broker.publish(
        "wattbook/House/main-a",
        _reading("main-a", now - timedelta(seconds=3), **before),
        _reading("main-a", now - timedelta(seconds=2), **single),
    )
    broker.publish("wattbook/House/office", _reading("office", now, **three, **between, power_factor=0.9))
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(server.url + "dashboard/meters")
    main, office = (page.locator(f'article[data-meter="{name}"]') for name in ("main-a", "office"))
    expect(main.locator("[data-of=power]")).to_have_text("1.23 kW")
    expect(main.locator("[data-of=voltage]")).to_have_text("230.4 V")
    expect(main.locator("[data-of=current]")).to_have_text("5.20 A")
    expect(main.locator("[data-of=today]")).to_have_text("0.59 kWh")
    expect(office.locator("[data-of=power]")).to_have_text("12.35 kW")
    expect(office.locator("[data-of=voltage]")).to_have_text("231.0 / 232.0 / 233.0 V")
    expect(office.locator("[data-of=between]")).to_have_text("400.1 / 399.2 / 401.0 V")
    expect(office.locator("[data-of=current]")).to_have_text("1.00 / 2.00 / 3.00 A")
    broker.publish("wattbook/House/main-a", _reading("main-a", now + timedelta(seconds=2), active_power=99.0))
    expect(main.locator("[data-of=power]")).to_have_text("0.10 kW")
    expect(page.locator("canvas")).to_have_count(2)
    assert hosts == {server.url.split("/")[2]}  # nothing from elsewhere


PUSHED = """
[site]
name = "Plant"
timezone = "Europe/Prague"
commit_every = "200ms"

[api]
listen = "127.0.0.1:0"

[[meter]]
name = "office"
model = "push"

[[sink]]
name = "node-red"
kind = "mqtt"
url = "mqtt://127.0.0.1:{port}"
"""


def test_a_reading_goes_through_wattbook_to_the_page(
    server: NodeRed, broker: Mosquitto, page: Page, tmp_path: Path
) -> None:
    """From the push to the browser: the sink's own topic and payload."""
    config = tmp_path / "wattbook.toml"
    config.write_text(PUSHED.replace("{port}", str(broker.port)), encoding="utf-8")
    page.goto(server.url + "dashboard/meters")
    now = datetime.now(UTC)
    with daemon(config, tmp_path / "run.log") as (url, _):
        first = _reading("office", now - timedelta(seconds=10), active_energy_import=1000.0)
        last = _reading("office", now, active_power=2345.0, voltage_l1=231.0, active_energy_import=1250.0)
        post(url + "api/v1/readings", f"[{first}, {last}]".encode())
        office = page.locator('article[data-meter="office"]')
        expect(office.locator("[data-of=power]")).to_have_text("2.35 kW")
        expect(office.locator("[data-of=voltage]")).to_have_text("231.0 V")
        expect(office.locator("[data-of=today]")).to_have_text("0.25 kWh")
    assert server.meters()["Plant/office"]["site"] == "Plant"


def test_a_meter_that_says_nothing_does_not_look_alive(server: NodeRed, broker: Mosquitto, page: Page) -> None:
    broker.publish(
        "wattbook/House/shed", _reading("shed", datetime.now(UTC) - timedelta(minutes=5), active_power=700.0)
    )
    page.goto(server.url + "dashboard/meters")
    shed = page.locator('article[data-meter="shed"]')
    expect(shed).to_contain_text("Silent since")
    expect(page.locator('article[data-meter="first"]')).not_to_contain_text("Silent")


def test_readings_that_come_again_or_late_change_nothing(server: NodeRed, broker: Mosquitto) -> None:
    """Every reading is published at least once, and a backlog comes behind the live values."""
    at = datetime.now(PRAGUE).replace(hour=12, minute=0, second=0, microsecond=0)
    registers = [(0, 1000.0), (60, 1100.0), (60, 1100.0), (0, 1000.0), (30, 1050.0), (120, 1150.0)]
    broker.publish(
        "wattbook/House/main-a",
        *(_reading("main-a", at + timedelta(seconds=s), active_energy_import=wh) for s, wh in registers),
    )
    until(lambda: server.meters().get("House/main-a", {}).get("at") == int(at.timestamp() + 120) * 1000)
    assert server.meters()["House/main-a"]["today"] == 150.0


def test_the_day_begins_at_local_midnight_and_a_reset_counts_on(server: NodeRed, broker: Mosquitto) -> None:
    """2026-03-29 is a day of 23 hours in Prague. Half of what was used from 23:00 to 1:00 belongs to it."""
    midnight = datetime(2026, 3, 29, tzinfo=PRAGUE)
    registers = [(-3600, 1000.0), (3600, 1400.0), (7200, 1500.0), (10800, 20.0), (14400, 70.0)]
    broker.publish(
        "wattbook/House/main-a",
        *(
            _reading("main-a", midnight.astimezone(UTC) + timedelta(seconds=s), active_energy_import=wh)
            for s, wh in registers
        ),
    )
    until(lambda: server.meters().get("House/main-a", {}).get("register", {}).get("value") == 70.0)
    known = server.meters()["House/main-a"]
    assert (known["today"], known["since"]) == (200.0 + 100.0 + 50.0, None)


def test_what_is_no_reading_is_told_and_harms_nothing(server: NodeRed, broker: Mosquitto) -> None:
    broker.publish("wattbook/House/odd", "no json", "[1, 2]", '{"meter": "odd", "at": "never", "values": {}}', "17")
    broker.publish("wattbook/House/main-a", _reading("main-a", datetime.now(UTC), voltage=230.0))
    until(lambda: "House/main-a" in server.meters())
    assert set(server.meters()) == {"House/first", "House/main-a"}
    assert server.log.read_text(encoding="utf-8").count("no reading of wattbook") == 3
