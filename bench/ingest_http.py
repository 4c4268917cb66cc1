"""HTTP ingest: readings a second that are durable in the book, sent as bodies of 1,000 over several connections.

The server is a process of its own with the real API and the real book; the senders are another one. Counted is what
the book holds when the last body was answered.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from bench.figures import Figure, show
from wattbook import config
from wattbook.access import Access, PeopleFile
from wattbook.api import ApiContext, serving
from wattbook.daemon import SWITCH_S
from wattbook.engine.judge import JudgedKeeper, make_judges
from wattbook.engine.keep import BookKeeper
from wattbook.engine.listen import Attendance
from wattbook.engine.live import Live
from wattbook.engine.status import MeterStatus
from wattbook.lasting import GC_OBJECTS
from wattbook.model import SystemClock
from wattbook.store import Book, BookReader

READINGS_A_BODY = 1000
PER_S_MIN = 100_000
METERS = 100
START = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Result:
    """What one run gave. CPU is the server's, from the first body to the last answer."""

    readings: int
    seconds: float
    readings_per_s: float
    server_cpu_s: float
    bytes_a_reading: float
    connections: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=400_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    show(figures(measure(options.readings, options.connections)), as_json=options.json)


def figures(result: Result) -> list[Figure]:
    """The result in the benches' shape."""
    return [
        Figure("HTTP ingest, durable in the book", result.readings_per_s, "readings/s", at_least=PER_S_MIN),
        Figure(f"  CPU of the server for {result.readings:,} readings", result.server_cpu_s, "s"),
        Figure("  connections, bodies of 1,000 readings of 3 values", result.connections),
    ]


def measure(readings: int, connections: int) -> Result:
    """Send so many readings to a fresh server and count them in its book."""
    context = multiprocessing.get_context("spawn")
    bodies = make_bodies(readings)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = context.Pipe()
        server = context.Process(target=serve_until_told, args=(Path(folder), theirs))
        server.start()
        port, cpu_before_s = ours.recv()
        seconds = send(bodies, port, connections)
        ours.send("stop")
        stored, cpu_s, size = ours.recv()
        server.join()
    assert stored == len(bodies) * READINGS_A_BODY, f"{stored} readings in the book"
    return Result(stored, seconds, stored / seconds, cpu_s - cpu_before_s, size / stored, connections)


def make_bodies(readings: int) -> list[bytes]:
    """Bodies as a gateway of many meters sends them: 3 values each, every meter some seconds of each body."""
    bodies, rows = [], []
    for number in range(readings):
        second, meter = divmod(number, METERS)
        at = (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = {
            "voltage": round(230 + (number * 7919 % 100) / 10, 1),
            "active_power": round((number * 104729 % 30000) / 10, 1),
            "active_energy_import": 1_000_000 + second * 3 + meter,
        }
        rows.append({"meter": f"meter-{meter}", "at": at, "values": values})
        if len(rows) == READINGS_A_BODY:
            bodies.append(json.dumps(rows, separators=(",", ":")).encode())
            rows = []
    return bodies


def send(bodies: Sequence[bytes], port: int, connections: int) -> float:
    """Post every body once; return the seconds until the last was answered."""
    waiting = iter(bodies)
    lock, begin = threading.Lock(), threading.Barrier(connections + 1)

    def sender() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.connect()
        begin.wait()
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                break
            connection.request("POST", "/api/v1/readings", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 200, told
        connection.close()

    threads = [threading.Thread(target=sender) for _ in range(connections)]
    for thread in threads:
        thread.start()
    begin.wait()
    started = time.monotonic()
    for thread in threads:
        thread.join()
    return time.monotonic() - started


def serve_until_told(folder: Path, pipe: Connection) -> None:
    """The server's process."""
    sys.setswitchinterval(SWITCH_S)  # as the daemon
    asyncio.run(_serve(folder, pipe))


async def _serve(folder: Path, pipe: Connection) -> None:
    meters = "".join(f'[[meter]]\nname = "meter-{number}"\nmodel = "push"\n' for number in range(METERS))
    file = folder / "wattbook.toml"
    file.write_text(f'[api]\nlisten = "127.0.0.1:0"\n{meters}')
    settings, clock = config.load(file), SystemClock()
    live = Live(clock)
    statuses = [MeterStatus(meter.name, meter.model) for meter in settings.meters]
    with Book.open(settings.book, clock=clock) as book, BookReader(settings.book) as reader:
        keeper = JudgedKeeper(BookKeeper(book, live), make_judges(settings))  # as the daemon
        by_name = {status.meter: status for status in statuses}
        attendance = Attendance(by_name, {}, clock=clock, note=keeper.note)
        access = Access(PeopleFile(settings.people), clock, book.append_event)
        context = ApiContext(
            settings, lambda: statuses, reader, keeper, attendance.heard, live, clock, book.statistics, access
        )
        async with serving(context) as served:
            gc.freeze()  # as the daemon
            gc.set_threshold(GC_OBJECTS, 20, 50)
            pipe.send((served.port, _cpu_s()))
            await asyncio.to_thread(pipe.recv)
            cpu_s = _cpu_s()
        stored, after = 0, ""
        while batch := reader.read(after, 100_000):
            stored, after = stored + sum(map(len, batch.columns)), batch.upto
    pipe.send((stored, cpu_s, settings.book.stat().st_size))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
