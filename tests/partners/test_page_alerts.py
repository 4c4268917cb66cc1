"""The page Alerts in a real browser: from a rule to an e-mail at a real SMTP server, mistakes, history, and who may."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from access_house import PASSWORD, add_user
from api_house import NOW, House, house, pzem
from api_server import served
from mail_server import mail_server
from page_browser import Watched, barriers, enter, needs, window
from running import ALONE, daemon, push_power, until
from wattbook.model import Event
from wattbook.model.principal import Role

pytestmark = needs
RULES = """
[[alert]]
name = "over 5 kW"
kind = "above"
meters = ["main-a"]
quantity = "active_power"
limit = 5000
lasting = "10min"

[[alert]]
name = "silence"
kind = "silent"

[[notify]]
name = "anna"
url = "ntfy://a-word-nobody-knows"
quiet_from = "22:00"
quiet_to = "07:00"
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=RULES) as home:
        home.keep(*(pzem(ago_s=60 * minute, power=1000 + 100 * minute) for minute in range(50, -1, -1)))
        yield home


def _push(url: str, watts: float) -> None:
    for _ in range(3):
        push_power(url, watts)
        time.sleep(0.03)  # readings of their own instants


def _now(page: Page) -> Locator:
    return page.get_by_role("region", name="Wrong now")


def test_from_a_rule_in_the_browser_to_an_email_and_back(tmp_path: Path, browser: Browser) -> None:
    config = tmp_path / "wattbook.toml"
    config.write_text(ALONE, encoding="utf-8")
    with mail_server() as (mailbox, port), daemon(config, tmp_path / "log") as (root, _), window(browser) as context:
        url = f"{root.rstrip('/')}/"
        page = context.new_page()
        watched = Watched(page)
        _push(url, 3000)
        page.goto(f"{url}#/alerts")
        expect(_now(page)).to_contain_text("Nothing is watched yet")
        _add_rule(page)
        _add_target(page, f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure&from=w@example.org&to=a@example.org")
        told = page.get_by_role("region", name="Who is told")
        told.get_by_role("button", name="Test").click()
        expect(page.get_by_text("A test went out to anna")).to_be_visible()
        assert [str(mail["Subject"]) for mail in mailbox.got] == ["[test] Mill"]
        _push(url, 6000)
        expect(_now(page).get_by_role("article")).to_contain_text("workshop: Active power 6 kW, above 5 kW")
        expect(page.locator(".frame > header [data-raised='1']")).to_be_visible()
        until(lambda: len(mailbox.got) == 2)
        assert str(mailbox.got[1]["Subject"]).startswith("[warning] Mill: too much: workshop: Active power 6 kW")
        _push(url, 100)
        expect(_now(page)).to_contain_text("Nothing is wrong")
        expect(page.locator("[data-raised='1']")).to_have_count(0)
        until(lambda: len(mailbox.got) == 3)
        expect(page.locator("[data-event='recovered']")).to_contain_text("told: anna")
        _change_and_remove(page)
        assert watched.hosts == {url.split("/")[2]}
    written = config.read_text(encoding="utf-8")
    assert "# The only meter." in written
    assert "[[alert]]" not in written


def _add_rule(page: Page) -> None:
    page.get_by_role("link", name="Add a rule").click()
    page.get_by_role("link", name="Above a limit").click()
    limit = page.get_by_label("Limit (W)")
    limit.fill("five")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-key=limit] .wrong")).to_contain_text("number")
    expect(limit).to_have_attribute("aria-invalid", "true")
    limit.fill("5000")
    expect(page.get_by_text("Active power of any meter above 5 kW")).to_be_visible()
    expect(page.get_by_text("Not once in the last 24 hours")).to_be_visible()
    limit.fill("2000")
    expect(page.get_by_text("Times it would have been raised in the last 24 hours: 1")).to_be_visible()
    limit.fill("5000")
    page.get_by_label("Name").fill("too much")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("“too much” is saved and in force")).to_be_visible()
    expect(page.locator("[data-rule='too much']")).to_contain_text("Active power of any meter above 5 kW")


def _add_target(page: Page, address: str) -> None:
    page.get_by_role("link", name="Tell somebody").click()
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Another address").check()
    page.get_by_role("textbox", name="Address").fill("nonsense")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("group", name="Where to").get_by_role("alert")).to_contain_text("no address as apprise")
    page.get_by_role("textbox", name="Address").fill(address)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("“anna” is saved and in force")).to_be_visible()
    page.locator("[data-target=anna]").get_by_role("link", name="Change").click()
    expect(page.get_by_role("group", name="Where to")).to_contain_text("Kept; it is not shown")
    assert "smtp=" not in page.content()
    page.get_by_role("link", name="Cancel").click()


def _change_and_remove(page: Page) -> None:
    rule = page.locator("[data-rule='too much']")
    rule.get_by_role("combobox", name="Mute too much").select_option("1h")
    expect(rule).to_contain_text("Muted until")
    rule.get_by_role("button", name="Unmute").click()
    expect(page.locator("[data-event='unmuted']")).to_have_count(1)
    rule.get_by_role("link", name="Change").click()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("“too much” is removed")).to_be_visible()
    expect(page.get_by_text("A rule says what is watched")).to_be_visible()


def test_a_key_that_is_missing_is_told_beside_its_field(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/alerts/new/budget")
        page.get_by_label("Name").fill("today")
        page.get_by_label("Limit").fill("20000")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[data-key=meters] .wrong")).to_contain_text('kind "budget" needs "meters"')
        assert "budget" not in home.context.config.path.read_text(encoding="utf-8")


def test_a_form_is_used_with_the_keyboard(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/alerts/rule/over%205%20kW")
        meters = page.get_by_role("combobox", name="Meters")
        meters.focus()
        page.keyboard.press("Backspace")
        page.keyboard.type("generator,main-a")
        page.keyboard.press("Enter")
        expect(page.get_by_role("list", name="Meters").get_by_role("listitem")).to_have_count(2)
        page.keyboard.press("Tab")
        expect(page.get_by_label("Quantity")).to_be_focused()
        page.get_by_label("For so long").fill("")
        page.keyboard.press("Enter")
        expect(page.get_by_text("“over 5 kW” is saved. It waits to be used.")).to_be_visible()
    written = home.context.config.path.read_text(encoding="utf-8")
    assert 'meters = ["generator", "main-a"]' in written
    assert "lasting" not in written


def _happened(home: House, number: int, rule: str = "over 5 kW") -> None:
    kind = "alert.raised" if number % 2 else "alert.recovered"
    body = {"kind": "above", "severity": "warning", "about": "main-a", "text": f"happening {number}", "lasted_s": 90}
    home.book.append_event(Event(kind, rule, NOW - timedelta(hours=40 - number), body)).result(30)


def test_history_by_pages_and_by_rule(home: House, browser: Browser) -> None:
    for number in range(30):
        _happened(home, number)
    _happened(home, 31, "silence")
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/alerts")
        history = page.get_by_role("region", name="What happened")
        expect(history.get_by_role("listitem")).to_have_count(25)
        expect(history.get_by_role("listitem").first).to_contain_text("happening 31")
        history.get_by_role("button", name="Older ones").click()
        expect(history.get_by_role("listitem")).to_have_count(31)
        expect(history.get_by_role("listitem").last).to_contain_text("lasted 1 min")
        history.get_by_label("Of the rule").select_option("silence")
        expect(history.get_by_role("listitem")).to_have_count(1)


@pytest.mark.parametrize(("name", "buttons", "links"), [("vera", 0, 0), ("otto", 1, 0), ("anna", 1, 1)])
def test_what_one_may_not_is_not_offered(home: House, browser: Browser, name: str, buttons: int, links: int) -> None:
    add_user(home)
    add_user(home, "otto", Role.OPERATOR)
    add_user(home, "vera", Role.VIEWER)
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        enter(page, server.url, name, PASSWORD)
        page.goto(f"{server.url}#/alerts")
        rule = page.locator("[data-rule='over 5 kW']")
        expect(rule).to_contain_text("Active power of main-a above 5 kW for 10 min")
        expect(page.locator("footer")).to_contain_text(name)
        expect(rule.get_by_role("button", name="Test")).to_have_count(buttons)
        expect(rule.get_by_role("link", name="Change")).to_have_count(links)
        page.goto(f"{server.url}#/alerts/new/disk")
        expect(page.get_by_role("button", name="Save")).to_have_count(links)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])  # test_page_everyone has the others
def test_it_has_no_barriers_and_fits(home: House, browser: Browser, width: int, scheme: str) -> None:
    _happened(home, 1)
    with served(home) as server, window(browser, width, color_scheme=scheme) as context:
        page = context.new_page()
        watched = Watched(page)
        for path, shown in (
            ("", "No word of any meter"), ("/new", "What is to be watched?"), ("/new/above", "Way back"),
            ("/rule/over%205%20kW", "Way back"), ("/tell", "Where to"), ("/tell/anna", "Kept; it is not shown"),
        ):  # fmt: skip
            page.goto(f"{server.url}#/alerts{path}")
            expect(page.get_by_text(shown).first).to_be_visible()
            assert barriers(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert watched.complaints == []
