"""Page Now: what flows, the last hour, and today against yesterday."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from api_house import House, house, pzem
from api_server import served
from page_browser import PATIENCE_MS, STEP_MS, Watched, needs, window
from wattbook.model import Quality, Reading

pytestmark = needs
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        yield home


def present(home: House, *meters: str) -> None:
    for meter in meters:
        home.statuses[meter].state = "present"


LINED = """canvas => {
  const line = getComputedStyle(document.body).getPropertyValue("--utility").trim();
  const wanted = [1, 3, 5].map(at => parseInt(line.slice(at, at + 2), 16));
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const is = (x, y) => wanted.every((each, part) => Math.abs(data[4 * (y * width + x) + part] - each) < 8)
    && data[4 * (y * width + x) + 3] > 128;
  const rows = [...Array(height).keys()];
  const columns = [...Array(width).keys()].map(x => rows.some(y => is(x, y)));
  return [columns.filter(Boolean).length, columns.lastIndexOf(true) - columns.indexOf(true) + 1];
}"""  # the columns of a card's chart that have a line, and from the first of them to the last


def power(meter: str, watts: float) -> Reading:
    return Reading(meter, datetime.now(UTC), {"active_power": watts})


def node(page: Page, name: str) -> str:
    """What stands in the flow for this name."""
    return page.locator(".flow .node", has_text=name).locator("b").inner_text()


def test_what_comes_in_goes_somewhere(home: House, browser: Browser) -> None:
    present(home, "main-a", "workshop", "barn")
    home.keep(power("main-a", 1500.0), power("workshop", 400.0), power("barn", 100.0))
    with served(home) as server, window(browser) as context:
        watched = Watched(context.new_page())
        page = watched.page
        page.goto(server.url)
        expect(page.locator(".total b")).to_have_text("1,500 W")
        expect(page.get_by_role("list", name="Sources").locator(".node")).to_have_count(2)
        loads = page.get_by_role("list", name="What takes it")
        expect(loads).to_contain_text("Everything else")
        assert (node(page, "workshop"), node(page, "barn"), node(page, "Everything else")) == (
            "400 W",
            "100 W",
            "1,000 W",
        )
        widths = page.locator("path.band").evaluate_all(
            "all => all.map(each => Number(each.getAttribute('stroke-width')))"
        )
        assert widths[0] == pytest.approx(sum(widths[1:]))  # as wide on the left as on the right
        assert page.locator("path.dots").count() == 4

        home.context.live.publish(power("workshop", 900.0))
        expect(loads.locator(".node", has_text="workshop")).to_contain_text("900 W")
        expect(loads.locator(".node", has_text="Everything else")).to_contain_text("500 W")
        assert watched.complaints == []


def test_what_is_sold_goes_back_to_the_utility(home: House, browser: Browser) -> None:
    present(home, "main-a", "workshop")
    home.keep(power("main-a", -800.0), power("workshop", 300.0))
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        loads = page.get_by_role("list", name="What takes it")
        expect(loads.locator(".node", has_text="main-a")).to_contain_text("800 W")
        sources = page.get_by_role("list", name="Sources")
        expect(sources.locator(".node", has_text="Supply without a meter")).to_contain_text("1,100 W")


def test_what_is_away_gives_nothing_that_is_known(home: House, browser: Browser) -> None:
    present(home, "main-a")
    home.keep(power("main-a", 1500.0), power("generator", 640.0))
    home.statuses["generator"].state = "away"
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        generator = page.get_by_role("list", name="Sources").locator(".node", has_text="generator")
        expect(generator.get_by_label("Not known")).to_have_text("–")
        expect(page.locator(".total b")).to_have_text("1,500 W")


def test_nothing_moves_for_who_does_not_want_it(home: House, browser: Browser) -> None:
    present(home, "main-a")
    home.keep(power("main-a", 1500.0))
    with served(home) as server, window(browser, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(server.url)
        dots = page.locator("path.dots").first
        expect(dots).to_be_attached()
        assert dots.evaluate("each => getComputedStyle(each).animationName") == "none"


def test_today_is_compared_with_yesterday_by_this_time(home: House, browser: Browser) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    home.clock.at = now
    here = now.astimezone(ZoneInfo("Europe/Prague"))  # where the house is, whatever the hour of the test
    began, day = here.replace(hour=0, minute=0, second=0).astimezone(UTC), timedelta(days=1)
    counted = [(began - day, 0), (now - day, 8000), (began, 12000), (now, 16000)]
    home.keep(*(Reading("main-a", at, {"active_energy_import": 1e6 + wh, "active_power": 500.0}) for at, wh in counted))
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        tile = page.locator(".tile")
        expect(tile.locator(".change")).to_have_attribute("data-change", "less")
        expect(tile).to_contain_text("less than yesterday by this time")
        expect(page.locator('article[data-meter="main-a"]')).to_contain_text("Today")


def test_the_last_hour_is_drawn_and_moves(home: House, browser: Browser) -> None:
    present(home, "main-a")
    now = datetime.now(UTC)
    home.clock.at = now
    home.keep(
        *(
            Reading("main-a", now - timedelta(seconds=5 * ago), {"active_power": 1000.0 + ago})
            for ago in range(100, 0, -1)
        )
    )
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        chart = page.locator(".house-chart")
        expect(chart.locator("canvas")).to_be_visible()
        expect(chart).to_have_attribute("aria-label", "Power in the last 60 minutes: lowest 1,001 W, highest 1,100 W")
        home.context.live.publish(power("main-a", 2000.0))
        expect(chart).to_have_attribute("aria-label", "Power in the last 60 minutes: lowest 1,001 W, highest 2,000 W")


@pytest.mark.parametrize(
    ("step_s", "silent", "drawn"),
    [(300, (), 1.0), (5, range(200, 400), 519 / 719), (300, range(3, 8), 5 / 11)],
)
def test_a_card_draws_what_is_read_seldom_and_no_silence(
    home: House, browser: Browser, step_s: int, silent: Sequence[int], drawn: float
) -> None:
    now = datetime.now(UTC)
    home.clock.at = now
    steps = [step for step in range(3600 // step_s) if step not in silent]
    last = now - timedelta(seconds=1)
    home.keep(*(Reading("main-a", last - timedelta(seconds=step_s * ago), {"active_power": 1000.0}) for ago in steps))
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        canvas = page.locator('article[data-meter="main-a"] canvas')
        expect(canvas).to_be_visible()
        page.wait_for_timeout(STEP_MS)
        lined, of = canvas.evaluate(LINED)
        assert lined / of == pytest.approx(drawn, abs=0.04)


def test_doubt_and_hints_are_told(home: House, browser: Browser) -> None:
    present(home, "main-a")
    home.statuses["main-a"].hints = ("the current flows backwards: turn the transformer around",)
    values = {"voltage": 230.0, "active_power": 1500.0}
    home.keep(
        Reading(
            "main-a",
            datetime.now(UTC),
            values,
            Quality.SUSPECT,
            doubt={"voltage": Quality.SUSPECT, "active_power": Quality.GOOD},
        )
    )
    with served(home) as server, window(browser) as context:
        page = context.new_page()
        page.goto(server.url)
        card = page.locator('article[data-meter="main-a"]')
        expect(card).to_contain_text("turn the transformer around")
        expect(card).to_contain_text("Doubtful: Voltage")


def test_a_phone_shows_the_flow_whole(home: House, browser: Browser) -> None:
    present(home, "main-a")
    home.keep(power("main-a", 1500.0), pzem("generator"))
    with served(home) as server, window(browser, 360, 740) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator(".flow .node").first).to_be_visible()
        boxes = page.locator(".flow .node, .flow .total").evaluate_all(
            "all => all.map(each => each.getBoundingClientRect()).map(({left, right}) => [left, right])"
        )
        assert all(left >= 0 and right <= 360 for left, right in boxes)
