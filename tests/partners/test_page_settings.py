"""The page Settings in a real browser: who may what, users, tokens, the way out, and a configuration broken by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from access_house import PASSWORD, add_user, bearer
from api_house import House, house, pzem
from api_server import served
from page_browser import SLOWLY, Watched, barriers, enter, needs, window
from running import ALONE, daemon, post
from wattbook.api import Served
from wattbook.model.principal import Role

pytestmark = needs
NEW = "another four words"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        add_user(home)
        add_user(home, "otto", Role.OPERATOR)
        add_user(home, "vera", Role.VIEWER)
        home.keep(pzem())
        yield home


@pytest.fixture
def server(home: House) -> Iterator[Served]:
    with served(home) as server:
        yield server


def _enter(context: BrowserContext, server: Served, name: str = "anna", password: str = PASSWORD) -> Page:
    page = context.new_page()
    enter(page, server.url, name, password)
    expect(page.get_by_role("main")).to_contain_text("main-a")
    return page


@contextmanager
def _settings(
    browser: Browser, server: Served, name: str = "anna", width: int = 1280, scheme: str = "light"
) -> Iterator[Page]:
    with window(browser, width, color_scheme=scheme) as context:
        page = _enter(context, server, name)
        page.goto(f"{server.url}#/settings")
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        expect(page.get_by_role("region", name="You")).to_contain_text(name)
        yield page


def _asked(page: Page, path: str) -> int:
    """What the API answers to this browser."""
    status: int = page.evaluate("async path => (await fetch(path)).status", path)
    return status


def test_a_double_click_brings_older_changes_once(server: Served, browser: Browser) -> None:
    def told(route: Route) -> None:
        last = int(parse_qs(urlsplit(route.request.url).query).get("before", ["37"])[0])
        common = {"at": "2026-11-20T08:00:00.000Z", "kind": "user.added", "who": "anna", "body": {}}
        numbers = range(last - 1, last - 13, -1)
        changes = [{"number": number, "subject": f"guest-{number}", **common} for number in numbers]
        route.fulfill(json={"changes": changes, "before": numbers[-1] if numbers[-1] > 1 else None})

    with window(browser) as context:
        page = _enter(context, server)
        page.route("**/api/v1/audit?*", told)
        page.goto(f"{server.url}#/settings")
        rows = page.get_by_role("region", name="Who changed what").get_by_role("listitem")
        expect(rows).to_have_count(12)
        page.evaluate(SLOWLY)
        page.get_by_role("button", name="Earlier").dblclick()
        expect(rows).to_have_count(24)
        page.get_by_role("button", name="Earlier").click()
        expect(rows).to_have_count(36)


def test_a_viewer_sees_what_is_and_no_button_that_changes_it(server: Served, browser: Browser) -> None:
    with window(browser) as context:
        page = _enter(context, server, "vera")
        watched = Watched(page)
        page.goto(f"{server.url}#/settings")
        you = page.get_by_role("region", name="You")
        expect(you).to_contain_text("Viewer")
        expect(page.get_by_role("region", name="Site")).to_contain_text("Europe/Prague")
        expect(page.get_by_role("region", name="Configuration file")).to_contain_text("In force")
        for hidden in ("Users", "Tokens of programs", "Who changed what"):
            expect(page.get_by_role("region", name=hidden)).to_have_count(0)
        page.goto(f"{server.url}#/meters")
        expect(page.get_by_role("heading", name="main-a")).to_be_visible()
        expect(page.get_by_role("link", name="Add a meter")).to_have_count(0)
        page.goto(f"{server.url}#/meters/main-a")
        expect(page.get_by_role("region", name="Events of its life")).to_be_visible()
        expect(page.get_by_role("button", name="Something happened to it")).to_have_count(0)
        page.goto(f"{server.url}#/meters?add")
        expect(page.get_by_role("main")).to_contain_text("This is for admins.")
        expect(page.get_by_role("main")).to_contain_text("You are logged in as vera (Viewer).")
        assert watched.complaints == []  # nothing was asked for that is refused
        for path in ("users", "tokens", "audit", "configuration", "wizard"):
            assert _asked(page, f"/api/v1/{path}") == 403


def test_an_operator_changes_meters_and_not_the_house(server: Served, browser: Browser) -> None:
    with _settings(browser, server, "otto") as page:
        expect(page.get_by_role("region", name="Users")).to_have_count(0)
        expect(page.get_by_role("button", name="Save")).to_have_count(0)
        page.goto(f"{server.url}#/meters/main-a")
        expect(page.get_by_role("button", name="Something happened to it")).to_be_visible()
        page.goto(f"{server.url}#/meters?add")
        expect(page.get_by_role("main")).to_contain_text("This is for admins.")


def test_users_are_added_changed_and_removed(home: House, server: Served, browser: Browser) -> None:
    with _settings(browser, server) as page:
        users = page.get_by_role("region", name="Users")
        users.get_by_role("button", name="Add a user").click()
        users.get_by_label("Name").fill("ben")
        users.get_by_role("textbox", name="Password").fill("benbenbenben")
        users.get_by_role("button", name="Add", exact=True).click()
        expect(users.get_by_role("alert")).not_to_be_empty()  # the daemon's words about a weak password
        users.get_by_role("textbox", name="Password").fill(NEW)
        users.get_by_role("combobox", name="Role").select_option("operator")
        users.get_by_role("button", name="Add", exact=True).click()
        expect(users.get_by_role("status")).to_have_text("ben can log in now.")
        assert home.people.people().known("ben").role == "operator"

        users.get_by_role("button", name="Role: ben").click()
        users.get_by_role("combobox", name="Role").select_option("viewer")
        users.get_by_role("button", name="Change role").click()
        expect(page.locator('[data-user="ben"]')).to_contain_text("Viewer")
        users.get_by_role("button", name="Remove: ben").click()
        expect(users).to_contain_text("Remove ben? What they have open ends at once.")
        users.get_by_role("button", name="Remove", exact=True).click()
        expect(page.locator('[data-user="ben"]')).to_have_count(0)

        users.get_by_role("button", name="Remove: anna").click()
        users.get_by_role("button", name="Remove", exact=True).click()
        expect(users.get_by_role("alert")).to_contain_text("last admin")
        history = page.get_by_role("region", name="Who changed what")
        expect(history).to_contain_text("ben was added as a user (Operator)")
        expect(history).to_contain_text("ben was removed from the users")
        expect(history).to_contain_text("anna 127.0.0.1")


def test_nothing_moves_from_under_the_pointer_while_the_page_comes(server: Served, browser: Browser) -> None:
    with window(browser) as context:
        page = _enter(context, server)
        page.goto(f"{server.url}#/settings")
        page.add_init_script(SLOWLY)
        page.reload()
        expect(page.get_by_role("button", name="Create a token")).to_be_visible()
        expect(page.get_by_role("region", name="Who changed what")).to_contain_text("anna")
        assert page.evaluate("moved") == []


def test_a_token_is_shown_once_and_revoked(server: Served, browser: Browser) -> None:
    with _settings(browser, server) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        tokens = page.get_by_role("region", name="Tokens of programs")
        tokens.get_by_role("button", name="Create a token").click()
        tokens.get_by_label("Name").fill("grafana")
        tokens.get_by_label("It lasts").select_option("30 days")
        tokens.get_by_role("button", name="Create", exact=True).click()
        tokens.get_by_role("button", name="Copy").click()
        expect(tokens.get_by_text("Copied")).to_be_visible()
        token = page.evaluate("navigator.clipboard.readText()")
        assert httpx.get(f"{server.url}api/v1/meters", headers=bearer(token)).status_code == 200
        assert httpx.get(f"{server.url}api/v1/users", headers=bearer(token)).status_code == 403
        tokens.get_by_role("button", name="I have it").click()
        page.reload()
        expect(page.locator('[data-token="grafana"]')).to_contain_text("until")
        assert token not in page.content()
        tokens.get_by_role("button", name="Revoke: grafana").click()
        tokens.get_by_role("button", name="Revoke", exact=True).click()
        expect(tokens.get_by_role("status")).to_have_text("grafana is refused from now on.")
        assert httpx.get(f"{server.url}api/v1/meters", headers=bearer(token)).status_code == 401


def test_who_logs_out_leaves_nothing_behind(server: Served, browser: Browser) -> None:
    with _settings(browser, server) as page:
        page.evaluate("localStorage.setItem('wattbook.last', '{}')")
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"{server.url}login")
        expect(page.get_by_label("Name")).to_be_visible()
        assert page.evaluate("localStorage.getItem('wattbook.last')") is None
        assert _asked(page, "/api/v1/meters") == 401


def test_ones_own_password(server: Served, browser: Browser) -> None:
    with _settings(browser, server, "vera") as page:
        page.get_by_role("button", name="Change my password").click()
        page.get_by_label("Password until now").fill("wrong")
        page.get_by_label("New password", exact=True).fill(NEW)
        page.get_by_label("New password, once more").fill("not the same one")
        page.get_by_role("button", name="Change my password").click()
        expect(page.get_by_role("alert")).to_have_text("These are two different passwords.")
        page.get_by_label("New password, once more").fill(NEW)
        page.get_by_role("button", name="Change my password").click()
        expect(page.get_by_role("alert")).to_have_text("the old password is wrong")
        page.get_by_label("Password until now").fill(PASSWORD)
        page.get_by_role("button", name="Change my password").click()
        expect(page).to_have_url(f"{server.url}login")
        _enter(page.context, server, "vera", NEW)


def test_a_file_broken_by_hand_is_shown_with_its_place(home: House, server: Served, browser: Browser) -> None:
    file = home.context.config.path
    right = file.read_text(encoding="utf-8")
    line = right[: right.index("timezone")].count("\n") + 1
    file.write_text(right.replace("Europe/Prague", "Europe/Prag"), encoding="utf-8")
    with _settings(browser, server) as page:
        region = page.get_by_role("region", name="Configuration file")
        expect(region).to_contain_text("Broken on disk; what ran before stays in force")
        expect(region).to_contain_text(f"Line {line}")
        expect(region).to_contain_text("Europe/Prag")
        expect(page.get_by_role("region", name="Site")).to_contain_text("mend it by hand first")
        expect(page.get_by_text("the running one stays in force")).to_be_visible()  # the banner, on every page
        assert barriers(page) == []
        page.goto(server.url)
        expect(page.get_by_text("the running one stays in force")).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text("main-a")
        about = page.evaluate("fetch('/api/v1/about').then(answer => answer.json())")
        assert about["timezone"] == "Europe/Prague"
        file.write_text(right, encoding="utf-8")
        page.reload()
        expect(page.get_by_role("main")).to_contain_text("main-a")
        expect(page.get_by_text("the running one stays in force")).to_have_count(0)


def test_a_mistake_in_the_form_is_told_beside_its_field(home: House, server: Served, browser: Browser) -> None:
    before = home.context.config.path.read_bytes()
    with _settings(browser, server) as page:
        site = page.get_by_role("region", name="Site")
        expect(site.get_by_label("Time zone")).to_have_value("Europe/Prague")
        expect(site.get_by_role("button", name="Save")).to_be_disabled()
        site.get_by_label("Time zone").fill("Europe/Prag")
        expect(site).to_contain_text("No such time zone is known.")
        site.get_by_role("button", name="Save").click()
        expect(site.get_by_role("alert")).to_contain_text("Europe/Prag")
        expect(site.get_by_label("Time zone")).to_have_attribute("aria-invalid", "true")
        assert home.context.config.path.read_bytes() == before
        site.get_by_label("Time zone").fill("Asia/Kuala_Lumpur")
        site.get_by_role("button", name="Save").click()
        expect(site.get_by_role("status")).to_have_text("Saved. It waits to be used.")  # this house has no daemon
        assert 'timezone = "Asia/Kuala_Lumpur"' in home.context.config.path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_it_has_no_barriers_and_fits(server: Served, browser: Browser, width: int, scheme: str) -> None:
    with _settings(browser, server, width=width, scheme=scheme) as page:
        for name in ("Add a user", "Create a token", "Role: otto", "Password: vera", "Change my password"):
            page.get_by_role("button", name=name).click()
        expect(page.get_by_label("Time zone")).to_be_visible()
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_is_used_with_the_keyboard(home: House, server: Served, browser: Browser) -> None:
    with _settings(browser, server) as page:
        page.get_by_role("button", name="Add a user").focus()
        page.keyboard.press("Enter")
        page.keyboard.type("kim")
        page.keyboard.press("Tab")
        page.keyboard.type(NEW)
        page.keyboard.press("Enter")
        expect(page.locator('[data-user="kim"]')).to_contain_text("Viewer")
    assert home.people.people().known("kim").role == "viewer"


def test_a_fresh_house_asks_for_a_password_and_takes_later_for_an_answer(tmp_path: Path, browser: Browser) -> None:
    with (
        house(tmp_path, 'listen = "127.0.0.1:0"\nask_password = true') as home,
        served(home) as server,
        window(browser) as context,
    ):
        page = context.new_page()
        page.goto(server.url)
        expect(page).to_have_url(f"{server.url}login")
        expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
        assert barriers(page) == []
        page.get_by_role("link", name="Later").click()
        expect(page).to_have_url(server.url)
        expect(page.get_by_text("Nobody has to log in yet")).to_be_visible()
        page.get_by_role("button", name="Not now").click()
        expect(page.get_by_text("Nobody has to log in yet")).to_have_count(0)
        page.reload()
        expect(page.get_by_role("main")).to_contain_text("main-a")
        expect(page.get_by_text("Nobody has to log in yet")).to_have_count(0)
        page.goto(f"{server.url}#/settings")
        page.get_by_role("region", name="You").get_by_role("link", name="Set a password").click()
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password, once more").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page).to_have_url(server.url)
        expect(page.get_by_role("contentinfo").get_by_role("link", name="anna")).to_be_visible()


WORKSHOP = ALONE.replace('"Mill"', '"Workshop"')


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A running daemon with one meter that is pushed: where its page is, and its file."""
    path = tmp_path / "wattbook.toml"
    path.write_text(WORKSHOP, encoding="utf-8")
    with daemon(path, tmp_path / "log") as (url, _):
        yield f"{url.rstrip('/')}/", path


def test_another_time_zone_makes_other_days(alone: tuple[str, Path], browser: Browser) -> None:
    url, _ = alone
    evening = datetime.now(UTC).replace(hour=20, minute=0, second=0, microsecond=0) - timedelta(days=3)
    readings = [
        {"meter": "workshop", "at": (evening + timedelta(minutes=quarter * 15)).isoformat(),
         "values": {"active_energy_import": 1000.0 + 25 * quarter}}
        for quarter in range(5)
    ]  # fmt: skip
    post(f"{url}api/v1/readings", json.dumps(readings).encode())
    # The evening of Prague is the next day's morning of Kuala Lumpur.
    next_day = f"{url}#/energy?view=day&at={evening + timedelta(days=1):%Y-%m-%d}&by=meter&of=workshop"
    with window(browser) as context:
        page = context.new_page()
        page.goto(next_day)
        expect(page.get_by_text("Nothing is known of this time.")).to_be_visible()
        page.goto(f"{url}#/settings")
        page.get_by_label("Time zone").fill("Asia/Kuala_Lumpur")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("region", name="Site").get_by_role("status")).to_have_text("Saved, and in force.")
        page.goto(next_day)
        expect(page.locator("[role=status]", has_text="used")).to_contain_text("0.100")


def test_a_file_changed_by_hand_is_used_when_somebody_says_so(alone: tuple[str, Path], browser: Browser) -> None:
    url, path = alone
    with window(browser) as context:
        page = context.new_page()
        page.goto(f"{url}#/settings")
        expect(page.get_by_label("Name")).to_have_value("Workshop")
        expect(page.get_by_role("region", name="About")).to_contain_text("Runs since")
        path.write_text(WORKSHOP.replace('"Workshop"', '"Barn"'), encoding="utf-8")
        page.reload()
        region = page.get_by_role("region", name="Configuration file")
        expect(region).to_contain_text("Changed on disk, and right; not used yet")
        region.get_by_role("button", name="Use it now").click()
        expect(region.get_by_role("status")).to_have_text("It is in force now.")
        expect(page).to_have_title("Settings · Barn · wattbook")
        expect(page.get_by_role("region", name="Site").get_by_label("Name")).to_have_value("Barn")
        expect(region).to_contain_text("In force since")
