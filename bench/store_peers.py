"""The readings of `bench.history` in InfluxDB and VictoriaMetrics: bytes a sample, questions, polls a second.

    python -m bench.store_peers [--days 30] [--year] [--json]

Both are asked over HTTP on a connection that stays open, and their answers are decoded: that is how they are used.
wattbook's own figures are those of `bench.history`, in process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bench import machine
from bench.figures import Figure, progress, show
from bench.meter_data import CALM, MONTH, QUANTITIES, YEAR, Plant
from bench.peer_server import sizes
from bench.peer_stores import PEERS, Peer
from wattbook.model import Columns
from wattbook.model.batch import to_ms

WARM, WARM_S_MAX = 30, 10.0  # times each question is asked, unless that takes too long; the median counts
LINES = 10_000  # in one request
TICKS = 1_000  # single polls of all meters


def blocks(plant: Plant) -> Iterator[bytes]:
    """Yield all readings as line protocol, LINES at once, the meters in turn as time goes on."""
    meters = list(plant.columns())
    for first in range(0, plant.rows, LINES):
        for columns in meters:
            yield lines_of(columns, slice(first, first + LINES))


def lines_of(columns: Columns, cut: slice) -> bytes:
    """Some rows of a meter as line protocol: a field for each quantity, instants in ms."""
    fields = ",".join(f"{name}=%r" for name in columns.values)
    line = f"poll,meter={columns.meter} {fields} %d"
    cells = (*(column[cut] for column in columns.values.values()), columns.at_ms[cut])
    return "\n".join(map(line.__mod__, zip(*cells, strict=True))).encode()


def load(peer: Peer, plant: Plant) -> float:
    """Write all of it; return samples a second, without the time our side needs to make the lines."""
    took_s = 0.0
    for body in blocks(plant):
        began_s = time.perf_counter()
        peer.write(body)
        took_s += time.perf_counter() - began_s
    return plant.samples / took_s


def ms(ask: Callable[[], int], *, values: int) -> float:
    """The median of warm answers in ms. Each must have about so many values, or another question was answered."""
    found = ask()
    assert 0.98 * values <= found <= 1.02 * values, f"{found} values where {values} were asked for"
    took, end_s = list[float](), time.perf_counter() + WARM_S_MAX
    while len(took) < WARM and (not took or time.perf_counter() < end_s):
        began_s = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began_s)
    return statistics.median(took) * 1000


def polls_per_s(peer: Peer, plant: Plant) -> float:
    """Write polls of all meters that come after the others, each when the one before was answered."""
    after = replace(plant, start=plant.span.end, days=1)
    lines = [lines_of(columns, slice(0, TICKS)).split(b"\n") for columns in after.columns()]
    bodies = [b"\n".join(poll) for poll in zip(*lines, strict=True)]
    began_s = time.perf_counter()
    for body in bodies:
        peer.write(body)
    return len(bodies) / (time.perf_counter() - began_s)


def of_month(peer: Peer, plant: Plant) -> list[Figure]:
    """Days of 5 s: size, questions, and polls."""
    rate = load(peer, plant)
    allocated, listed = _settled(peer)
    middle = plant.start + timedelta(days=plant.days // 2)
    day = (to_ms(middle), to_ms(middle + timedelta(days=1)))
    span = (to_ms(plant.span.start), to_ms(plant.span.end))
    hour_ms = ms(lambda: peer.energy("m0", *span, "1h"), values=(span[1] - span[0]) // 3_600_000)
    raw_ms = ms(lambda: peer.raw("m0", "voltage", *day), values=86_400 // plant.every_s)
    latest_ms = ms(lambda: peer.latest(span[1]), values=plant.meters * QUANTITIES)
    memory = machine.memory(peer.server.pid)
    polls = polls_per_s(peer, plant)
    name = peer.name
    return [
        Figure(f"{name}: bytes a sample, {plant.days} days of 5 s, blocks allocated", allocated / plant.samples, "B"),
        Figure("  as its files are listed", listed / plant.samples, "B"),
        Figure("  loaded by line protocol", rate / 1e6, "M samples/s"),
        Figure(f"  hourly energy of {plant.days} days of 5 s", hour_ms, "ms"),
        Figure("  raw day of one quantity", raw_ms, "ms"),
        Figure("  latest of three meters", latest_ms, "ms"),
        Figure(f"  single polls of three meters, {peer.durable}", polls, "polls/s"),
        Figure("  memory (RSS)", memory.rss, "MB"),
    ]


def of_calm(peer: Peer, plant: Plant) -> list[Figure]:
    """The calmer data: size alone."""
    load(peer, plant)
    allocated, _ = _settled(peer)
    return [Figure("  bytes a sample, calm data, blocks allocated", allocated / plant.samples, "B")]


def of_year(peer: Peer, plant: Plant) -> list[Figure]:
    """A year of 60 s: size, and its days. VictoriaMetrics knows days of 24 hours only."""
    load(peer, plant)
    allocated, _ = _settled(peer)
    span, meters = (to_ms(plant.span.start), to_ms(plant.span.end)), "|".join(plant.names)
    day_ms = ms(lambda: peer.energy(meters, *span, "1d"), values=plant.days * plant.meters)
    return [
        Figure(f"  bytes a sample, {plant.days} days of 60 s, blocks allocated", allocated / plant.samples, "B"),
        Figure(f"  daily energy of {plant.days} days, {plant.meters} meters", day_ms, "ms"),
    ]


def _settled(peer: Peer) -> tuple[int, int]:
    peer.settle()
    return sizes(peer.server.folder)


def _with(make: Callable[[Path], Peer], plant: Plant, ask: Callable[[Peer, Plant], list[Figure]]) -> list[Figure]:
    """Ask a new server that holds nothing else."""
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
        peer = make(Path(name))
        progress(f"{peer.name}, {plant.samples / 1e6:.1f} M samples at {plant.every_s} s")
        with peer.server:
            return ask(peer, plant)


def measure(days: int, *, year: bool) -> list[Figure]:
    """One server after the other."""
    figures = list[Figure]()
    for make in PEERS:
        figures += _with(make, replace(MONTH, days=days), of_month)
        figures += _with(make, replace(CALM, days=days), of_calm)
        if year:
            figures += _with(make, YEAR, of_year)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--year", action="store_true", help="a year of ten meters at 60 s too")
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args(arguments)
    show(measure(given.days, year=given.year), as_json=given.json)


if __name__ == "__main__":
    main()
