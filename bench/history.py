"""The book's history in figures: bytes a sample, questions and imports. What sealing costs is in `bench.sealing`.

python -m bench.history                 a month of 5 s, a year of 60 s, ten years of it: some three minutes
python -m bench.history --days 5 --no-decade
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from time import perf_counter

from bench.book_files import folder, import_plant, size
from bench.figures import Figure, progress, show
from bench.meter_data import CALM, DECADE, MONTH, QUANTITIES, YEAR, ZONE, Plant
from wattbook.exchange.write_csv import csv_chunks
from wattbook.model import Span
from wattbook.store import BookReader, Step

ENERGY = "active_energy_import"
WARM = 30  # times each question is asked; the median counts
CSV_ROWS = 300_000


def ms(ask: Callable[[], object]) -> float:
    """The median of many warm answers, in ms."""
    ask()
    took = []
    for _ in range(WARM):
        began_s = perf_counter()
        ask()
        took.append(perf_counter() - began_s)
    return statistics.median(took) * 1000


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
            now = plant.span.end + timedelta(days=1)  # the plant counts its days by 24 hours, the calendar not always
            raw_ms = ms(lambda: reader.range("m0", "voltage", day))
            latest_ms = ms(lambda: reader.latest(now=now))
            mean_ms = ms(lambda: reader.aggregate("m0", "voltage", plant.span, Step.parse("1h"), ZONE))
            hour_ms = hourly_ms(reader, plant, plant.span)
        whole, bytes_a_sample = plant.days >= MONTH.days, size(path) / plant.samples
        return [
            Figure(
                f"bytes a sample, whole file, {plant.days} days of 5 s",
                bytes_a_sample,
                "B",
                at_most=0.55 if whole else None,
            ),
            Figure("import from columns", rate / 1e6, "M samples/s", at_least=2.0),
            Figure(f"hourly energy of {plant.days} days of 5 s", hour_ms, "ms", at_most=1.0 if whole else None),
            Figure("raw day of one quantity, 17,280 values", raw_ms, "ms", at_most=1.0),
            Figure("latest of three meters", latest_ms, "ms", at_most=0.1),
            Figure(f"  hourly mean of a gauge, {plant.days} days", mean_ms, "ms"),
        ]


def calm(plant: Plant) -> Figure:
    """Data that VictoriaMetrics keeps in 0.60 bytes a sample."""
    progress(f"{plant.samples / 1e6:.1f} M calm samples")
    with folder() as place:
        import_plant(place / "calm.db", plant)
        return Figure("  bytes a sample, calm data, imported", size(place / "calm.db") / plant.samples, "B")


def of_year(year: Plant, decade: Plant | None) -> list[Figure]:
    """Days of a year for ten meters; and the same asked of ten years."""
    with folder() as place:
        path = place / "year.db"
        progress(f"{year.samples / 1e6:.1f} M samples at {year.every_s} s")
        import_plant(path, year)
        with BookReader(path) as reader:
            day_ms, hour_ms = daily_ms(reader, year, year.span), hourly_ms(reader, year, _last_month(year))
        figures = [
            Figure(
                f"daily energy of {year.days} days, {year.meters} meters",
                day_ms,
                "ms",
                at_most=10.0 if year.days >= YEAR.days else None,
            ),
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
        part = next(plant.columns()).cut(slice(0, CSV_ROWS))
        file = place / "plain.csv"
        with file.open("wb") as out:
            for chunk in csv_chunks([part], list(part.values), ZONE):
                out.write(chunk)
        config = place / "wattbook.toml"
        config.write_text(_CONFIG, encoding="utf-8")
        began_s = perf_counter()
        subprocess.run(
            [sys.executable, "-m", "wattbook", "import", file, "-c", config], check=True, stdout=subprocess.DEVNULL
        )
        took_s = perf_counter() - began_s
        return Figure(
            "import from CSV, the whole command", len(part) * QUANTITIES / took_s / 1e6, "M samples/s", at_least=0.4
        )


_CONFIG = """
[site]
timezone = "Europe/Prague"
[[meter]]
name = "m0"
model = "push"
"""


def measure(days: int, *, decade: bool) -> Sequence[Figure]:
    """All of it. Fewer days than the targets speak of are measured without a target for what grows with them."""
    month = replace(MONTH, days=days)
    year = YEAR if decade else replace(YEAR, days=60)
    return [
        *of_month(month),
        calm(replace(CALM, days=days)),
        *of_year(year, DECADE if decade else None),
        from_csv(month),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=MONTH.days)
    parser.add_argument("--no-decade", action="store_true", help="sixty days instead of a year, and no ten years")
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args()
    show(measure(given.days, decade=not given.no_decade), as_json=given.json)


if __name__ == "__main__":
    main()
