"""Houses for the page: a daemon with meters that are told by HTTP, one after the other as lines would, and a past."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.book_files import import_plant
from bench.figures import progress
from bench.meter_data import ZONE, Plant
from bench.running import Running, run_daemon

EVERY_S = 5
DAYS = 2  # yesterday is compared with
YEAR = Plant(datetime(2025, 1, 1, tzinfo=ZONE), 365, 4, EVERY_S)
_CACHE = Path(".cache", "bench-page")  # a year of 5-second data takes a minute to make; `make clean` removes it
_SOURCES = {0: "utility", 1: "generator"}


def tables(meters: int) -> str:
    """wattbook.toml: the first feeds the house, so does the second, when it runs."""
    head = f'[site]\nname = "House"\ntimezone = "{ZONE.key}"\n'
    return head + "".join(
        f'[[meter]]\nname = "m{number}"\nmodel = "push"\nlocation = "house/floor {number % 3}"\n'
        + (f'source = "{_SOURCES[number]}"\n' if number in _SOURCES else "")
        for number in range(meters)
    )


@contextmanager
def living(folder: Path, meters: int) -> Iterator[Running]:
    """A daemon whose meters tell something every 5 s, since two days."""
    now = datetime.now(UTC).astimezone(ZONE)
    plant = Plant(now - timedelta(days=DAYS), DAYS, meters, EVERY_S)
    import_plant(folder / "wattbook.db", plant)
    with run_daemon(folder, tables(meters)) as run:
        run.wait_for_page()
        with _told(run.port, plant):
            yield run


@contextmanager
def of_a_year(folder: Path, days: int) -> Iterator[Running]:
    """A daemon with a book of a year of 5-second data; it is made once."""
    plant = replace(YEAR, days=days)
    made = _CACHE / f"{days}-days.db"
    if not made.exists():
        progress(f"{plant.samples / 1e6:.0f} M samples into a book, once")
        made.parent.mkdir(parents=True, exist_ok=True)
        import_plant(folder / "wattbook.db", plant)
        shutil.copy(folder / "wattbook.db", made)
    else:
        shutil.copy(made, folder / "wattbook.db")
    with run_daemon(folder, tables(plant.meters)) as run:
        run.wait_for_page()
        yield run


@contextmanager
def _told(port: int, plant: Plant) -> Iterator[None]:
    """Each meter in its turn, evenly over the 5 s: no two come together."""
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(port, plant, over))
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(port: int, plant: Plant, over: threading.Event) -> None:
    rows = {
        columns.meter: [
            dict(zip(columns.values, each, strict=True))
            for each in zip(*(values[-1000:] for values in columns.values.values()), strict=True)
        ]
        for columns in plant.columns()
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began, turn = time.monotonic(), 0
    while not over.wait(max(0.0, began + turn * EVERY_S / plant.meters - time.monotonic())):
        name = plant.names[turn % plant.meters]
        values = rows[name][turn // plant.meters % 1000]
        counted = rows[name][-1]["active_energy_import"] + turn // plant.meters
        told = {"meter": name, "at": _now(), "values": {**values, "active_energy_import": counted}}
        connection.request("POST", "/api/v1/readings", json.dumps(told), {"content-type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        turn += 1
    connection.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
