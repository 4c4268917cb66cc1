"""The page in a real browser, against the real API and a real book."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from api_house import NOW, House, house, pzem
from api_server import served
from page_browser import PATIENCE_MS, Watched, needs, window
from wattbook.engine.status import DarkSpan, SupplyNow
from wattbook.model import Reading

pytestmark = needs
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    with window(browser) as context:
        yield Watched(context.new_page())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        yield home


def test_a_first_reading_appears_and_nothing_else_is_contacted(home: House, watched: Watched) -> None:
    with served(home) as server:
        page = watched.page
        page.goto(server.url)
        main = page.locator('article[data-meter="main-a"]')
        expect(main).to_contain_text("No reading yet")
        expect(main).to_contain_text("Starting")

        home.statuses["main-a"].state = "present"
        home.context.live.publish(pzem(power=1234.0, energy=25409587.0))
        expect(main).to_contain_text("Present")
        expect(main.locator(".main")).to_contain_text("1,234")
        expect(main).to_contain_text("230.1 V")
        expect(main.locator(".registers")).to_contain_text("25,409.587 kWh")

        home.context.live.publish(pzem(ago_s=-5, power=99.5))
        expect(main.locator(".main")).to_contain_text("99.5")
        expect(main.locator("canvas")).to_be_visible()
        expect(page.locator("footer").last).to_contain_text(str(home.book.path))
        page.goto("about:blank")
        assert watched.complaints == []
        assert watched.hosts == {f"127.0.0.1:{server.port}"}


def test_readings_of_the_book_are_there_at_once(home: House, watched: Watched) -> None:
    home.clock.at = NOW
    home.keep(*(pzem(ago_s=60 - 5 * number, power=1000.0 + number) for number in range(12)))
    with served(home) as server:
        watched.page.goto(server.url)
        main = watched.page.locator('article[data-meter="main-a"]')
        expect(main.locator(".main")).to_contain_text("1,011")
        expect(main.locator("canvas")).to_be_visible()
        label = "Power in the last 60 minutes: lowest 1,000 W, highest 1,011 W"
        expect(main.get_by_role("img")).to_have_attribute("aria-label", label)
        watched.page.goto("about:blank")
        assert watched.complaints == []


def test_a_meter_that_goes_is_away_with_its_reason(home: House, watched: Watched) -> None:
    home.keep(pzem("main-a"), pzem("generator"))
    with served(home) as server:
        page = watched.page
        page.goto(server.url)
        main, generator = (page.locator(f'article[data-meter="{name}"]') for name in ("main-a", "generator"))
        expect(main.locator(".main")).to_contain_text("1,500")
        for name in ("main-a", "generator"):
            status = home.statuses[name]
            status.reason, status.since, status.state = "address 4 does not answer", NOW, "away"
        expect(main.locator(".state")).to_have_text("Away")
        expect(main.locator(".reason")).to_have_text(
            re.compile(r"^address 4 does not answer\s+Since (\d+ \w+, )?\d\d:\d\d")
        )
        expect(main.locator(".main")).not_to_contain_text("1,500")
        expect(main.locator(".registers")).to_contain_text("kWh")
        expect(generator.locator(".state")).to_have_text("Away")
        home.statuses["generator"].state = "present"
        expect(generator.locator(".state")).to_have_text("Running")


def test_the_progress_of_a_readout_is_shown(home: House, watched: Watched) -> None:
    with served(home) as server:
        watched.page.goto(server.url)
        pump = watched.page.locator('article[data-meter="heat-pump"]')
        expect(pump).to_contain_text("No reading yet")
        status = home.statuses["heat-pump"]
        status.heard_bytes = 120
        expect(pump).to_contain_text("Reading out: 120 bytes")
        status.expected_bytes, status.heard_bytes = 1180, 295
        expect(pump).to_contain_text("Reading out: 295 of 1,180 bytes")
        assert pump.locator("progress").evaluate("bar => bar.position") == 0.25
        status.heard_bytes = 0
        expect(pump.locator("progress")).to_have_count(0)
        home.context.live.publish(Reading("heat-pump", NOW, {"active_energy_import": 25409587.0}))
        expect(pump.locator(".main")).to_contain_text("25,409.587 kWh")


def test_a_phone_folds_what_is_seldom_looked_at(home: House, browser: Browser) -> None:
    values = {"active_energy_import": 3.6e7, "active_energy_import_t1": 1.6e7, "active_energy_import_t2": 2e7}
    seldom = {"active_energy_export": 0.0, "operating_time": 158520420.0, "error_bits": 0.0}
    home.statuses["heat-pump"].state = "present"
    home.keep(Reading("heat-pump", NOW, values | seldom))
    with served(home) as server:
        context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
        page = context.new_page()
        page.goto(server.url)
        pump = page.locator('article[data-meter="heat-pump"]')
        expect(pump.locator(".registers")).to_contain_text("16,000.000 kWh")
        expect(pump.locator("summary")).to_have_text("3 more values")
        expect(pump.get_by_text("Operating time")).to_be_hidden()
        pump.locator("summary").press("Enter")
        expect(pump.get_by_text("1,834 d 17 h")).to_be_visible()
        expect(pump.get_by_text("none", exact=True)).to_be_visible()
        context.close()


def test_a_present_generator_runs_when_it_gives_current(home: House, watched: Watched) -> None:
    home.keep(Reading("generator", NOW, {"active_power": 0.0, "voltage": 230.0, "current": 0.1}))
    home.statuses["generator"].state = "present"
    with served(home) as server:
        watched.page.goto(server.url)
        state = watched.page.locator('article[data-meter="generator"] .state')
        expect(state).to_have_text("Not running")
        home.context.live.publish(pzem("generator", ago_s=-5))
        expect(state).to_have_text("Running")


def test_the_source_of_the_energy_is_told_as_it_changes(home: House, watched: Watched) -> None:
    with served(home) as server:
        page = watched.page
        page.goto(server.url)
        line = page.get_by_label("Source of the energy")
        expect(page.locator("article")).to_have_count(5)
        expect(line).to_have_count(0)  # not known yet, so nothing is claimed

        home.supply(SupplyNow("utility", NOW))
        expect(line.get_by_role("status")).to_have_text("The utility feeds the house")
        home.supply(SupplyNow("dark", NOW, DarkSpan(NOW, None, "silence")))
        expect(line).to_contain_text("The house is dark")
        dark = DarkSpan(datetime.now(UTC) - timedelta(minutes=90), datetime.now(UTC) - timedelta(minutes=42), "off")
        home.supply(SupplyNow("generator", dark.end, dark))
        expect(line).to_contain_text("The generator feeds the house")
        expect(line).to_contain_text("42 min")
        expect(line).to_contain_text("Dark from")
        assert line.get_attribute("data-supply") == "generator"
        page.goto("about:blank")
        assert watched.complaints == []


def test_a_lost_connection_is_told_and_mended(tmp_path: Path, watched: Watched) -> None:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home, served(home) as server:
        home.keep(pzem())
        page, port = watched.page, server.port
        page.goto(server.url)
        expect(page.locator('article[data-meter="main-a"] .main')).to_contain_text("1,500")
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("Connection to wattbook lost")
    expect(page.locator(".state")).to_have_text(["Unknown"] * 5)
    expect(page.locator(".head")).to_contain_text("state of the meters unknown")
    expect(page.locator(".head time")).to_have_count(0)
    with house(tmp_path, f'listen = "127.0.0.1:{port}"') as home, served(home):
        home.keep(pzem(ago_s=-5, power=777.0))
        expect(banner).to_have_count(0)
        expect(page.locator('article[data-meter="main-a"] .main')).to_contain_text("777")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark"), (3840, "light")])
def test_nothing_hangs_over_the_edge(home: House, browser: Browser, width: int, scheme: str) -> None:
    home.keep(pzem(), pzem("generator"))
    with served(home) as server:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("article")).to_have_count(5)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        context.close()


def test_the_page_is_walked_by_keyboard(home: House, watched: Watched) -> None:
    with served(home) as server:
        page = watched.page
        page.goto(server.url)
        expect(page.locator("article")).to_have_count(5)
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.keyboard.press("Enter")
        expect(page.locator("main:focus")).to_have_count(1)


def test_the_api_is_described_without_a_foreign_host(home: House, watched: Watched) -> None:
    with served(home) as server:
        watched.page.goto(f"{server.url}api/v1/docs")
        paths = watched.page.request.get(f"{server.url}api/v1/openapi.json").json()["paths"]
        expect(watched.page.locator("details")).to_have_count(sum(map(len, paths.values())))
        path = watched.page.get_by_text("/api/v1/query", exact=True)
        watched.page.locator("summary").filter(has=path).click()
        expect(watched.page.locator("details[open]")).to_contain_text("aggregate")
        assert watched.complaints == []
        assert watched.hosts == {f"127.0.0.1:{server.port}"}
