"""The book's history in figures: bytes a sample, questions, imports, and what sealing costs others.

python -m bench.history                 a month of 5 s, a year of 60 s, ten years of it: some five minutes
python -m bench.history --days 5 --no-decade
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from bench.figures import Figure, parse, progress, show
from bench.line import SWITCH_INTERVAL_S
from bench.meter_data import CALM, DECADE, MONTH, QUANTITIES, YEAR, ZONE, Plant
from wattbook.exchange.write_csv import csv_chunks
from wattbook.model import Columns, Reading, Span, SystemClock
from wattbook.store import Book, BookReader, Step

ENERGY = "active_energy_import"
WARM = 30  # times each question is asked; the median counts
SWITCH_S = 0.00005  # as in the daemon (decision 4)
LATE = timedelta(hours=1)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
        yield Path(name)


def ms(ask: Callable[[], object]) -> float:
    """The median of many warm answers, in ms."""
    ask()
    took = []
    for _ in range(WARM):
        began_s = perf_counter()
        ask()
        took.append(perf_counter() - began_s)
    return statistics.median(took) * 1000


def import_plant(path: Path, plant: Plant) -> float:
    """Import all of it; return samples a second."""
    took_s = 0.0
    with Book.open(path, clock=SystemClock()) as book:
        for columns in plant.columns():
            began_s = perf_counter()
            kept = book.import_columns(columns, ZONE)
            took_s += perf_counter() - began_s
            assert kept.new == plant.rows
    return plant.samples / took_s


def size(path: Path) -> int:
    """The whole file and its log, after the checkpoint of its close."""
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def hourly_ms(reader: BookReader, plant: Plant, span: Span) -> float:
    period, every = timedelta(seconds=plant.every_s), Step.parse("1h")
    return ms(lambda: reader.energy("m0", ENERGY, span, every, ZONE, period=period))


def daily_ms(reader: BookReader, plant: Plant, span: Span) -> float:
    period, every = timedelta(seconds=plant.every_s), Step.parse("1d")
    return ms(lambda: [reader.energy(name, ENERGY, span, every, ZONE, period=period) for name in plant.names])


def of_month(plant: Plant) -> list[Figure]:
    """A month of 5 s, imported."""
    progress(f"{plant.samples / 1e6:.1f} M samples at {plant.every_s} s, imported")
    with folder() as place:
        path = place / "month.db"
        rate = import_plant(path, plant)
        with BookReader(path) as reader:
            middle = plant.start + timedelta(days=plant.days // 2)
            day = Span(middle, middle + timedelta(days=1))
            now = plant.span.end
            raw_ms = ms(lambda: reader.range("m0", "voltage", day))
            latest_ms = ms(lambda: reader.latest(now=now))
            mean_ms = ms(lambda: reader.aggregate("m0", "voltage", plant.span, Step.parse("1h"), ZONE))
            hour_ms = hourly_ms(reader, plant, plant.span)
        return [
            Figure(
                f"bytes a sample, whole file, {plant.days} days of 5 s", size(path) / plant.samples, "B", at_most=0.55
            ),
            Figure("import from columns", rate / 1e6, "M samples/s", at_least=2.0),
            Figure(f"hourly energy of {plant.days} days of 5 s", hour_ms, "ms", at_most=1.0),
            Figure("raw day of one quantity, 17,280 values", raw_ms, "ms", at_most=1.0),
            Figure("latest of three meters", latest_ms, "ms", at_most=0.1),
            Figure(f"  hourly mean of a gauge, {plant.days} days", mean_ms, "ms"),
        ]


def as_lived(plant: Plant) -> list[Figure]:
    """The same, poll by poll in simulated time, sealed as hours and days go by: free pages and all."""
    progress(f"{plant.samples / 1e6:.1f} M samples as lived")
    meters = list(plant.columns())
    with folder() as place:
        path = place / "lived.db"
        with Book.open(path, clock=SystemClock()) as book:
            for first in range(0, plant.rows, 3600 // plant.every_s):
                last = first + 3600 // plant.every_s
                for begin in range(first, last, 60):
                    together = [_rows(columns, begin, min(begin + 60, last)) for columns in meters]
                    book.append([reading for its in zip(*together, strict=True) for reading in its])
                book.append([], urgent=True).result()
                book.seal(ZONE, _at(meters[0], min(last, plant.rows) - 1), late=first % 4 == 0)
            book.seal(ZONE, plant.span.end + LATE)
        return [
            Figure(
                "  the same as lived: appended, hours sealed, then days",
                size(path) / plant.samples,
                "B",
                at_most=0.55 if plant.days >= MONTH.days else None,  # a few days do not pay for what every file has
            )
        ]


def calm(plant: Plant) -> Figure:
    """Data that VictoriaMetrics keeps in 0.60 bytes a sample."""
    progress(f"{plant.samples / 1e6:.1f} M calm samples")
    with folder() as place:
        import_plant(place / "calm.db", plant)
        return Figure("  bytes a sample, calm data, imported", size(place / "calm.db") / plant.samples, "B")


def _rows(columns: Columns, first: int, last: int) -> list[Reading]:
    cut = slice(first, last)
    return list(
        replace(
            columns,
            at_ms=columns.at_ms[cut],
            seq=columns.seq[cut],
            values={name: cells[cut] for name, cells in columns.values.items()},
            quality=columns.quality[cut],
        ).readings()
    )


def _at(columns: Columns, row: int) -> datetime:
    return _rows(columns, row, row + 1)[0].at


def of_year(year: Plant, decade: Plant | None) -> list[Figure]:
    """Days of a year for ten meters; and the same asked of ten years."""
    with folder() as place:
        path = place / "year.db"
        progress(f"{year.samples / 1e6:.1f} M samples at {year.every_s} s")
        import_plant(path, year)
        with BookReader(path) as reader:
            day_ms, hour_ms = daily_ms(reader, year, year.span), hourly_ms(reader, year, _last_month(year))
        figures = [
            Figure(f"daily energy of {year.days} days, {year.meters} meters", day_ms, "ms", at_most=10.0),
            Figure(f"  bytes a sample, {year.days} days of 60 s", size(path) / year.samples, "B"),
        ]
        if decade is None:
            return figures
        path = place / "decade.db"
        progress(f"{decade.samples / 1e6:.0f} M samples at {decade.every_s} s")
        import_plant(path, decade)
        with BookReader(path) as reader:
            last = Span(decade.span.end - timedelta(days=365), decade.span.end)
            day_grown = daily_ms(reader, decade, last) / day_ms
            hour_grown = hourly_ms(reader, decade, _last_month(decade)) / hour_ms
        return [
            *figures,
            Figure("growth: days of a year out of ten years / out of one", day_grown, "", at_most=2.0),
            Figure("growth: hours of a month out of ten years / out of one", hour_grown, "", at_most=2.0),
        ]


def _last_month(plant: Plant) -> Span:
    return Span(plant.span.end - timedelta(days=30), plant.span.end)


def from_csv(plant: Plant) -> Figure:
    """The plain table into the book, by the importer."""
    progress("import from CSV")
    with folder() as place:
        rows = min(plant.rows, 300_000)
        columns = next(plant.columns())
        cut = slice(0, rows)
        part = replace(
            columns,
            at_ms=columns.at_ms[cut],
            seq=columns.seq[cut],
            values={name: cells[cut] for name, cells in columns.values.items()},
            quality=columns.quality[cut],
        )
        file = place / "plain.csv"
        with file.open("wb") as out:
            for chunk in csv_chunks([part], list(columns.values), ZONE):
                out.write(chunk)
        config = place / "wattbook.toml"
        config.write_text(_CONFIG, encoding="utf-8")
        began_s = perf_counter()
        subprocess.run(
            [sys.executable, "-m", "wattbook", "import", file, "-c", config], check=True, stdout=subprocess.DEVNULL
        )
        took_s = perf_counter() - began_s
        return Figure(
            "import from CSV, the whole command", rows * QUANTITIES / took_s / 1e6, "M samples/s", at_least=0.4
        )


_CONFIG = """
[site]
timezone = "Europe/Prague"
[[meter]]
name = "m0"
model = "push"
"""


def while_sealing(plant: Plant) -> list[Figure]:
    """How long a caller waits for a commit while days are sealed, beside the same while nothing is."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as in the daemon
    progress("commits while days are sealed")
    sys.setswitchinterval(SWITCH_S)
    meters = list(plant.columns())
    days = min(plant.days, 4)
    with folder() as place, Book.open(place / "busy.db", clock=SystemClock()) as book:
        for columns in meters:
            for first in range(0, days * 86_400 // plant.every_s, 5_000):
                part = _rows(columns, first, min(first + 5_000, days * 86_400 // plant.every_s))
                book.append(part, urgent=True).result()
        quiet_ms = _longest_commit(book, lambda: threading.Event().wait(2.0))
        busy_ms = _longest_commit(book, lambda: book.seal(ZONE, plant.span.end))
    return [
        Figure("longest wait for a commit while days of 5 s are sealed", busy_ms, "ms", at_most=50.0),
        Figure("  the same while nothing is sealed", quiet_ms, "ms"),
    ]


def _longest_commit(book: Book, meanwhile: Callable[[], object]) -> float:
    ended = threading.Event()
    longest = 0.0

    def commit() -> None:
        nonlocal longest
        clock = SystemClock()
        while not ended.is_set():
            began_s = perf_counter()
            book.append([Reading("other", clock.now(), {"voltage": 230.0})], fresh=True, urgent=True).result()
            longest = max(longest, perf_counter() - began_s)

    thread = threading.Thread(target=commit)
    thread.start()
    meanwhile()
    ended.set()
    thread.join()
    return longest * 1000


def memory(days: int) -> list[Figure]:
    """Of a process that has loaded what the daemon has, while it seals: in one of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.history", "--memory-of", str(days), "--json"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return parse(done.stdout)


def memory_here(days: int) -> list[Figure]:
    import wattbook.api.app
    import wattbook.daemon  # noqa: F401 - for its weight

    with folder() as place, Book.open(place / "memory.db", clock=SystemClock()) as book:
        for number in range(days):
            part = replace(MONTH, start=MONTH.start + timedelta(days=number), days=1)
            for columns in part.columns():
                for first in range(0, part.rows, 500):
                    book.append(_rows(columns, first, min(first + 500, part.rows)), urgent=True).result()
            book.seal(ZONE, part.span.end + LATE)
    return [Figure("memory of the daemon's modules while sealing", _resident_mb(), "MB", at_most=120.0)]


def _resident_mb() -> float:
    for line in io.StringIO(Path("/proc/self/status").read_text(encoding="ascii")):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1000
    return float("nan")


def measure(days: int, *, decade: bool) -> Sequence[Figure]:
    month = replace(MONTH, days=days)
    year = YEAR if decade else replace(YEAR, days=60)
    return [
        *of_month(month),
        *as_lived(replace(MONTH, days=min(days, 30))),
        calm(replace(CALM, days=days)),
        *of_year(year, DECADE if decade else None),
        from_csv(month),
        *while_sealing(month),
        *memory(2),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--no-decade", action="store_true", help="sixty days instead of a year, and no ten years")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    options = parser.parse_args()
    found = memory_here(options.memory_of) if options.memory_of else measure(options.days, decade=not options.no_decade)
    show(found, as_json=options.json)


if __name__ == "__main__":
    main()
