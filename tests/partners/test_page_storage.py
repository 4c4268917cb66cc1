"""The page Sinks and storage in a real browser: a server that is away and comes, orders, forms, backups, roles."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from access_house import PASSWORD, add_user
from api_house import NOW, House, house, pzem
from api_server import served
from page_browser import Watched, barriers, enter, needs, window
from running import ALONE, daemon, get_json, push_power, until
from wattbook.engine.deliver import REFUSED
from wattbook.engine.run_sinks import make_sinks
from wattbook.model import Event
from wattbook.model.principal import Role

pytestmark = needs
INFLUX = """
[[sink]]
name = "influx"
kind = "influxdb"
url = "http://127.0.0.1:{port}"
create = false
"""
FILES = """
[[sink]]
name = "files"
kind = "csv"
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """A house with sinks that do not run."""
    more = FILES + INFLUX.replace("{port}", "9")
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=more) as home:
        home.keep(pzem())
        context = home.context
        sinks = {sink.settings.name: sink for sink in make_sinks(context.config, home.book, context.reader, home.clock)}
        yield replace(home, context=replace(context, sinks=sinks))


class LateServer:
    """A server that takes lines of InfluxDB 1: its port is its own from the start, and answers from `come` on."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass  # a test is quiet

        self._server = HTTPServer(("127.0.0.1", 0), Take, bind_and_activate=False)
        self._server.socket.bind(("127.0.0.1", 0))  # nobody listens there: a connection is refused
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def come(self) -> None:
        self._server.socket.listen(socket.SOMAXCONN)
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


@contextmanager
def late_server() -> Iterator[LateServer]:
    server = LateServer()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def _running(folder: Path, more: str = "") -> Iterator[str]:
    """A daemon; the address of its page."""
    config = folder / "wattbook.toml"
    config.write_text(ALONE + more, encoding="utf-8")
    with daemon(config, folder / "log") as (root, _):
        yield f"{root.rstrip('/')}/"


def _card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name)


def _waiting(page: Page, name: str) -> Locator:
    return _card(page, name).locator("[data-figure=waiting]")


def test_a_server_that_is_away_is_told_with_its_words_and_comes_back(tmp_path: Path, browser: Browser) -> None:
    with (
        late_server() as server,
        _running(tmp_path, INFLUX.replace("{port}", str(server.port))) as url,
        window(browser) as context,
    ):
        push_power(url, 3000)
        page = context.new_page()
        watched = Watched(page)
        page.goto(f"{url}#/storage")
        card = _card(page, "influx")
        expect(card).to_have_attribute("data-state", "away")
        expect(card).to_contain_text("Away since")
        expect(card).to_contain_text("connection refused; does it run there, and is the port right?")
        expect(card).to_contain_text(f"http://127.0.0.1:{server.port}")
        expect(_waiting(page, "influx")).to_have_text("1")
        pause = card.get_by_role("button", name="Pause").bounding_box()
        expect(card.get_by_role("figure")).to_contain_text("at most 1")  # from the second answer on
        assert card.get_by_role("button", name="Pause").bounding_box() == pause
        server.come()
        expect(card).to_have_attribute("data-state", "writing")
        expect(card).not_to_contain_text("since")
        expect(_waiting(page, "influx")).to_have_text("0")
        assert any(b"meter=workshop" in body for body in server.bodies)
        assert watched.complaints == [] and watched.hosts == {url.split("/")[2]}


def test_a_csv_sink_is_added_paused_replayed_and_removed(tmp_path: Path, browser: Browser) -> None:
    with _running(tmp_path) as url, window(browser) as context:
        push_power(url, 3000)
        page = context.new_page()
        page.goto(f"{url}#/storage")
        expect(page.get_by_text("Readings go to no other system yet.")).to_be_visible()
        _add_files(page)
        written = tmp_path / "files" / "workshop.csv"
        expect(_card(page, "files")).to_have_attribute("data-state", "writing")
        until(lambda: written.exists() and len(written.read_text(encoding="utf-8").splitlines()) == 2)
        _pause_and_resume(page, url)
        _replay(page, url)
        assert len(written.read_text(encoding="utf-8").splitlines()) == 3  # what is there already is not doubled
        _card(page, "files").get_by_role("link", name="Change").click()
        page.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Readings go to no other system yet.")).to_be_visible()
    config = (tmp_path / "wattbook.toml").read_text(encoding="utf-8")
    assert "# The only meter." in config and "[[sink]]" not in config


def _add_files(page: Page) -> None:
    page.get_by_role("link", name="Add a sink").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-key=name] .wrong")).to_contain_text('"name" is missing')
    page.get_by_label("Name").fill("files")
    file = page.get_by_role("textbox", name="File")
    for outside in ("../outside.csv", "/etc/outside.csv", "wattbook.toml"):
        file.fill(outside)
        page.get_by_role("button", name="Save").click()
        expect(file).to_have_attribute("aria-invalid", "true")
        words = {"../outside.csv": "leads to no place above", "/etc/outside.csv": "lies in"}
        expect(page.locator("[data-key=file] .wrong")).to_contain_text(words.get(outside, "something of its own there"))
    file.fill("files/{meter}.csv")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()


def _pause_and_resume(page: Page, url: str) -> None:
    card = _card(page, "files")
    card.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("files is paused; readings wait in the book")).to_be_visible()
    expect(card).to_have_attribute("data-state", "paused")
    expect(card).to_contain_text("Paused since")
    push_power(url, 4000)
    expect(_waiting(page, "files")).to_have_text("1")
    card.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("files goes on")).to_be_visible()
    expect(card).to_have_attribute("data-state", "writing")
    expect(_waiting(page, "files")).to_have_text("0")


def _replay(page: Page, url: str) -> None:
    card = _card(page, "files")
    skipped = get_json(f"{url}api/v1/sinks")[0]["skipped"]
    card.get_by_role("button", name="Send again…").click()
    send = card.get_by_role("button", name="Send again", exact=True)
    expect(send).to_be_disabled()
    card.get_by_label("From this day on").fill("2026-01-01")
    send.click()
    expect(page.get_by_text("files sends again from that day on")).to_be_visible()
    expect(send).to_be_hidden()
    until(lambda: get_json(f"{url}api/v1/sinks")[0]["skipped"] == skipped + 2)


def test_backups_are_set_up_and_made(tmp_path: Path, browser: Browser) -> None:
    with _running(tmp_path) as url, window(browser) as context:
        push_power(url, 3000)
        page = context.new_page()
        page.goto(f"{url}#/storage")
        backups = page.get_by_role("region", name="Backups")
        expect(backups).to_contain_text("No backup is set up")
        expect(backups).to_contain_text("If this disk dies, everything is lost.")
        backups.get_by_role("link", name="Set up").click()
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[data-key=dir] .wrong")).to_contain_text('"dir" is missing')
        page.get_by_role("textbox", name="Folder").fill("../elsewhere")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[data-key=dir] .wrong")).to_contain_text("leads to no place above")
        page.get_by_role("textbox", name="Folder").fill("copies")
        page.get_by_role("textbox", name="At", exact=True).fill("03:00")
        page.get_by_role("button", name="Save").click()
        expect(backups).to_contain_text("Every day at")
        backups.get_by_role("button", name="Back up now").click()
        copies = backups.get_by_role("list", name="Copies")
        expect(copies.get_by_role("listitem").first).to_contain_text("read back")
        expect(copies.get_by_role("listitem").first).to_contain_text("kB")
        expect(backups).to_contain_text("Up to date: the newest is")
        (copy, *_) = sorted((tmp_path / "copies").glob("wattbook-*.db"))
        expect(copies).to_contain_text(copy.name)
        assert barriers(page) == []


def test_a_kind_whose_package_is_missing_says_which(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    gone = 'import sys\nsys.modules["confluent_kafka"] = None\n'  # as where it is not installed
    (shadow / "sitecustomize.py").write_text(gone, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(shadow), os.environ.get("PYTHONPATH", "")]))
    with _running(tmp_path) as url, window(browser) as context:
        page = context.new_page()
        page.goto(f"{url}#/storage/new")
        kinds = page.get_by_label("Kind")
        expect(kinds.locator("option[value=kafka]")).to_have_text("kafka (not installed)")
        expect(kinds.locator("option[value=kafka]")).to_be_disabled()
        page.get_by_text("Kinds that cannot be used here yet").click()
        words = 'a sink of kind "kafka" needs the package confluent_kafka: pip install "wattbook[kafka]"'
        expect(page.get_by_role("listitem").filter(has_text="kafka")).to_contain_text(words)
        assert barriers(page) == []


def test_every_kind_has_its_form(home: House, browser: Browser) -> None:
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        watched = Watched(page)
        page.goto(f"{server.url}#/storage/new")
        kinds = page.get_by_label("Kind")
        expect(kinds).to_be_visible()
        for kind in kinds.locator("option:not([disabled])").all_inner_texts():
            kinds.select_option(kind)
            expect(page.locator("[data-key=name]")).to_have_count(1)
            expect(page.locator("[data-key=every]")).to_have_count(1)
        assert watched.complaints == []


def _enter(page: Page, url: str, name: str) -> None:
    enter(page, url, name, PASSWORD)
    expect(page.get_by_role("main")).to_contain_text("main-a")
    page.goto(f"{url}#/storage")
    expect(_card(page, "influx")).to_be_visible()


def test_who_may_not_is_offered_nothing(home: House, browser: Browser) -> None:
    add_user(home)
    add_user(home, "otto", Role.OPERATOR)
    add_user(home, "vera", Role.VIEWER)
    orders = ("Pause", "Send again…")
    with served(home) as server:
        with window(browser) as context:
            page = context.new_page()
            _enter(page, server.url, "vera")
            watched = Watched(page)
            main = page.get_by_role("main")
            for hidden in (*orders, "Back up now"):
                expect(main.get_by_role("button", name=hidden)).to_have_count(0)
            for hidden in ("Add a sink", "Change: files", "Set up"):
                expect(main.get_by_role("link", name=hidden)).to_have_count(0)
            page.goto(f"{server.url}#/storage/new")
            expect(main).to_contain_text("This is for admins.")
            assert watched.complaints == []
        with window(browser) as context:
            page = context.new_page()
            _enter(page, server.url, "otto")
            for offered in orders:
                expect(_card(page, "files").get_by_role("button", name=offered)).to_be_visible()
            expect(page.get_by_role("link", name="Change: files")).to_have_count(0)
            expect(page.get_by_role("link", name="Add a sink")).to_have_count(0)


@pytest.mark.parametrize(
    ("days", "words", "tone"),
    [(3 * 365.25, "Full in about 3 years, around ", "good"), (40, "Full in about 6 weeks, around ", "bad"),
     (1, "Full in about 1 day, around ", "bad"), (None, "Room for more than 100 years", "good")],
)  # fmt: skip
def test_the_end_of_the_disk_is_told_in_words(
    home: House, browser: Browser, days: float | None, words: str, tone: str
) -> None:
    with served(home) as server, window(browser) as context:
        page = context.new_page()

        def grown(route: Route) -> None:  # no test can fill a disk for years
            full = datetime.now(UTC) + timedelta(days=days) if days else None
            told = {"bytes_a_day": 21370, "full_at": full.isoformat() if full else None}
            route.fulfill(json=route.fetch().json() | told)

        page.route("**/api/v1/storage", grown)
        page.goto(f"{server.url}#/storage")
        state = page.get_by_role("region", name="The book").locator("[data-state-tone]")
        expect(state).to_contain_text(words)
        expect(state).to_have_attribute("data-state-tone", tone)
        if days:
            expect(state).to_contain_text(str((datetime.now(UTC) + timedelta(days=days)).year))
        page.unroute_all(behavior="ignoreErrors")


def test_without_the_daemon_nothing_looks_live(home: House, browser: Browser) -> None:
    with window(browser) as context:
        page = context.new_page()
        with served(home) as server:
            page.goto(f"{server.url}#/storage")
            expect(_card(page, "files")).to_have_attribute("data-state", "starting")
        expect(_card(page, "files")).to_have_attribute("data-state", "unknown")
        expect(_card(page, "files")).to_contain_text("Not known: the connection is lost")
        expect(page.get_by_role("region", name="Backups")).to_contain_text("Not known: the connection is lost")


def test_what_was_refused_is_told_with_its_reasons(home: House, browser: Browser) -> None:
    for number in range(7):  # more than one page of events
        at, reason = f"2026-11-21T11:00:0{number}.000Z", f"field {number} is too large"
        body = {"readings": [{"meter": "main-a", "at": at, "reason": reason}]}
        home.book.append_event(Event(REFUSED, "influx", NOW, body)).result(timeout=30)
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/storage")
        card = _card(page, "influx")
        card.get_by_text("7 readings were refused").click()
        rows = card.get_by_role("listitem")
        expect(rows).to_have_count(5)
        expect(rows.first).to_contain_text("main-a")
        expect(rows.first).to_contain_text("field 6 is too large")
        assert barriers(page) == []
        card.get_by_role("button", name="Older ones").click()
        expect(rows).to_have_count(7)
        expect(card.get_by_role("button", name="Older ones")).to_have_count(0)
        expect(card.get_by_role("button", name="Try them again")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
@pytest.mark.parametrize("place", ["", "/new", "/backup", "/sink/influx"])
def test_nobody_is_shut_out(home: House, browser: Browser, width: int, scheme: str, place: str) -> None:
    with served(home) as server, window(browser, width, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{server.url}#/storage{place}")
        expect(page.get_by_role("main").locator("article, form").first).to_be_visible()
        for closed in page.locator("main details > summary").all():
            closed.click()
        for asks in page.get_by_role("button", name="Send again…").all():
            asks.click()
        assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
