"""What today cost on page Now, beside a calculation of its own made here."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from api_house import House, house
from api_server import served
from page_browser import PATIENCE_MS, SLOWLY, Watched, needs, window
from wattbook.model import Reading

pytestmark = needs
expect.set_options(timeout=PATIENCE_MS)
PRAGUE = ZoneInfo("Europe/Prague")
QUARTER = timedelta(minutes=15)
TARIFF = """
[[tariff]]
currency = "CZK"
[[tariff.energy]]
name = "high"
price = "6.24"
[[tariff.energy]]
name = "low"
price = "4.18"
times = ["22:00-06:00", "13:00-15:00"]
[[tariff.energy]]
name = "diesel"
price = "14.60"
source = "generator"
"""


def noon() -> datetime:
    """Half past three in the afternoon of a day that is near, so that both tariffs have been there."""
    return datetime.now(PRAGUE).replace(hour=15, minute=30, second=0, microsecond=0).astimezone(UTC)


def used(quarter: int) -> int:
    """Wh of main-a in a quarter, counted from the first: no two are alike for long, and yesterday took more."""
    return 400 - quarter + 50 * (quarter % 7)


def counted(now: datetime) -> list[tuple[datetime, int]]:
    """The quarters from yesterday's midnight until now, each with what was used in it."""
    local = now.astimezone(PRAGUE)
    start = (local - timedelta(days=1)).replace(hour=0, minute=0).astimezone(UTC)
    return [(start + n * QUARTER, used(n)) for n in range(int((now - start) / QUARTER))]


def keep(home: House, now: datetime) -> None:
    register, readings = 1_000_000, []
    for at, wh in counted(now):
        readings.append(Reading("main-a", at, {"active_energy_import": register, "active_power": 500.0}))
        register += wh
    home.keep(*readings, Reading("main-a", now, {"active_energy_import": register, "active_power": 500.0}))


def by_hand(now: datetime, days_ago: int) -> Decimal:
    """CZK of one local day up to this time of it."""
    local = now.astimezone(PRAGUE)
    day, until = local.date() - timedelta(days=days_ago), local.time()
    total = Decimal(0)
    for at, wh in counted(now):
        wall = at.astimezone(PRAGUE)
        if wall.date() == day and wall.time() < until:
            low = wall.hour >= 22 or wall.hour < 6 or 13 <= wall.hour < 15
            total += wh * Decimal("4.18" if low else "6.24")
    return total / 1000


def test_now_tells_what_today_cost_against_yesterday(tmp_path: Path, browser: Browser) -> None:
    now = noon()
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=TARIFF) as home:
        home.clock.at = now
        keep(home, now)
        with served(home) as server, window(browser, locale="en-GB") as context:
            watched = Watched(context.new_page())
            page = watched.page
            page.clock.set_fixed_time(now)
            page.goto(server.url)
            cost = page.locator(".tile .cost")
            today, yesterday = by_hand(now, 0), by_hand(now, 1)
            expect(cost.locator(".amount")).to_have_text(re.compile(rf"^CZK\s{today:.2f}$"))
            expect(cost.locator(".row")).to_contain_text(f"{yesterday:.2f}")
            percent = round((1 - today / yesterday) * 100)
            expect(cost.locator(".change")).to_have_text(f"{percent} % less than yesterday by this time")
            assert watched.complaints == []


@pytest.mark.parametrize("earned", [0, 4000])
def test_now_compares_nothing_with_a_day_that_cost_nothing(tmp_path: Path, browser: Browser, earned: int) -> None:
    now = noon()
    midnight = now.astimezone(PRAGUE).replace(hour=0, minute=0).astimezone(UTC)
    sold = '[[tariff.energy]]\nname = "sold"\nprice = "2.00"\nexport = true\n'
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=TARIFF + sold) as home:
        home.clock.at = now
        for at, bought, given in ((midnight - timedelta(days=1), 0, 0), (midnight, 0, earned), (now, 1000, earned)):
            energies = {"active_energy_import": 1e6 + bought, "active_energy_export": 1e6 + given}
            home.keep(Reading("main-a", at, energies))
        with served(home) as server, window(browser, locale="en-GB") as context:
            page = context.new_page()
            page.clock.set_fixed_time(now)
            page.goto(server.url)
            expect(page.locator(".tile .cost .amount")).to_contain_text("CZK")
            for change in page.locator(".tile .change").all():
                expect(change).to_have_text("")


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_moves_when_today_comes(tmp_path: Path, browser: Browser, width: int) -> None:
    now = noon()
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=TARIFF) as home:
        home.clock.at = now
        keep(home, now)
        counting = {"active_energy_import": 5000.0, "active_power": 0.0}
        home.keep(*(Reading("generator", now - ago, counting) for ago in (timedelta(days=2), timedelta(0))))
        with served(home) as server, window(browser, width, locale="en-GB") as context:
            page = context.new_page()
            page.add_init_script(SLOWLY)
            page.clock.set_fixed_time(now)
            page.goto(server.url)
            expect(page.locator(".tile .cost .amount")).to_contain_text("–")
            places = page.locator(".tile, .tile > *, h2.over")
            above = "all => all.map(each => each.getBoundingClientRect().top)"
            before = places.evaluate_all(above)
            expect(page.locator(".tile .cost .amount")).to_contain_text("CZK")
            expect(page.locator(".tile .parts")).to_contain_text("Generator")
            assert places.evaluate_all(above) == before


def test_money_is_written_as_the_reader_writes_it(tmp_path: Path, browser: Browser) -> None:
    now = noon()
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=TARIFF) as home:
        home.clock.at = now
        keep(home, now)
        with served(home) as server, window(browser, locale="cs-CZ") as context:
            page = context.new_page()
            page.clock.set_fixed_time(now)
            page.goto(server.url)
            text = f"{by_hand(now, 0):.2f}".replace(".", ",")
            expect(page.locator(".tile .cost .amount")).to_have_text(re.compile(rf"^{text}\sKč$"))


def test_without_a_tariff_no_cost_is_shown_and_none_asked_for(tmp_path: Path, browser: Browser) -> None:
    now = noon()
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        home.clock.at = now
        keep(home, now)
        with served(home) as server, window(browser) as context:
            page = context.new_page()
            page.clock.set_fixed_time(now)
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(server.url)
            expect(page.locator(".tile .change")).to_contain_text("yesterday")
            expect(page.locator(".tile .cost")).to_have_count(0)
            assert not [url for url in asked if "/cost" in url]


def test_energy_shows_what_each_day_cost(tmp_path: Path, browser: Browser) -> None:
    now = noon()
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=TARIFF) as home:
        home.clock.at = now
        keep(home, now)
        with served(home) as server, window(browser, locale="en-GB") as context:
            page = context.new_page()
            page.clock.set_fixed_time(now)
            day = (now.astimezone(PRAGUE) - timedelta(days=1)).date()
            page.goto(f"{server.url}#/energy?view=day&at={day}&by=meter&of=main-a&than=none")
            page.get_by_role("link", name="Cost").click()
            yesterday = sum(
                (
                    wh * Decimal("4.18" if low_at(at) else "6.24")
                    for at, wh in counted(now)
                    if at.astimezone(PRAGUE).date() == day
                ),
                Decimal(0),
            )
            expect(page.locator("[role=status]")).to_have_text(
                re.compile(rf"the energy of main-a cost CZK\s{yesterday / 1000:.2f}\.$")
            )
            expect(page.get_by_text("Download CSV")).to_have_attribute("href", re.compile("/api/v1/cost/table"))


def test_energy_draws_what_earned_money_below_the_line(tmp_path: Path, browser: Browser) -> None:
    now = noon()
    sold = '[[tariff.energy]]\nname = "sold"\nprice = "2.00"\nexport = true\n'
    with house(tmp_path, 'listen = "127.0.0.1:0"', more=TARIFF + sold) as home:
        home.clock.at = now
        day = (now.astimezone(PRAGUE) - timedelta(days=1)).date()
        midnight = datetime.combine(day, datetime.min.time(), PRAGUE).astimezone(UTC)
        bought, given = 1_000_000, 500_000
        for hour in range(-7 * 24, 25):
            energies = {"active_energy_import": bought, "active_energy_export": given}
            home.keep(Reading("main-a", midnight + timedelta(hours=hour), energies))
            if 10 <= hour % 24 < 14:
                given += 3000
            else:
                bought += 1000
        with served(home) as server, window(browser, locale="en-GB") as context:
            watched = Watched(context.new_page())
            page = watched.page
            page.clock.set_fixed_time(now)
            page.goto(f"{server.url}#/energy?view=day&at={day}&by=meter&of=main-a&show=cost")
            expect(page.locator('[data-slot="11"]')).to_have_attribute("aria-label", re.compile(r"-CZK\s6.00"))
            line = page.locator(".base").bounding_box()
            bought_at = page.locator('[data-slot="8"] rect[fill^=var]').bounding_box()
            sold_at = page.locator('[data-slot="11"] rect[fill^=var]').bounding_box()
            assert line and bought_at and sold_at
            assert bought_at["y"] + bought_at["height"] == pytest.approx(line["y"], abs=1)
            assert sold_at["y"] == pytest.approx(line["y"], abs=1)
            assert sold_at["height"] / bought_at["height"] == pytest.approx(6.00 / 6.24, abs=0.02)
            past = page.locator('[data-slot="11"] .before').bounding_box()  # a week before
            assert past and past["height"] == pytest.approx(sold_at["height"], abs=3)
            assert "-7.5" in page.locator("svg text.axis").all_text_contents()
            assert watched.complaints == []


def low_at(at: datetime) -> bool:
    """Whether the low tariff holds."""
    hour = at.astimezone(PRAGUE).hour
    return hour >= 22 or hour < 6 or 13 <= hour < 15
