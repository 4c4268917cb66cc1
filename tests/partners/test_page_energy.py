"""The pages Energy and Places and hours in a real browser, against the real API and a real book."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from api_house import NOW, House, house
from api_server import served
from page_browser import PATIENCE_MS, Watched, needs, window
from wattbook.model import Reading

FIRST = datetime(2026, 11, 5, 23, tzinfo=UTC)  # midnight in Prague
SHOP = "by=meter&of=workshop"  # nobody says how often it is read, so quarters of an hour are no gap

pytestmark = needs
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    with window(browser) as context:
        yield Watched(context.new_page())


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


@pytest.fixture
def complaints(watched: Watched) -> list[str]:
    return watched.complaints


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """The workshop and the heat pump use 100 Wh every quarter of an hour for a week, then 90.

    main-a, the utility's, and the barn use twice as much; the workshop is silent for three hours of one day.
    """
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        for meter, times in (("heat-pump", 1), ("workshop", 1), ("barn", 2), ("main-a", 2)):
            energy, readings = 25_000_000.0, []
            for quarter in range(14 * 96 + 1):
                at = FIRST + timedelta(minutes=15 * quarter)
                if not (at.day == 17 and 8 <= at.hour < 11 and meter == "workshop"):
                    readings.append(Reading(meter, at, {"active_energy_import": energy}))
                energy += times * (100 if quarter < 7 * 96 else 90)
            home.keep(*readings)
        yield home


def opened(page: Page, url: str, address: str) -> None:
    """Open an address of the page and wait for what it shows."""
    page.goto(f"{url}#/{address}")
    expect(page.locator(".said[role=status]")).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_a_day_is_told_in_a_sentence_beside_the_same_weekday(home: House, page: Page, complaints: list[str]) -> None:
    with served(home) as server:
        opened(page, server.url, f"energy?view=day&at=2026-11-16&{SHOP}")
        expect(page.locator(".said[role=status]")).to_have_text(
            "Monday, 16 November 2026: workshop used 8.64 kWh, 10 % less than the same weekday a week before."
        )
        expect(page.locator("svg [data-slot]")).to_have_count(24)
        expect(page.locator('[data-slot="9"]')).to_have_attribute(
            "aria-label", "09:00–10:00: 0.360 kWh, measured; the same weekday a week before: 0.400 kWh"
        )
        page.get_by_label("Compare with").select_option("before")
        expect(page.locator(".said[role=status]")).to_contain_text("as much as the day before")
        page.goto("about:blank")
    assert complaints == []


def test_bars_open_what_is_inside_and_the_history_goes_back(home: House, page: Page) -> None:
    with served(home) as server:
        opened(page, server.url, f"energy?view=year&at=2026-01-01&{SHOP}")
        title = page.locator("h2").first
        for slot, shown in (
            (10, "November 2026"),
            (15, "Monday, 16 November 2026"),
            (13, "16 November 2026, 13:00–14:00"),
        ):
            page.locator(f'[data-slot="{slot}"] .area').click()
            expect(title).to_have_text(shown)
            expect(page.locator("[aria-busy=true]")).to_have_count(0)
        expect(page.locator("svg [data-slot]")).to_have_count(60)  # a minute is the least
        page.go_back()
        expect(title).to_have_text("Monday, 16 November 2026")
        page.go_back()
        expect(title).to_have_text("November 2026")
        page.get_by_text("Show the longer time around it").click()
        expect(title).to_have_text("2026")


def test_keys_go_from_bar_to_bar_and_open_them(home: House, page: Page) -> None:
    with served(home) as server:
        opened(page, server.url, f"energy?view=month&at=2026-11-01&{SHOP}")
        page.locator('[data-slot="0"]').focus()
        for _ in range(9):
            page.keyboard.press("ArrowRight")
        expect(page.locator('[data-slot="9"]')).to_be_focused()
        expect(page.locator(".tip")).to_contain_text("9.60 kWh")
        page.keyboard.press("Enter")
        expect(page.locator("h2").first).to_have_text("Tuesday, 10 November 2026")
        expect(page.locator('[data-slot="0"]')).to_be_focused()


def test_the_quality_of_every_step_is_seen_and_told(home: House, page: Page) -> None:
    with served(home) as server:
        opened(page, server.url, f"energy?view=day&at=2026-11-17&{SHOP}")
        expect(page.locator('[data-slot="10"]')).to_have_attribute("data-quality", "spread")
        assert "spread" in (page.locator('[data-slot="10"]').get_attribute("aria-label") or "")
        expect(page.locator('.qualities [data-quality="spread"]')).to_contain_text("touches a gap")
        assert "-spread)" in (page.locator('[data-slot="10"] rect').last.get_attribute("fill") or "")
        page.get_by_text("As a table").click()
        expect(page.locator("tbody tr")).to_have_count(24)
        expect(page.locator("tbody tr").nth(10)).to_contain_text("spread")
        opened(page, server.url, f"energy?view=month&at=2026-11-01&{SHOP}")
        expect(page.locator('[data-slot="1"]')).to_have_attribute("aria-label", "Mon 2 Nov: missing")


def test_what_is_shown_can_be_taken_away(home: House, page: Page) -> None:
    with served(home) as server:
        opened(page, server.url, f"energy?view=week&at=2026-11-09&{SHOP}&of=barn")
        with page.expect_download() as coming:
            page.get_by_text("Download CSV").click()
        rows = list(csv.reader(io.StringIO(coming.value.path().read_text())))
        assert rows[0] == ["at", "workshop", "barn", "quality"]
        assert rows[1] == ["2026-11-09T00:00:00.000+01:00", "9600", "19200", "measured"] and len(rows) == 8
        with page.expect_download() as coming:
            page.get_by_text("Download XLSX").click()
        assert coming.value.suggested_filename == "active_energy_import_2026-11-09.xlsx"
        sheet = openpyxl.load_workbook(io.BytesIO(coming.value.path().read_bytes())).active
        assert sheet is not None and sheet["C2"].value == 9600


def test_energy_is_divided_by_place_and_by_source(home: House, page: Page) -> None:
    with served(home) as server:
        opened(page, server.url, "energy?view=week&at=2026-11-09")
        page.get_by_role("link", name="Place", exact=True).click()
        legend = page.get_by_label("Parts of the bars")
        expect(legend).to_contain_text("house/panel")
        expect(legend).to_contain_text("house/cellar")
        page.get_by_role("link", name="Source", exact=True).click()
        expect(legend).to_contain_text("Utility")
        page.get_by_label("Used by").select_option("heat-pump")
        expect(page.locator(".said[role=status]")).to_contain_text("heat-pump used 64.3 kWh")
        expect(page.locator('.qualities [data-quality="estimated"]')).to_be_visible()  # the generator is silent


def test_what_a_solar_plant_gave_is_another_direction(home: House, page: Page) -> None:
    given = (
        Reading(
            "heat-pump", FIRST + timedelta(minutes=15 * quarter),
            {"active_energy_import": 9e7 + quarter, "active_energy_export": 50.0 * quarter},
        )
        for quarter in range(14 * 96 + 1, 15 * 96 + 1)
    )  # fmt: skip
    with served(home) as server:
        opened(page, server.url, f"energy?view=day&at=2026-11-19&{SHOP}")
        expect(page.get_by_role("group", name="Direction")).to_have_count(0)  # no meter counts what it gives
        home.keep(*given)
        opened(page, server.url, f"energy?view=day&at=2026-11-20&{SHOP}")
        direction = page.get_by_role("group", name="Direction")
        expect(direction.get_by_role("link", name="Taken in")).to_have_attribute("aria-current", "true")
        direction.get_by_role("link", name="Given out").click()
        expect(page.locator("[role=status]")).to_have_text("Friday, 20 November 2026: heat-pump gave 4.75 kWh.")
        expect(page.get_by_role("group", name="Meters").get_by_role("checkbox")).to_have_count(1)
        assert "quantity=active_energy_export" in (page.get_by_text("Download CSV").get_attribute("href") or "")
        page.get_by_role("link", name="Place", exact=True).click()
        expect(page.get_by_label("Parts of the bars")).to_contain_text("house/cellar")  # what was shown before has gone
        expect(page.locator("[role=status]")).to_contain_text("gave 4.75 kWh")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_wrong_address_is_mended_and_a_refusal_told(home: House, page: Page) -> None:
    with served(home) as server:
        opened(page, server.url, "energy?view=decade&at=2026-02-31&by=colour&of=nobody")
        expect(page.get_by_role("link", name="Week", exact=True)).to_have_attribute("aria-current", "true")
        page.route("**/api/v1/query?*", lambda route: route.fulfill(status=400, json={"error": "not today"}))
        page.get_by_role("link", name="Month", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("not today")


def test_the_hours_of_the_week_are_seen_for_each_place(home: House, page: Page, complaints: list[str]) -> None:
    with served(home) as server:
        opened(page, server.url, "places")
        expect(page.locator(".said[role=status]")).to_contain_text("house/panel uses most")
        expect(page.locator("table")).to_have_count(2)
        panel = page.get_by_label("house/panel: mean energy by hour and weekday")
        expect(panel.locator('[data-cell="10"]')).to_have_attribute(
            "aria-label", "Monday 10:00–11:00: 0.760 kWh, spread"
        )
        panel.locator('[data-cell="10"]').click()
        expect(page.locator(".said[role=status]")).to_have_text(
            "Monday 10:00–11:00: house/panel uses most, 0.760 kWh an hour on average."
        )
        expect(page.locator("li[data-place]").first).to_contain_text("house/panel")
        page.keyboard.press("ArrowDown")
        expect(panel.locator('[data-cell="34"]')).to_be_focused()
        page.get_by_role("button", name="All hours").click()
        page.locator("li[data-place]").first.get_by_role("link").click()
        expect(page.locator("li[data-place]")).to_have_count(1)
        expect(page.locator("li[data-place]")).to_have_attribute("data-place", "house/panel/a")
        page.go_back()
        expect(page.locator("li[data-place]")).to_have_count(2)
        page.goto("about:blank")
    assert complaints == []


def test_the_span_of_a_year_names_the_year_it_begins_in(home: House, page: Page) -> None:
    with served(home) as server:
        page.clock.set_fixed_time(NOW)
        opened(page, server.url, "places?span=52w")
        expect(page.get_by_text("Means of each hour")).to_contain_text("from 22 Nov 2025, 13:00 to 13:00")


def test_places_that_could_not_be_asked_for_come_with_the_connection(home: House, page: Page) -> None:
    with served(home) as server:
        page.route("**/api/v1/**", lambda route: route.abort())
        page.goto(f"{server.url}#/places")
        expect(page.get_by_role("alert").first).to_contain_text("does not answer")
        page.unroute("**/api/v1/**")
        expect(page.locator(".said[role=status]")).to_contain_text("house/panel uses most")
        expect(page.get_by_role("alert")).to_have_count(0)


@pytest.fixture
def by_the_clock(tmp_path: Path) -> Iterator[House]:
    """The heat pump uses 100 Wh after midnight by the site's clock and in each hour 100 more than in the one before."""
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        energy, at = 25_000_000, datetime(2026, 10, 16, 22, tzinfo=UTC)
        while at < datetime(2026, 11, 3, tzinfo=UTC):
            home.keep(Reading("heat-pump", at, {"active_energy_import": energy}))
            energy += 100 * (at.astimezone(ZoneInfo("Europe/Prague")).hour + 1)
            at += timedelta(hours=1)
        yield home


@pytest.mark.parametrize(("day", "than"), [("2026-10-25", "week"), ("2026-10-26", "before"), ("2026-11-01", "week")])
def test_hours_are_compared_by_the_clock_where_it_was_changed(
    by_the_clock: House, page: Page, day: str, than: str
) -> None:
    with served(by_the_clock) as server:
        opened(page, server.url, f"energy?view=day&at={day}&by=meter&of=heat-pump&than={than}")
        told = page.locator("[data-slot]").evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
        assert len(told) == (25 if day == "2026-10-25" else 24)
        for label in told:
            value, before = re.findall(r"(\S+) kWh", label)
            assert value == before, label


def test_an_hour_is_compared_with_the_same_one_of_the_clock_a_week_before(by_the_clock: House, page: Page) -> None:
    with served(by_the_clock) as server:
        hour = "2026-10-26T07:00:00.000Z"  # 8:00 in winter
        opened(page, server.url, f"energy?view=hour&at={hour}&by=meter&of=heat-pump&than=week")
        expect(page.locator(".said[role=status]")).to_contain_text("0.900 kWh, as much as")


def test_a_day_so_far_is_compared_up_to_the_same_time_of_the_clock(by_the_clock: House, page: Page) -> None:
    noon = datetime(2026, 10, 25, 11, tzinfo=UTC)  # the thirteenth hour of that day is over
    by_the_clock.clock.at = noon
    with served(by_the_clock) as server:

        def dated(route: Route) -> None:
            answer = route.fetch()
            route.fulfill(response=answer, headers={**answer.headers, "date": format_datetime(noon, usegmt=True)})

        page.route("**/api/v1/opening", dated)
        page.clock.set_fixed_time(noon)
        opened(page, server.url, "energy?view=day&at=2026-10-25&by=meter&of=heat-pump&than=week")
        expect(page.locator(".said[role=status]")).to_contain_text("used 8.10 kWh, 4 % more than")


@pytest.mark.parametrize("address", [f"energy?view=month&at=2026-11-01&{SHOP}", "places"])
def test_a_phone_scrolls_in_one_direction_only(home: House, browser: Browser, address: str) -> None:
    with served(home) as server:
        context = browser.new_context(locale="cs-CZ", viewport={"width": 360, "height": 740})
        page = context.new_page()
        opened(page, server.url, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        context.close()


def test_a_period_that_is_over_is_asked_for_once(home: House, page: Page) -> None:
    with served(home) as server:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "every=1h" in request.url else None)
        page.clock.install()
        opened(page, server.url, f"energy?view=day&at=2026-11-16&{SHOP}")
        for second in range(3):  # readings come in, and time goes on
            home.context.live.publish(Reading("workshop", NOW + timedelta(seconds=second), {"active_power": 5.0}))
            page.clock.run_for(1000)
        assert len(asked) == 2  # it and what it is compared with
