"""The page Sinks and storage in a real browser: a backup now, a path that is refused, and no barriers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from api_house import House, house, pzem
from api_server import served
from page_browser import PATIENCE_MS, barriers, chromium, needs, window
from wattbook.api import Served

pytestmark = needs


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as browser:
        yield browser


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"', more='[backup]\ndir = "copies"\n') as home:
        home.keep(pzem())
        yield home


@pytest.fixture
def server(home: House) -> Iterator[Served]:
    with served(home) as server:
        yield server


def test_a_backup_is_made_now(home: House, server: Served, browser: Browser) -> None:
    with window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/storage")
        backups = page.get_by_role("region", name="Backups")
        expect(backups).to_contain_text("older than it should be, or there is none")
        backups.get_by_role("button", name="Back up now").click()
        expect(backups).to_contain_text("read back")
        assert len(list((home.context.config.path.parent / "copies").glob("wattbook-*.db"))) == 1


def test_a_path_outside_is_refused_beside_its_field(home: House, server: Served, browser: Browser) -> None:
    before = home.context.config.path.read_bytes()
    with window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/storage/new")
        page.locator("form").get_by_label("Name", exact=False).first.fill("files")
        page.locator("form").get_by_label("File", exact=False).first.fill("/etc/readings.csv")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert").first).not_to_be_empty()
        assert home.context.config.path.read_bytes() == before


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_it_has_no_barriers_and_fits(server: Served, browser: Browser, width: int, scheme: str) -> None:
    with window(browser, width, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/storage")
        expect(page.get_by_role("region", name="Backups")).to_be_visible()
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
