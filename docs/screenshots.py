"""Take the pictures of the manual: every page of the navigation as the demo's house shows it, in Debian's Chromium.

`python docs/screenshots.py [NAME…]` writes docs/pictures/NAME.webp, light on a desk, and NAME-phone.webp, dark on a
phone, for each page of web/src/lib/pages.ts and for those of MORE; and top.svg. A new page needs nothing here.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from itertools import product
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
PAGES = ROOT / "web" / "src" / "lib" / "pages.ts"
CHROMIUM = "/usr/bin/chromium-headless-shell"
BYTES_MAX = 120_000  # of a picture: they live in the repository
QUALITIES = (82, 70, 55, 40)  # the first that fits
_READY_S_MAX = 240.0  # the demo's utility is away for 75 s now and then, its optical meter is read out in 40 s
_STEP_S = 0.5
_SETTLE_MS = 3_500  # charts are drawn, and what came is moved to its place; how sinks fare is asked for every 3 s
_TOP_SIZE = (120, 30)

T = TypeVar("T")

MORE: Mapping[str, str] = {  # what has no place of its own in the navigation
    "energy-month": f"#/energy?view=month&at={date.today().replace(day=1) - timedelta(days=1)}",
    "energy-year": f"#/energy?view=year&at={date.today()}",
    "meter": "#/meters/heat-pump",
    "wizard": "#/meters?add",
    "login": "login",
}
_DATA, _PORT = "~/.local/share/wattbook-demo/", "127.0.0.1:8600"  # of a reader's own demo
_AS_AT_HOME = r"""([data, port]) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const at = texts.currentNode, told = at.data;
    const better = told.replace(/\/\S+\/(?=(wattbook\.db|backups|files)\b)/, data).replace(/127\.0\.0\.1:\d{4,}/, port);
    if (better !== told) at.data = better;
  }
}"""
_HOUSE = """
[backup]
dir = "backups"

[[sink]]
name = "files"
kind = "csv"
file = "files/{meter}_{at:YYYY-MM}.csv"
every = "1h"

[[sink]]
name = "influx"
kind = "influxdb"
url = "http://127.0.0.1:9"  # nobody listens there, on any machine
"""  # what a house has beside the demo's meters, so that every page has something to show


@dataclass(frozen=True, slots=True)
class Screen:
    """Who looks: the ending of the pictures' names, and the browser's options."""

    ending: str
    width: int
    height: int
    scheme: str
    scale: float


SCREENS = (Screen("", 1280, 800, "light", 1.0), Screen("-phone", 390, 844, "dark", 1.5))


def pages() -> Mapping[str, str]:
    """Name -> address of each page of the navigation, as its picture is named: {"now": "#/", …}."""
    found = re.findall(r'path: "(/[^"]*)",\s*title: "nav\.(\w+)"', PAGES.read_text(encoding="utf-8"))
    if not found:
        raise SystemExit(f"no page is in {PAGES.relative_to(ROOT)}: it is read as it was written on 2026-11-28")
    return {name: f"#{path}" for path, name in found}


def main(wanted: Sequence[str]) -> None:
    """Take the pictures, all or those of these names."""
    PICTURES.mkdir(exist_ok=True)
    addresses = {name: address for name, address in {**pages(), **MORE}.items() if not wanted or name in wanted}
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder)) as url:
        back_up(url)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            for screen, (name, address) in product(SCREENS, addresses.items()):
                wait(lambda: present(url))
                take(browser, screen, f"{url}{address}", PICTURES / f"{name}{screen.ending}.webp")
            browser.close()
        if not wanted or "top" in wanted:
            wait(lambda: present(url))
            asyncio.run(take_top(url, PICTURES / "top.svg"))


@contextlib.contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The demo's house with its past, on a free port; yields its address."""
    template = resources.files("wattbook.cli").joinpath("demo.toml").read_text(encoding="utf-8")
    (folder / "wattbook.toml").write_text(template.replace("{lines}", str(folder / "lines")) + _HOUSE, encoding="utf-8")
    command = [sys.executable, "-m", "wattbook", "demo", "--dir", str(folder), "--listen", "127.0.0.1:0"]
    with (folder / "demo.log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:  # noqa: S603 - our own program
        try:
            yield wait(lambda: _said(folder / "demo.log", process))
        finally:
            process.terminate()


def _said(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The page's address, once the past is in the book."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if process.poll() is not None:
        raise SystemExit(f"the demo ended: {text}")
    found = re.search(r"page +(http://\S+)", text)
    return found[1] if found and "past of the house is in the book" in text else ""


def present(url: str) -> bool:
    """Whether the utility feeds the house and its meters answer."""
    with urllib.request.urlopen(f"{url}api/v1/supply", timeout=10) as answer:  # noqa: S310 - our own
        supply = json.load(answer)
    with urllib.request.urlopen(f"{url}api/v1/meters", timeout=10) as answer:  # noqa: S310 - our own
        states = {meter["name"]: meter.get("state") for meter in json.load(answer)}
    return supply["state"] == "utility" and all(states[name] == "present" for name in ("main-a", "main-b", "heat-pump"))


def back_up(url: str) -> None:
    """Make the copy of the book that the page of the backups shows."""
    order = {"content-type": "application/json", "x-wattbook": "1"}
    request = urllib.request.Request(f"{url}api/v1/backups", b'{"do":"make"}', order)  # noqa: S310 - our own
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - our own

    def made() -> bool:
        with urllib.request.urlopen(f"{url}api/v1/backups", timeout=10) as answer:  # noqa: S310 - our own
            return bool(json.load(answer)["backups"])

    wait(made)


def wait(found: Callable[[], T]) -> T:
    """What is found, as soon as it is."""
    deadline = time.monotonic() + _READY_S_MAX
    while not (it := found()):
        if time.monotonic() > deadline:
            raise SystemExit("the demo's house did not get ready")
        time.sleep(_STEP_S)
    return it


def take(browser: Browser, screen: Screen, url: str, file: Path) -> None:
    """Take one picture."""
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        color_scheme=screen.scheme,  # type: ignore[arg-type]  # "light" or "dark"
        device_scale_factor=screen.scale,
        locale="en-GB",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url)
    settle(page)
    tidy(page)
    file.write_bytes(webp(page))
    context.close()
    sys.stdout.write(f"{file.relative_to(ROOT)}  {file.stat().st_size} bytes\n")


def settle(page: Page, ms: int = _SETTLE_MS) -> None:
    """Return when the page shows what it was opened for, and `ms` later."""
    page.locator("main h1, main h2").first.wait_for()
    page.get_by_text("Loading…").first.wait_for(state="hidden")
    page.wait_for_timeout(ms)


def tidy(page: Page) -> None:
    """Put away what is only so where the pictures are taken: the wish for a password, a folder, a port."""
    for each in page.get_by_role("button", name="Not now").all():
        each.click()
    page.evaluate(_AS_AT_HOME, [_DATA, _PORT])


def webp(page: Page) -> bytes:
    """The window as WebP of at most BYTES_MAX, as well as it can be had."""
    session = page.context.new_cdp_session(page)
    for quality in QUALITIES:
        answer = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        picture = base64.b64decode(answer["data"])
        if len(picture) <= BYTES_MAX:
            return picture
    raise SystemExit(f"{page.url} is too large a picture")


async def take_top(url: str, file: Path) -> None:
    """Let the terminal draw itself, without asking a foreign host for its letters."""
    from wattbook.top.answers import About
    from wattbook.top.ask import Asker, Place
    from wattbook.top.screen import Top

    asker = Asker(place := Place(url.rstrip("/")))
    about = asker.ask(About, "about")
    asker.close()
    app = Top(place, about)
    async with app.run_test(size=_TOP_SIZE) as pilot:
        for _ in range(10):
            await pilot.pause(1.0)
        drawing = app.export_screenshot(title="wattbook top")
    file.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
