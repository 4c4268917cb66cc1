"""What stands around every page: navigation, light and dark, languages, and the page without the daemon."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from api_house import House, house, pzem
from api_server import served
from page_browser import AXE, PATIENCE_MS, barriers, needs, until, window

pytestmark = needs
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        yield home


def paper(page: Page) -> str:
    """The colour behind everything."""
    found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def test_dark_is_chosen_and_remembered(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser, color_scheme="light") as context:
        page = context.new_page()
        page.goto(server.url)
        rail = page.locator(".frame > header")
        light = paper(page)
        rail.get_by_role("radio", name="Dark").check()
        dark = paper(page)
        assert dark != light
        page.reload()
        expect(rail.get_by_role("radio", name="Dark")).to_be_checked()
        assert paper(page) == dark
        rail.get_by_role("radio", name="As the system").check()
        assert paper(page) == light
        page.emulate_media(color_scheme="dark")
        until(page, "document.documentElement.dataset.theme === 'dark'")


def test_a_language_is_chosen_without_a_reload(home: House, browser: Browser) -> None:
    home.keep(pzem(power=1234.5))
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("article").first).to_contain_text("1,23")
        page.locator(".frame > header").get_by_role("combobox", name="Language").select_option(label="Čeština")
        expect(page.locator(".frame > header").get_by_role("link", name="Nyní")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", "cs")
        expect(page.locator("article").first.locator(".main")).to_contain_text("1\u00a023")
        page.reload()
        expect(page.locator(".frame > header").get_by_role("combobox", name="Jazyk")).to_have_value("cs")


@pytest.mark.parametrize(
    ("locale", "word"), [("es-ES", "Ahora"), ("ca-ES", "Ara"), ("ms-MY", "Kini"), ("fi-FI", "Now")]
)
def test_the_language_is_the_browsers(home: House, browser: Browser, locale: str, word: str) -> None:
    with served(home) as server, window(browser, locale=locale) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("header nav a").first).to_have_text(word)


def test_a_phone_has_its_navigation_under_the_thumb(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser, 360, 740, has_touch=True) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator(".frame > header")).to_be_hidden()
        more = page.get_by_role("button", name="More")
        more.tap()
        sheet = page.get_by_role("dialog")
        expect(sheet).to_be_visible()
        sheet.locator("label", has_text="Dark").tap()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.keyboard.press("Escape")
        expect(sheet).to_be_hidden()
        expect(more).to_be_focused()
        small = page.evaluate(
            "[...document.querySelectorAll('nav a, nav button')].filter(each => each.checkVisibility())"
            ".map(each => each.getBoundingClientRect()).filter(box => box.width < 44 || box.height < 44).length"
        )
        assert small == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_content_is_reached_by_one_key_and_the_address_stays(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/")
        expect(page.locator("article")).to_have_count(5)
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        assert page.url.endswith("#/")


def test_the_page_is_installable(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        manifest = page.request.get(f"{server.url}manifest.webmanifest")
        assert manifest.headers["content-type"] == "application/manifest+json"
        for icon in manifest.json()["icons"]:
            assert page.request.get(server.url + icon["src"].lstrip("/")).headers["content-type"] == icon["type"]
        session = context.new_cdp_session(page)
        assert session.send("Page.getAppManifest")["errors"] == []


@pytest.mark.parametrize("width", [375, 1024, 1280, 1536])
def test_the_content_is_as_wide_as_was_expected_of_it(home: House, browser: Browser, width: int) -> None:
    """Else everything would be arranged twice before it is first seen."""
    home.keep(pzem(power=1234.5))
    with served(home) as server, window(browser, viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("article").first).to_contain_text("1,23")
        content = page.evaluate("Math.floor(document.querySelector('.head').getBoundingClientRect().width)")
        empty = """() => {
          const app = document.getElementById("app");
          app.replaceChildren();
          return Math.floor(app.getBoundingClientRect().width);
        }"""
        assert page.evaluate(empty) == content


def test_what_is_seen_first_is_read_at_once(home: House, browser: Browser) -> None:
    """Each of its scripts begins with the hint; one line before that, and no browser hears it."""
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        scripts = page.evaluate(
            "[...document.querySelectorAll('script[src], link[rel=modulepreload]')].map(e => e.src ?? e.href)"
        )
        assert len(scripts) == 3
        for script in scripts:
            assert context.request.get(script).text().startswith("//# allFunctionsCalledOnLoad\n")


def test_a_page_that_is_not_drawn_listens_all_the_same(home: House, browser: Browser) -> None:
    """A tab in the background gets no frames, and what comes meanwhile is not asked for again."""
    home.keep(pzem(power=1234.5))
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.add_init_script("window.requestAnimationFrame = () => 0")
        page.goto(server.url)
        expect(page.locator("article").first).to_contain_text("1,23")
        until(page, "performance.getEntriesByType('resource').some(e => e.name.includes('every=1d'))")
        home.keep(pzem(power=777.7, ago_s=-5))
        expect(page.locator("article").first).to_contain_text("778")


def test_without_the_daemon_the_last_values_are_there_and_are_old(home: House, browser: Browser) -> None:
    with window(browser) as context:
        page = context.new_page()
        with served(home) as server:
            home.statuses["main-a"].state = "present"
            home.keep(pzem(power=1234.0))
            page.goto(server.url)
            expect(page.locator('article[data-meter="main-a"] .main')).to_contain_text("1,234")
            until(page, "navigator.serviceWorker.controller !== null")
            kept = "caches.keys().then(async names => (await (await caches.open(names[0])).keys()).length)"
            until(page, f"{kept}.then(count => count > 6)")
            until(page, "localStorage.getItem('wattbook.last') !== null")
        page.reload()
        main = page.locator('article[data-meter="main-a"]')
        expect(main.locator(".main")).to_contain_text("1,234")
        expect(main.locator(".state")).to_have_text("Unknown")
        banner = page.get_by_role("alert")
        expect(banner).to_contain_text("Connection to wattbook lost. Values are from")
        expect(banner.locator("..")).to_contain_text("old")
        expect(page.locator(".flow.lost")).to_be_visible()
        expect(page.locator(".dots")).to_have_count(0)


def test_what_is_forbidden_is_forgotten(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        until(page, "localStorage.getItem('wattbook.last') !== null")
        page.evaluate("localStorage.setItem('wattbook.theme', 'dark')")
        refusal = json.dumps({"error": "log in first"})
        page.route(
            "**/api/v1/**", lambda route: route.fulfill(status=401, content_type="application/json", body=refusal)
        )
        page.evaluate("setTimeout(() => location.reload())")
        expect(page).to_have_url(
            re.compile("/login$")
        )  # waiting for a navigation fails when the reload is cut short by it
        assert page.evaluate("localStorage.getItem('wattbook.last')") is None
        assert page.evaluate("localStorage.getItem('wattbook.theme')") == "dark"


@pytest.mark.skipif(not AXE.exists(), reason="axe is not installed: python web/build.py")
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])  # test_page_everyone has the others
def test_nobody_is_shut_out(home: House, browser: Browser, scheme: str, width: int) -> None:
    home.statuses["main-a"].state = "present"
    home.keep(pzem(), pzem("generator"))
    with served(home) as server, window(browser, width, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("article")).to_have_count(5)
        expect(page.locator(".flow")).to_be_visible()
        assert barriers(page) == []
        if width < 768:
            page.get_by_role("button", name="More").click()
            assert barriers(page) == []
