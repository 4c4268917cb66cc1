"""The page in Debian's Chromium, against the daemon: its first load, its stream, 50 of it, and a year of 5-second data.

    python -m bench.page [--days 365] [--rounds 7] [--seconds 60] [--only load stream year] [--json]

A house of 14 meters that tell something every 5 s has 10,080 points in its charts of the last hour.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from bench import machine
from bench.book_files import folder
from bench.figures import Figure, progress, show
from bench.page_browser import Took, Zoom, chromium, load, window, zoom
from bench.page_house import EVERY_S, living, of_a_year
from bench.page_streams import listen, pages
from bench.running import Running, get_json

PARTS = ("load", "stream", "year")
METERS, METERS_OPEN = 14, 10
SLOWER = 4.0
PAGES, REAL_PAGES = 50, 5
_LOOK_S, _QUIET_CORE, _CATCH_UP_S_MAX = 1.0, 10.0, 300.0  # seconds, percent of a core
WIRE_KB_MAX, READY_S_MAX, UPDATE_BYTES_MAX = 150.0, 1.0, 200.0
PAGES_MB_MAX, PAGES_CORE_MAX, OPEN_MS_MAX, PAUSE_MS_MAX = 60.0, 10.0, 300.0, 100.0
_SETTLED_S = 15.0  # every page is open by then, and has its past
_SPARE_S = 5.0
_OF = "by=meter&of=m2&of=m3"
ZOOMS = (
    Zoom("a year opened", "2025", hash=f"#/energy?view=year&at=2025-01-01&{_OF}"),
    Zoom("year to month", "May 2025", slot=4),
    Zoom("month to day", "Sunday, 11 May 2025", slot=10),
    Zoom("day to hour, by the minute", "11 May 2025, 10:00–11:00", slot=10),
    Zoom("hour to year", "2025", hash=f"#/energy?view=year&at=2025-01-01&{_OF}"),
    Zoom("a year by source", "2025", hash="#/energy?view=year&at=2025-01-01&by=source&of=m2"),
    Zoom("a day, to begin again", "Monday, 3 March 2025", hash=f"#/energy?view=day&at=2025-03-03&{_OF}"),
)


def first_load(run: Running, rounds: int) -> list[Figure]:
    """Cold loads on a slow client."""
    url = f"http://127.0.0.1:{run.port}/"
    ask = "/api/v1/query?quantity=active_power&from=-60min&points=720&meter="
    points = sum(len(get_json(run.port, f"{ask}m{number}")["points"]) for number in range(METERS))
    with chromium() as browser:
        load(browser, url, METERS, 1.0)  # the browser's own start is not ours
        loads = [load(browser, url, METERS, SLOWER) for _ in range(rounds)]
        fast = load(browser, url, METERS, 1.0)
        at_once = [load(browser, url, METERS, SLOWER, settle_s=0).ready_s for _ in range(rounds)]
    ready = [each.ready_s for each in loads]
    return [
        Figure(
            f"first load on the wire, {points:,} chart points",
            statistics.median(each.wire_bytes for each in loads) / 1000,
            "KB",
            at_most=WIRE_KB_MAX,
        ),
        Figure(
            f"ready, client slowed {SLOWER:.0f} times, median of {rounds} cold loads",
            statistics.median(ready),
            "s",
            at_most=READY_S_MAX,
        ),
        Figure("  longest", max(ready), "s"),
        Figure("  not slowed", fast.ready_s, "s"),
        Figure("  in a tab that the browser is still opening, median", statistics.median(at_once), "s"),
    ]


def stream(run: Running, seconds: float) -> list[Figure]:
    """The live stream as a browser gets it."""
    came = listen(run.port, seconds, warm_s=2 * EVERY_S)
    return [
        Figure("live update, on the wire, a meter", came.wire_bytes / came.readings, "bytes", at_most=UPDATE_BYTES_MAX),
        Figure("  before compression", came.plain_bytes / came.readings, "bytes"),
    ]


def open_pages(run: Running, seconds: float) -> list[Figure]:
    """What 50 pages cost more than none."""
    alone_mb, alone = _cost(run, seconds)
    with _pages(run, PAGES, _SETTLED_S + seconds + _SPARE_S):
        time.sleep(_SETTLED_S)
        with_mb, busy = _cost(run, seconds)
    url = f"http://127.0.0.1:{run.port}/"
    with chromium() as browser:
        for _ in range(REAL_PAGES):
            window(browser, url).goto(url)
        time.sleep(_SETTLED_S)
        _, real = _cost(run, seconds)
    return [
        Figure(
            f"{PAGES} open pages, {METERS_OPEN} meters every 5 s: memory",
            with_mb - alone_mb,
            "MB",
            at_most=PAGES_MB_MAX,
        ),
        Figure("  the daemon with them (RSS)", with_mb, "MB"),
        Figure(f"{PAGES} open pages: of a core", busy - alone, "%", at_most=PAGES_CORE_MAX),
        Figure("  the daemon without any", alone, "% of a core"),
        Figure(f"  {REAL_PAGES} in Chromium", real - alone, "% of a core"),
    ]


@contextmanager
def _pages(run: Running, count: int, seconds: float) -> Iterator[None]:
    names = [f"m{number}" for number in range(METERS_OPEN)]
    clients = threading.Thread(target=lambda: asyncio.run(pages(run.port, count, names, seconds)))
    clients.start()
    yield
    assert clients.is_alive(), "the pages ended before the measurement"
    clients.join()


def _cost(run: Running, seconds: float) -> tuple[float, float]:
    """(MB, percent of a core) of the daemon over some time."""
    began, before = time.monotonic(), machine.cpu_s(run.pid)
    time.sleep(seconds)
    used = (machine.cpu_s(run.pid) - before) / (time.monotonic() - began) * 100
    return machine.memory(run.pid).rss, used


def _caught_up_s(run: Running) -> float:
    """Wait until the daemon's followers have read what was filled in from outside; return how long that took."""
    began = time.monotonic()
    while _cost(run, _LOOK_S)[1] > _QUIET_CORE and time.monotonic() - began < _CATCH_UP_S_MAX:
        pass
    return time.monotonic() - began


def year(run: Running, rounds: int, *, whole: bool) -> list[Figure]:
    """From a year to a minute."""
    waited = Figure("the daemon's followers read a year of 5-second data after", _caught_up_s(run), "s")
    with chromium() as browser:
        took = zoom(browser, f"http://127.0.0.1:{run.port}/", ZOOMS, rounds)[:-1]
    return [waited, *(figure for each in took for figure in _zoomed(each, whole=whole))]


def _zoomed(took: Took, *, whole: bool) -> list[Figure]:
    blocked = Figure("  longest block of the page (0: under 50 ms)", took.block_ms, "ms", at_most=PAUSE_MS_MAX)
    opened = Figure(
        f"5-second data of a year: {took.name}, drawn", took.drawn_ms, "ms", at_most=OPEN_MS_MAX if whole else None
    )
    return [opened, blocked]


def measure(parts: Collection[str], days: int, rounds: int, seconds: float) -> Sequence[Figure]:
    """Some of it, or all."""
    found: list[Figure] = []
    if "load" in parts:
        progress(f"{rounds} cold loads")
        with folder() as place, living(place, METERS) as run:
            found += first_load(run, rounds)
    if "stream" in parts:
        progress(f"the stream, and {PAGES} pages, {seconds:.0f} s each")
        with folder() as place, living(place, METERS_OPEN) as run:
            found += [*stream(run, seconds), *open_pages(run, seconds)]
    if "year" in parts:
        progress(f"{days} days of 5-second data")
        with folder() as place, of_a_year(place, days) as run:
            found += year(run, rounds, whole=days >= 365)
    return [*found, Figure("  load average of the machine", machine.load_average())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args()
    show(measure(given.only, given.days, given.rounds, given.seconds), as_json=given.json)


if __name__ == "__main__":
    main()
