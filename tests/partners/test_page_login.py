"""The way in, in a real browser: the first password, a wrong one, and who may not set it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from access_house import PASSWORD, add_user
from api_house import House, house
from api_server import served
from page_browser import window


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        yield home


def test_the_first_password(home: House, browser: Browser) -> None:
    with served(home) as server:
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{server.url}login")
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password, once more").fill("something else")
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_have_text("These are two different passwords.")
        page.get_by_label("Password, once more").fill(PASSWORD)
        page.get_by_role("button").click()
        expect(page).to_have_url(server.url)
        assert page.context.cookies()[0]["httpOnly"]
        assert said == []  # the policy of the page lets all of it through
        page.close()
    assert home.people.people().known("anna").role == "admin"


def test_who_came_by_the_address_of_a_page_sees_that_page(home: House, browser: Browser) -> None:
    meter = "#/meters/main-a"
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}login{meter}")
        page.get_by_role("link").click()  # a password later
        expect(page.get_by_role("heading", level=1)).to_have_text("main-a")
        add_user(home)
        other = context.new_page()
        other.goto(f"{server.url}{meter}", wait_until="commit")
        other.get_by_label("Name").fill("anna")
        other.get_by_label("Password").fill(PASSWORD)
        other.keyboard.press("Enter")
        expect(other).to_have_url(f"{server.url}{meter}")
        expect(other.get_by_role("heading", level=1)).to_have_text("main-a")


def test_the_way_in_on_a_phone_in_the_dark(home: House, browser: Browser) -> None:
    add_user(home)
    with served(home) as server:
        context = browser.new_context(viewport={"width": 360, "height": 700}, color_scheme="dark")
        page = context.new_page()
        page.goto(server.url, wait_until="commit")  # leads to the way in, before it is loaded
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("the name or the password is wrong")
        expect(page.get_by_label("Password")).to_be_empty()
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page).to_have_url(server.url)
        expect(page.get_by_role("main")).to_contain_text("main-a")
        left = context.request.post(f"{server.url}api/v1/logout", headers={"x-wattbook": "1"}, data={})
        assert left.status == 200
        page.get_by_label("Name").wait_for()  # an open page goes there by itself
        again = context.new_page()
        again.goto(server.url, wait_until="commit")
        again.get_by_label("Name").wait_for()  # and a new one is led there
        context.close()
