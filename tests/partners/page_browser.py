"""Chromium for tests of the page: what it complains of and whom it asks is kept, and axe looks at what it shows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from wattbook.api.app import PAGE

CHROMIUM = Path("/usr/bin/chromium-headless-shell")  # the same engine without a window: a tenth of a second each
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 30_000  # only reached when something is wrong
STEP_MS = 50
QUIET = ("--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
SLOWLY = """
  window.moved = [];
  const own = node => document.querySelector("main").contains(node);
  new PerformanceObserver(list => {
    const nodes = list.getEntries().flatMap(shift => shift.sources.map(source => source.node));
    moved.push(...nodes.filter(own).map(node => node.outerHTML));
  }).observe({type: "layout-shift", buffered: true});
  const ask = window.fetch;
  let delay = 0;
  window.fetch = async (...what) => {
    const answer = await ask(...what);
    await new Promise(done => setTimeout(done, delay = (delay + 70) % 500));
    return answer;
  };
"""  # answers come one by one, and what the page moves is kept

needs = [
    pytest.mark.skipif(not (PAGE / "index.html").exists(), reason="the page is not built: make web"),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *QUIET])
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, width: int = 1280, height: int = 900, **options: Any) -> Iterator[BrowserContext]:
    """A person's browser: nothing of another one is remembered in it."""
    context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": width, "height": height}, **options})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def enter(page: Page, url: str, name: str, password: str) -> None:
    """Log in; the page Now is open then. `url` ends with a slash."""
    page.goto(f"{url}login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(url)


class Watched:
    """A page whose complaints and requests are kept."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def _said(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)


def until(page: Page, expression: str) -> None:
    """Wait until it is true; `wait_for_function` would need an eval, which the page's policy forbids."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"it never came true: {expression}"
        page.wait_for_timeout(STEP_MS)


def barriers(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, one line each."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run({runOnly: rules})", list(RULES))
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
