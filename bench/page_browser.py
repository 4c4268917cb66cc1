"""Debian's Chromium: what a page costs on the wire, when it is ready, and how long it makes one wait."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_WAIT_MS = 60_000
_LOOK_MS = 50
SETTLE_S = 1.0

# Ready: every meter's card shows a number, and every chart in the window is drawn, the house's among them. Charts far
# below are drawn when somebody comes near them. Nobody looks before there is anything: asking for frames meanwhile
# would be work that the page does not do.
_READY = """
(meters => {
  const inWindow = each => each.getBoundingClientRect().top < innerHeight;
  const look = () => {
    const cards = [...document.querySelectorAll("article[data-meter]")];
    const ready = cards.length === meters && document.querySelector(".house-chart .uplot") &&
      cards.every(card => /\\d/.test(card.querySelector(".value").textContent)) &&
      [...document.querySelectorAll(".chart")].every(each => each.querySelector(".uplot") || !inWindow(each));
    requestAnimationFrame(ready ? () => (window.__ready = performance.now()) : look);
  };
  addEventListener("readystatechange", () => {
    const app = document.getElementById("app");
    if (document.readyState !== "interactive" || !app) return;
    new MutationObserver((_, first) => {
      first.disconnect();
      requestAnimationFrame(look);
    }).observe(app, {childList: true});
  }, {capture: true});
})(%d)
"""
_BLOCKS = """
window.__blocks = [];
new PerformanceObserver(list => __blocks.push(...list.getEntries().map(each => each.duration))).observe(
  {type: "longtask", buffered: true});
"""
# From a click, or a new address, until what it asks for is drawn.
_GO = """
async ([slot, hash, title]) => {
  __blocks.length = 0;
  const began = performance.now();
  if (slot === null) location.hash = hash;
  else document.querySelector(`[data-slot="${slot}"]`).dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}));
  const frame = () => new Promise(done => requestAnimationFrame(done));
  const drawn = () => document.querySelector(".energy h2")?.textContent.trim() === title &&
    document.querySelector(".energy svg [data-slot]") && !document.querySelector("[aria-busy=true]");
  await frame();
  await frame(); // by now it knows what is asked for, and says that it is busy
  while (!drawn() && performance.now() - began < 60000) await frame();
  await frame();
  const took = performance.now() - began;
  await new Promise(done => setTimeout(done, 100));
  return [drawn() ? took : Infinity, Math.max(0, ...__blocks)];
}
"""  # noqa: E501 - one line of the page's language


@dataclass(frozen=True, slots=True)
class Load:
    """One cold load."""

    ready_s: float
    wire_bytes: int


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield browser
        browser.close()


def window(browser: Browser, url: str) -> Page:
    """A new browser, empty but for the word that no password is wanted yet; else the login would be shown."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.add_cookies([{"name": "wattbook_later", "value": "1", "url": url}])
    return context.new_page()


def load(browser: Browser, url: str, meters: int, slower: float, settle_s: float = SETTLE_S) -> Load:
    """Open the page for the first time, by a processor that is so many times slower, until it is ready.

    A new tab starts processes of the browser's; an address is typed into one that has settled.
    """
    page = window(browser, url)
    page.add_init_script(_READY % meters)
    wire = _Wire(page)
    wire.session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    time.sleep(settle_s)
    page.goto(url)
    ready_ms = _told(page, "window.__ready")
    came = wire.bytes
    page.context.close()
    return Load(ready_ms / 1000, came)


class _Wire:
    """Bytes of every answer to a page, headers included."""

    def __init__(self, page: Page) -> None:
        self._of: dict[str, int] = {}
        self.session = page.context.new_cdp_session(page)
        self.session.send("Network.enable")
        self.session.on("Network.responseReceived", self._began)
        self.session.on("Network.dataReceived", self._came)
        self.session.on("Network.loadingFinished", self._over)

    @property
    def bytes(self) -> int:
        """So far."""
        return sum(self._of.values())

    def _began(self, told: dict[str, Any]) -> None:
        self._of[told["requestId"]] = int(told["response"]["encodedDataLength"])

    def _came(self, told: dict[str, Any]) -> None:
        self._of[told["requestId"]] = self._of.get(told["requestId"], 0) + int(told["encodedDataLength"])

    def _over(self, told: dict[str, Any]) -> None:
        self._of[told["requestId"]] = int(told["encodedDataLength"])


@dataclass(frozen=True, slots=True)
class Zoom:
    """One step of the page Energy: where it goes, and the title of what is shown then."""

    name: str
    title: str
    slot: int | None = None  # the bar that is clicked, or
    hash: str = ""  # the address


@dataclass(frozen=True, slots=True)
class Took:
    """Until it was drawn, and the longest time in which the page could not be used."""

    name: str
    drawn_ms: float
    block_ms: float


def zoom(browser: Browser, url: str, steps: Sequence[Zoom], rounds: int) -> list[Took]:
    """Medians of the times, and the longest block of all rounds. The page is open before the first step."""
    page = window(browser, url)
    page.add_init_script(_BLOCKS)
    page.goto(f"{url}#/energy?view=day&at=2025-03-03&by=meter&of=m2")
    page.wait_for_selector(".energy svg [data-slot]", timeout=_WAIT_MS)
    found: dict[str, list[tuple[float, float]]] = {step.name: [] for step in steps}
    for _ in range(rounds):
        for step in steps:
            drawn_ms, block_ms = page.evaluate(_GO, [step.slot, step.hash, step.title])
            found[step.name].append((drawn_ms, block_ms))
    page.context.close()
    return [
        Took(name, statistics.median(drawn for drawn, _ in each), max(block for _, block in each))
        for name, each in found.items()
    ]


def _told(page: Page, expression: str) -> float:
    """What it becomes; `wait_for_function` would need an eval, which the page's policy forbids."""
    for _ in range(_WAIT_MS // _LOOK_MS):
        if (value := page.evaluate(expression)) is not None:
            return float(value)
        page.wait_for_timeout(_LOOK_MS)
    raise AssertionError(f"{expression} never came; the page shows: {page.inner_text('body')[:500]}")
