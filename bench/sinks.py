"""Sinks: what four of them cost beside 100 meters, and how fast a backlog drains, with live values beside it.

    python -m bench.sinks [--samples 10000000] [--seconds 60] [--rounds 3] [--json]

The servers are real ones of Debian, on ports of their own: InfluxDB 1.6.7, PostgreSQL 15 (with fsync), mosquitto. A
bare client loop writes the same batches, made ready before, into a database of its own on the same server: what the
database can take. Both are timed in turns.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench import machine
from bench.book_files import folder as empty_folder
from bench.book_files import import_plant
from bench.figures import Figure, progress, show
from bench.meter_data import MONTH, QUANTITIES, Plant
from bench.running import Running, get_json, run_daemon
from wattbook.model import Columns
from wattbook.model.batch import from_ms

sys.path.append(str(Path(__file__).parents[1] / "tests/partners"))  # the servers that the tests speak to

BATCH = 5_000
METERS, WARM_S = 100, 15.0
LIVE_EVERY_S = 0.25
_DRAINED_S_MAX = 900.0
_SEEN_S_MAX = 30.0  # a live value that took longer counts as this late
_LOOK_S = 0.1
VALUES = ("voltage", "current", "active_power", "active_energy_import", "power_factor", "frequency")
Place = Any  # a Foreign… of the tests


def post(port: int, rows: Sequence[object]) -> None:
    """Readings to the daemon, durable when this returns."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/api/v1/readings", json.dumps(rows), {"content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        answer.read()
    finally:
        connection.close()


def reading(meter: str, number: int) -> dict[str, object]:
    """One of now, as JSON."""
    values = {"voltage": 230.1, "current": 6.52, "active_power": 1500.0, "power_factor": 0.99, "frequency": 50.0}
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"meter": meter, "at": at, "values": {**values, "active_energy_import": 1_000 + number}}


# ---- steady ----------------------------------------------------------------------------------------------------------


def steady(folder: Path, tables: str, seconds: float) -> tuple[float, float, float]:
    """CPU as a share of one core, memory after warming up, and at the end (MB)."""
    folder.mkdir()
    text = "".join(f'[[meter]]\nname = "m{number}"\nmodel = "push"\n' for number in range(METERS)) + tables
    with run_daemon(folder, text) as running:
        _wait(lambda: get_json(running.port, "/api/v1/about"), ConnectionRefusedError)
        _feed(running.port, WARM_S)
        before, rss = machine.cpu_s(running.pid), machine.memory(running.pid).rss
        began = time.monotonic()
        _feed(running.port, seconds)
        share = (machine.cpu_s(running.pid) - before) / (time.monotonic() - began)
        for sink in get_json(running.port, "/api/v1/sinks"):
            assert sink["behind"] <= METERS and sink["written"], sink
        return share, rss, machine.memory(running.pid).rss


def _feed(port: int, seconds: float) -> None:
    """A fifth of the meters each second: all of them every five."""
    end, second = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        post(port, [reading(f"m{number}", second) for number in range(second % 5, METERS, 5)])
        second += 1
        time.sleep(max(0.0, min(1.0, end - time.monotonic())))


def _wait(ask: Callable[[], object], *errors: type[Exception]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            ask()
            return
        except errors:
            time.sleep(_LOOK_S)
    raise AssertionError("it did not start")


def of_steady(folder: Path, places: dict[str, Place], seconds: float) -> list[Figure]:
    """The daemon alone, and with four sinks."""
    tables = "".join(
        places[name].table(places[name].port).replace('"foreign"', f'"{name}"')
        for name in ("influx", "postgres", "mqtt")
    )
    csv = f'[[sink]]\nname = "csv"\nkind = "csv"\nfile = "{folder}/csv/{{at:YYYY-MM-DD}}.csv"\n'
    progress(f"100 meters for {seconds:.0f} s, without sinks, then with four")
    alone, _, _ = steady(folder / "alone", "", seconds)
    share, before, after = steady(folder / "four", tables + csv, seconds)
    return [
        Figure("100 meters every 5 s to four sinks: the whole daemon, of one core", 100 * share, "%", at_most=10),
        Figure("  the daemon without sinks", 100 * alone, "%"),
        Figure(f"  memory (RSS) after {WARM_S:.0f} s", before, "MB"),
        Figure(f"  memory (RSS) {seconds:.0f} s later", after, "MB"),
    ]


# ---- backlog ---------------------------------------------------------------------------------------------------------


class _Lateness:
    """Posts a reading of one more meter all the time, and keeps the most seconds until each was seen, by where."""

    def __init__(self, port: int, looks: dict[str, Callable[[], int]]) -> None:
        self.late = dict.fromkeys(looks, 0.0)
        self._port, self._looks = port, looks
        self._over = threading.Event()

    def run(self) -> None:
        """Go on until told to stop."""
        number = 0
        while not self._over.is_set():
            number += 1
            self._follow(number)
            self._over.wait(LIVE_EVERY_S)

    def stop(self) -> None:
        """End with the reading that is under way."""
        self._over.set()

    def _follow(self, number: int) -> None:
        """One reading, from our hands to every place where it is to be seen."""
        given = time.monotonic()
        post(self._port, [reading("live", number)])
        missing = set(self._looks)
        while missing and time.monotonic() < given + _SEEN_S_MAX:
            for name in [name for name in missing if _seen(self._looks[name]) >= 1_000 + number]:
                self.late[name] = max(self.late[name], time.monotonic() - given)
                missing.discard(name)
            time.sleep(0.02)
        self.late |= dict.fromkeys(missing, _SEEN_S_MAX)


def _seen(look: Callable[[], int]) -> int:
    try:
        return look()
    except (OSError, ValueError, LookupError, AssertionError):  # nothing is there yet
        return 0


def _newest_of_page(port: int) -> int:
    (found,) = get_json(port, "/api/v1/readings/latest?meter=live")
    return int(found["values"]["active_energy_import"])


def _newest_in_csv(csv: Path) -> int:
    lines = csv.read_text(encoding="utf-8").splitlines()
    return int(float(lines[-1].split(",")[lines[0].split(",").index("active_energy_import")]))


@contextmanager
def _live(running: Running, there: Callable[[], int], csv: Path) -> Iterator[dict[str, float]]:
    """Post readings meanwhile; the most seconds until each is seen, by where."""
    page, in_csv = partial(_newest_of_page, running.port), partial(_newest_in_csv, csv)
    lateness = _Lateness(running.port, {"page": page, "csv": in_csv, "sink": there})
    thread = threading.Thread(target=lateness.run)
    thread.start()
    try:
        yield lateness.late
    finally:
        lateness.stop()
        thread.join(60)


def drain(folder: Path, book: Path, place: Place, there: Callable[[], int]) -> tuple[float, dict[str, float]]:
    """Seconds in which a daemon gives a sink all of a book, and how late live values were meanwhile."""
    folder.mkdir()
    csv = folder / "live.csv"
    names = [f"m{number}" for number in range(MONTH.meters)] + ["live"]
    text = "".join(f'[[meter]]\nname = "{name}"\nmodel = "push"\n' for name in names)
    text += f'[[sink]]\nname = "csv"\nkind = "csv"\nfile = "{csv}"\nmeters = ["live"]\nstart = "now"\n'
    text += place.table(place.port)
    (folder / "wattbook.db").write_bytes(book.read_bytes())
    with run_daemon(folder, text) as running:
        _wait(lambda: get_json(running.port, "/api/v1/about"), ConnectionRefusedError)
        first = _sink(running.port)
        began, had = time.monotonic(), first["written"]
        with _live(running, there, csv) as late:
            end = time.monotonic() + _DRAINED_S_MAX
            while (sink := _sink(running.port))["behind"] > BATCH or sink["state"] == "starting":
                assert time.monotonic() < end, sink
                time.sleep(_LOOK_S)
            took = time.monotonic() - began
        return (sink["written"] - had) / took, late


def _sink(port: int) -> dict[str, Any]:
    return next(sink for sink in get_json(port, "/api/v1/sinks") if sink["name"] == "foreign")


def batches(book: Path) -> Iterator[Any]:
    """The journal as a follower gets it."""
    from wattbook.store import BookReader

    with BookReader(book) as reader:
        after = ""
        while len(batch := reader.read(after, BATCH)):
            yield batch
            after = batch.upto


def bare_influx(place: Place, book: Path, round_: int) -> float:
    """Readings a second of posting bodies that are ready, one after another."""
    from wattbook.model.around import Surroundings
    from wattbook.sinks.influxdb import InfluxSettings

    layout = InfluxSettings(name="bare", url="http://127.0.0.1").make(Surroundings("Site")).layout
    bodies = [b"".join(map(layout.encode, batch.columns)) for batch in batches(book)]
    count = sum(body.count(b"\n") for body in bodies)
    database = f"bare{round_}"
    place.ask(f"CREATE DATABASE {database}")
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
    began = time.monotonic()
    for body in bodies:
        connection.request("POST", f"/write?db={database}&precision=ms", body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204
    took = time.monotonic() - began
    connection.close()
    place.ask(f"DROP DATABASE {database}")
    return count / took


def bare_postgres(place: Place, book: Path, round_: int) -> float:
    """Readings a second of COPY into a temporary table and one INSERT a batch: the fastest upsert of bare psycopg."""
    rows = [[row for columns in batch.columns for row in _rows(columns)] for batch in batches(book)]
    table, names = f"bare{round_}", ", ".join(("site", "meter", "at", "quality", *VALUES))
    typed = ", ".join(f"{name} float8" for name in VALUES)
    changed = ", ".join(f"{name} = excluded.{name}" for name in ("quality", *VALUES))
    key = "PRIMARY KEY (site, meter, at)"
    with place.connect() as connection:
        head = "site text, meter text, at timestamptz, quality text"
        connection.execute(f"CREATE TABLE {table} ({head}, {typed}, {key})")
        connection.execute(f"CREATE TEMP TABLE fresh ({head}, {typed})")
        began = time.monotonic()
        for part in rows:
            with connection.transaction():
                cursor = connection.cursor()
                with cursor.copy(f"COPY fresh ({names}) FROM STDIN") as copy:
                    for row in part:
                        copy.write_row(row)
                cursor.execute(
                    f"INSERT INTO {table} ({names}) SELECT {names} FROM fresh"  # noqa: S608 - names of our own
                    f" ON CONFLICT (site, meter, at) DO UPDATE SET {changed}"
                )
                cursor.execute("TRUNCATE fresh")
        took = time.monotonic() - began
        connection.execute(f"DROP TABLE {table}")
    return sum(map(len, rows)) / took


def _rows(columns: Columns) -> Iterator[tuple[object, ...]]:
    cells = zip(*(columns.values[name] for name in VALUES), strict=True)
    for at_ms, values in zip(columns.at_ms, cells, strict=True):
        yield "Site", columns.meter, from_ms(at_ms), "good", *values


def _live_in_influx(place: Place) -> int:
    query = "SELECT last(active_energy_import) FROM electricity WHERE meter = 'live'"
    return int(place.ask(query, database="house")["series"][0]["values"][0][1])


def _live_in_postgres(place: Place) -> int:
    import psycopg

    try:
        ((value,),) = place.ask("SELECT max(active_energy_import) FROM readings WHERE meter = 'live'")
    except psycopg.Error:  # the table is not there yet
        return 0
    return int(value or 0)


def of_backlog(folder: Path, places: dict[str, Place], samples: int, rounds: int) -> Iterator[Figure]:
    """A backlog in a sealed book, into both databases."""
    days = max(1, round(samples / (QUANTITIES * MONTH.meters * 86_400 / MONTH.every_s)))
    plant = Plant(MONTH.start, days, MONTH.meters, MONTH.every_s)
    progress(f"a book of {plant.samples / 1e6:.1f} M samples")
    book = folder / "backlog.db"
    import_plant(book, plant)
    trials: tuple[tuple[str, str, Callable[..., float], Callable[[Place], int], str], ...] = (
        ("InfluxDB", "influx", bare_influx, _live_in_influx, "DROP DATABASE house"),
        ("PostgreSQL", "postgres", bare_postgres, _live_in_postgres, "DROP TABLE readings"),
    )
    for title, name, bare_loop, there, forget in trials:
        place, bare, ours, late = places[name], [], [], []
        for number in range(rounds):
            progress(f"{title}, round {number + 1}: bare, then ours")
            bare.append(bare_loop(place, book, number))
            rate, lates = drain(folder / f"{name}{number}", book, place, partial(there, place))
            ours.append(rate)
            late.append(lates)
            place.ask(forget)
        ratios = [one / other for one, other in zip(ours, bare, strict=True)]
        yield Figure(f"backlog of {plant.samples / 1e6:.0f} M samples to {title}: of a bare loop's speed",
                     100 * statistics.median(ratios), "%", at_least=70)  # fmt: skip
        yield Figure("  the whole daemon, journal to database", QUANTITIES * statistics.median(ours), "samples/s")
        yield Figure("  the bare loop, same batches", QUANTITIES * statistics.median(bare), "samples/s")
        for where, words in (("page", "the page"), ("csv", "another sink (CSV)"), ("sink", "the same sink")):
            most = max(each[where] for each in late)
            yield Figure(f"  live values meanwhile: in {words} after at most", most, "s", at_most=2)


def measure(samples: int, seconds: float, rounds: int) -> list[Figure]:
    """Start the servers, and do both."""
    from foreign_influxdb import ForeignInflux  # type: ignore[import-not-found]
    from foreign_mqtt import ForeignMqtt  # type: ignore[import-not-found]
    from foreign_sql import ForeignPostgres  # type: ignore[import-not-found]

    with empty_folder() as folder:
        places: dict[str, Place] = {}
        for title, make in (
            ("influx", ForeignInflux),
            ("postgres", lambda where: ForeignPostgres(where, fsync=True)),
            ("mqtt", ForeignMqtt),
        ):
            (folder / title).mkdir()
            places[title] = make(folder / title)
            places[title].start()
        try:
            figures = of_steady(folder, places, seconds) if seconds else []
            for title in ("influx", "postgres") if seconds else ():
                places[title].ask("DROP DATABASE house" if title == "influx" else "DROP TABLE readings")
            if samples:
                figures += of_backlog(folder, places, samples, rounds)
        finally:
            for place in places.values():
                place.stop()
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000_000, help="0 = no backlog")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the steady load; 0 = none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args(arguments)
    show(measure(given.samples, given.seconds, given.rounds), as_json=given.json)


if __name__ == "__main__":
    main()
