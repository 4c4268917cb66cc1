"""Every page of the navigation for everybody: axe, the keyboard alone, and the narrowest window, in the demo's house.

The pages are read from web/src/lib/pages.ts, so one that is added is looked at without a line here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, Page

from page_browser import AXE, barriers, needs, window

pytestmark = [*needs, pytest.mark.skipif(not AXE.exists(), reason="axe is not installed: python web/build.py")]

DOCS = Path(__file__).parents[2] / "docs"
PHONE, WALL, NARROWEST = 360, 2560, 320  # CSS pixels; the last is what WCAG 1.4.10 asks for
SETTLE_MS = {"sinks": 3500}  # how sinks fare is asked for every 3 s, and drawn when there are two answers
SETTLED_MS = 3000  # at the most; less when nothing was added for STILL_MS
STILL_MS = 600
TABS_MAX = 400  # more than a page has to be reached; a walk that does not end by then is a trap

# What can be reached with Tab: of radio buttons with one name only one is, and what is closed or inert is not.
REACHABLE = """() => {
  const all = "a[href], button, input, select, textarea, summary, [tabindex]";
  const seen = new Set();
  return [...document.querySelectorAll(all)].filter(each => {
    if (each.tabIndex < 0 || each.disabled || each.closest("[inert]")) return false;
    if (!each.checkVisibility({visibilityProperty: true})) return false;
    if (each.type !== "radio" || !each.name) return true;
    const group = [...document.getElementsByName(each.name)];
    if (seen.has(each.name)) return false;
    seen.add(each.name);
    if (group.some(other => other.dataset.walked)) each.dataset.walked = "yes";
    return true;
  });
}"""
UNREACHED = f"() => ({REACHABLE})().filter(each => !each.dataset.walked).map(each => each.outerHTML.slice(0, 160))"

# The focus marks its element, and tells whether one sees where it is: an outline, ring or stroke of it or its label.
STEP = """() => {
  const at = document.activeElement;
  if (!at || at === document.body || at === document.documentElement) return {at: null};
  at.dataset.walked = "yes";
  const near = [at, ...at.children, at.parentElement, at.closest("label"), at.nextElementSibling];
  const rings = near.filter(Boolean).some(each => {
    const {outlineStyle, outlineWidth, boxShadow, stroke} = getComputedStyle(each);
    const drawn = each instanceof SVGElement && stroke !== "none";
    return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none" || drawn;
  });
  return {at: at.outerHTML.slice(0, 160), rings};
}"""
STILL = """([still, most]) => new Promise(done => {
  setTimeout(done, most);
  let quiet = setTimeout(done, still);
  const added = () => { clearTimeout(quiet); quiet = setTimeout(done, still); };
  new MutationObserver(added).observe(document.body, {childList: true, subtree: true});
})"""
OVERFLOWING = """width => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll("main *")]
  .filter(each => each.getBoundingClientRect().right > width + 0.5)
  .map(each => each.outerHTML.slice(0, 120)).slice(0, 5)"""


def screenshots() -> ModuleType:
    """docs/screenshots.py, which starts the demo's house and knows every page."""
    spec = importlib.util.spec_from_file_location("screenshots", DOCS / "screenshots.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHOTS = screenshots()
ADDRESSES = {**SHOTS.pages(), "meter": SHOTS.MORE["meter"], "wizard": SHOTS.MORE["wizard"], "login": "login"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with SHOTS.demo(tmp_path_factory.mktemp("demo")) as url:
        yield url


def opened(page: Page, url: str, name: str) -> Page:
    page.goto(f"{url}{ADDRESSES[name]}")
    SHOTS.settle(page, SETTLE_MS.get(name, 0))
    page.evaluate(STILL, [STILL_MS, SETTLED_MS])
    return page


@pytest.mark.parametrize(("place", "name"), list(enumerate(ADDRESSES)))
def test_nobody_is_shut_out(url: str, browser: Browser, place: int, name: str) -> None:
    schemes = ("dark", "light") if place % 2 else ("light", "dark")  # both, at both widths, by turns
    for width, scheme in zip((PHONE, WALL), schemes, strict=True):
        with window(browser, width, color_scheme=scheme) as context:
            assert barriers(opened(context.new_page(), url, name)) == []


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_keyboard_reaches_everything_and_is_seen(url: str, browser: Browser, name: str) -> None:
    with window(browser) as context:
        page = opened(context.new_page(), url, name)
        unseen = walked(page)
        if page.evaluate(UNREACHED):  # what was drawn anew meanwhile has lost its mark
            unseen += walked(page)
        assert unseen == []
        assert page.evaluate(UNREACHED) == []


def walked(page: Page) -> list[str]:
    """Go round with Tab, and mark what has the focus; return what had it without being seen to."""
    page.evaluate("document.activeElement.blur()")
    unseen: list[str] = []
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        step = page.evaluate(STEP)
        if step["at"] is None:
            return unseen
        if not step["rings"]:
            unseen.append(step["at"])
    pytest.fail(f"the focus is still going round after {TABS_MAX} steps")


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_narrowest_window_needs_no_scrolling_to_the_side(url: str, browser: Browser, name: str) -> None:
    with window(browser, NARROWEST, 568) as context:
        page = opened(context.new_page(), url, name)
        assert page.evaluate(OVERFLOWING, NARROWEST) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST
