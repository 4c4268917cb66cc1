"""The page Meters in a real browser: health, quantities, repair and undo, doubt, and the wizard from scan to file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from api_house import House, house
from api_server import served
from page_browser import PATIENCE_MS, Watched, barriers, needs, window
from running import daemon
from wattbook.model import Quality, Reading
from wattbook.profiles import Library
from wattbook.simulate import SimulatedLine, SimulatedMeter, build

STEP = timedelta(seconds=5)
ROWS = 40
DOUBTED = (20, 21)  # rows whose power is in doubt

pytestmark = [pytest.mark.enable_socket, *needs]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    expect.set_options(timeout=PATIENCE_MS)
    with window(browser) as context:
        watched = Watched(context.new_page())
        yield watched.page
        # What the API refuses is told on the page, and the browser's console tells it too.
        assert [each for each in watched.complaints if "Failed to load resource" not in each] == []


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        now = datetime.now(UTC).replace(microsecond=0)
        home.clock.at = now
        status = home.statuses["main-a"]
        status.state, status.latency_s, status.since = "present", 0.031, now - timedelta(hours=3)
        status.counters.polls, status.counters.timeouts, status.counters.garbled = 1000, 12, 3
        home.keep(*(reading(now, row) for row in range(ROWS)))
        yield home


def reading(now: datetime, row: int) -> Reading:
    """Row ROWS - 1 is now."""
    wrong = row in DOUBTED
    values = {
        "voltage": 230.1,
        "active_power": 99_000.0 if wrong else 1500.0 + row,
        "active_energy_import": 1000.0 + row,
    }
    doubt = {"active_power": Quality.SUSPECT} if wrong else {}
    return Reading("main-a", now - STEP * (ROWS - 1 - row), values, doubt=doubt)


def powers(home: House, url: str, page: Page) -> list[tuple[float | None, str]]:
    """The powers of main-a as the API tells them."""
    answer = page.request.get(f"{url}api/v1/query?meter=main-a&quantity=active_power&from=-1h&to=now").json()
    return [(point["value"], point["quality"]) for point in answer["points"]]


def test_the_list_tells_how_each_meter_fares_and_why(home: House, page: Page) -> None:
    status = home.statuses["generator"]
    status.state, status.reason = "away", "address 6 does not answer"
    with served(home) as server:
        page.goto(f"{server.url}#/meters")
        main, generator = (page.locator(f'li[data-meter="{name}"]') for name in ("main-a", "generator"))
        expect(main).to_contain_text("Present")
        expect(main).to_contain_text("31 ms")
        expect(main).to_contain_text("12 (1.2%)")
        expect(generator).to_contain_text("Away")
        expect(generator.locator(".reason")).to_have_text("address 6 does not answer")
        expect(
            page.get_by_role("main").get_by_role("status").filter(has_text="1 of 5 meters need a look")
        ).to_be_visible()

        page.get_by_label("Search").fill("MAIN pzem")
        expect(page.locator("li[data-meter]")).to_have_count(1)
        page.get_by_label("Search").fill("")
        page.get_by_role("combobox", name="Place").select_option("house")
        expect(page.locator("li[data-meter]")).to_have_count(2)  # main-a and heat-pump
        page.get_by_role("combobox", name="Place").select_option("")
        page.get_by_label("Only those in trouble").check()
        expect(page.locator("li[data-meter]")).to_have_count(1)
        page.get_by_label("Only those in trouble").uncheck()
        page.get_by_role("link", name="main-a").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("main-a")


def test_a_wrong_value_is_repaired_and_that_is_undone(home: House, page: Page) -> None:
    with served(home) as server:
        page.goto(f"{server.url}#/meters/main-a")
        expect(page.locator('tr[data-quantity="voltage"]')).to_contain_text("230.1 V")
        page.get_by_role("button", name="Voltage").click()
        chart = page.get_by_role("slider")
        expect(page.locator("canvas")).to_be_visible()
        chart.press("End")
        expect(chart).to_have_attribute("aria-valuetext", re.compile(r"230\.1 V$"))
        form = page.get_by_role("form", name="Repair")
        form.get_by_label("Right value").fill("many")
        form.get_by_role("button", name="Repair").click()
        expect(page.get_by_role("alert")).to_have_text("this is no number")
        form.get_by_label("Right value").fill("231,5")
        form.get_by_role("button", name="Repair").click()
        expect(page.get_by_role("alert")).to_have_text("say why: it stays with the change")  # the API's own words
        form.get_by_label("Reason").fill("read off by hand")
        form.get_by_role("button", name="Repair").click()
        expect(page.get_by_text("It can be undone below")).to_be_visible()
        event = page.locator("li[data-number]").first
        expect(event).to_contain_text("Value repaired")
        expect(event).to_contain_text("read off by hand")
        told = page.request.get(f"{server.url}api/v1/query?meter=main-a&quantity=voltage&from=-1h&to=now").json()
        assert 231.5 in [point["value"] for point in told["points"]]

        event.get_by_role("button", name="Undo").click()
        event.get_by_label("Reason").fill("it was right")
        event.get_by_role("button", name="Undo").click()
        expect(page.locator('li[data-state="undone"]')).to_contain_text("Value repaired")
        told = page.request.get(f"{server.url}api/v1/query?meter=main-a&quantity=voltage&from=-1h&to=now").json()
        assert 231.5 not in [point["value"] for point in told["points"]]


def beside(page: Page, label: str) -> Locator:
    """What is said beside a field."""
    return page.locator(".field", has_text=label).get_by_role("alert")


@pytest.mark.parametrize(("deed", "left"), [("Accept", "good"), ("Drop", None)])
def test_what_is_in_doubt_is_accepted_or_dropped(home: House, page: Page, deed: str, left: str | None) -> None:
    with served(home) as server:
        assert [quality for value, quality in powers(home, server.url, page) if value == 99_000.0] == ["suspect"] * 2
        page.goto(f"{server.url}#/meters/main-a")
        doubt = page.get_by_role("region", name="in doubt")
        expect(doubt).to_contain_text("are in doubt")
        doubt.get_by_label("Reason").fill("the meter's own log says so")
        doubt.get_by_role("button", name=deed).click()
        expect(doubt).to_have_count(0)
        found = [quality for value, quality in powers(home, server.url, page) if value == 99_000.0]
        assert found == ([left] * 2 if left else [])


def test_a_replacement_is_entered(home: House, page: Page) -> None:
    with served(home) as server:
        page.goto(f"{server.url}#/meters/main-a")
        page.get_by_role("button", name="Something happened to it").click()
        form = page.get_by_role("form", name="Something happened to it")
        form.get_by_label("Last value before").fill("0.5")
        form.get_by_label("First value after").fill("0")
        form.get_by_label("Reason").fill("the old one failed")
        form.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("alert")).to_contain_text("it cannot have ended at 500")  # below what it last told
        form.get_by_label("Last value before").fill("1.05")
        form.get_by_role("button", name="Enter").click()
        event = page.locator("li[data-number]").first
        expect(event).to_contain_text("Replaced")
        expect(event).to_contain_text("1.050 kWh → 0.000 kWh")


def test_the_wizard_goes_from_scan_to_file(home: House, page: Page) -> None:
    path = home.context.config.path
    path.write_text(f"# mine, do not touch\n{path.read_text()}", encoding="utf-8")
    meter = SimulatedMeter("press", "line", Library().get("sdm120"), 7)
    with build([SimulatedLine("line", "tcp://127.0.0.1:0")], [meter]) as simulation, served(home) as server:
        page.goto(f"{server.url}#/meters")
        page.get_by_role("link", name="Add a meter").click()
        page.get_by_label("An address on the network").check()
        page.get_by_label("tcp://HOST").fill("/etc/passwd")
        page.get_by_role("button", name="Scan").click()
        expect(page.get_by_role("alert")).to_contain_text("this machine has no serial port /etc/passwd")
        page.get_by_label("tcp://HOST").fill(simulation.address("line"))
        page.get_by_role("button", name="Scan").click()
        found = page.locator(".outcome li", has_text="address 7")
        expect(found).to_contain_text("sdm120")
        found.get_by_role("button", name="Take this one").click()

        expect(page.get_by_role("button", name="Save")).to_be_disabled()  # test first
        page.get_by_label("Model").select_option("sdm120")
        page.get_by_role("button", name="Read it once").click()
        expect(page.get_by_text("It answers:")).to_be_visible()
        page.get_by_label("Name", exact=True).fill("main-a")
        page.get_by_role("combobox", name="Place").fill("plant/hall 2")
        page.get_by_label("Read every").fill("often")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".field", has_text="Read every").get_by_role("alert")).to_contain_text(
            "a duration is a text"
        )
        page.get_by_label("Read every").fill("10s")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".field", has_text="Name").get_by_role("alert")).to_contain_text(
            'two meters are called "main-a"'
        )
        page.get_by_label("Name", exact=True).fill("press")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="press stands in wattbook.toml")).to_be_visible()
        expect(page.get_by_text("Restart wattbook")).to_be_visible()
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# mine, do not touch\n")
        table = tomllib.loads(text)
        assert table["line"][-1] == {"name": "127.0.0.1", "port": simulation.address("line")}
        kept = {"name": "press", "model": "sdm120", "address": 7, "location": "plant/hall 2", "line": "127.0.0.1"}
        assert {key: table["meter"][-1][key] for key in kept} == kept
        assert table["meter"][-1]["every"] == "10s"


def test_a_meter_is_live_as_soon_as_the_wizard_has_written_it_down(tmp_path: Path, page: Page) -> None:
    file = tmp_path / "wattbook.toml"
    file.write_text('[site]\nname = "Hall"\n[api]\nlisten = "127.0.0.1:0"\nask_password = false\n', encoding="utf-8")
    meter = SimulatedMeter("press", "line", Library().get("sdm120"), 7)
    with (
        build([SimulatedLine("line", "tcp://127.0.0.1:0")], [meter]) as simulation,
        daemon(file, tmp_path / "log") as (url, _),
    ):
        page.goto(f"{url.rstrip('/')}/#/meters?add")
        page.get_by_label("An address on the network").check()
        page.get_by_label("tcp://HOST").fill(simulation.address("line"))
        page.get_by_role("button", name="Scan").click()
        found = page.locator(".outcome li", has_text="address 7")
        found.get_by_role("button", name="Take this one").click()
        page.get_by_label("Model").select_option("sdm120")
        page.get_by_role("button", name="Read it once").click()
        expect(page.get_by_text("It answers:")).to_be_visible()
        page.get_by_label("Name", exact=True).fill("press")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("wattbook begins to read it now")).to_be_visible()
        page.get_by_role("link", name="Now", exact=True).click()
        card = page.get_by_role("article", name="press")
        expect(card).to_contain_text("Present")
        expect(card).to_contain_text(re.compile(r"Voltage\s*\d+\.\d V"))


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
@pytest.mark.parametrize("path", ["meters", "meters/main-a", "meters?add"])
def test_everybody_can_use_it_at_any_size(home: House, browser: Browser, width: int, scheme: str, path: str) -> None:
    status = home.statuses["generator"]
    status.state, status.reason = "away", "address 6 does not answer"
    with served(home) as server, window(browser, width, 800, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".panel, li[data-meter]").first).to_be_visible()
        if path == "meters/main-a":
            expect(page.locator("canvas")).to_be_visible()
            page.get_by_role("slider").press("End")
            page.get_by_role("button", name="Something happened to it").click()
            expect(page.get_by_role("form", name="Repair")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert barriers(page) == []


def test_a_lost_connection_shows_no_state_as_if_it_were_live(home: House, browser: Browser) -> None:
    with window(browser) as context:
        page = context.new_page()
        with served(home) as server:
            page.goto(f"{server.url}#/meters")
            expect(page.locator('li[data-meter="main-a"]')).to_contain_text("Present")
        expect(page.get_by_role("alert")).to_contain_text("wattbook")
        expect(page.locator(".paper li [data-state]")).to_have_text(["Unknown"] * 5)


def test_a_scan_is_stopped(home: House, page: Page) -> None:
    meter = SimulatedMeter("press", "line", Library().get("sdm120"), 7)
    with build([SimulatedLine("line", "tcp://127.0.0.1:0")], [meter]) as simulation, served(home) as server:
        page.goto(f"{server.url}#/meters?add")
        page.get_by_label("An address on the network").check()
        page.get_by_label("tcp://HOST").fill(simulation.address("line"))
        page.get_by_role("button", name="Scan").click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".outcome")).to_have_attribute("data-state", "stopped")
        expect(page.get_by_role("button", name="Scan")).to_be_enabled()
