"""A backlog into a local InfluxDB: our sink against a bare client loop of the same lines, cut before; by batch size.

    python -m bench.influx_drain [--readings 1000000] [--batches 1000 5000 10000 20000] [--json]

The bare loop holds every body ready and only posts it, on one kept connection: what the database itself can take. Both
write the same readings, six quantities each, into databases of their own on one server, a batch each in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import random
import tempfile
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.figures import Figure, progress, show
from bench.peer_stores import Influx
from wattbook.model import Batch, Columns
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks.influxdb import InfluxSettings, InfluxSink

METERS, STEP_MS, START_MS = 100, 5_000, 1_795_222_800_000
QUANTITIES = ("voltage", "current", "active_power", "active_energy_import", "power_factor", "frequency")
_FACTS = {f"m{number}": MeterFacts(f"plant/hall {number % 7}") for number in range(METERS)}
_SEED = 5


def batches(readings: int, size: int) -> list[Batch]:
    """Batches as the journal gives them: every meter's next rows, side by side."""
    chance, rows = random.Random(_SEED), max(1, size // METERS)  # noqa: S311 - the same numbers every time
    return [
        Batch(tuple(_columns(meter, START_MS + number * rows * STEP_MS, rows, chance) for meter in _FACTS), (), "")
        for number in range(max(1, readings // (rows * METERS)))
    ]


def _columns(meter: str, start_ms: int, rows: int, chance: random.Random) -> Columns:
    values = {name: array("d", [round(chance.uniform(0, 1000), 2) for _ in range(rows)]) for name in QUANTITIES}
    at_ms = array("q", range(start_ms, start_ms + rows * STEP_MS, STEP_MS))
    return Columns("", meter, at_ms, array("q", range(rows)), values, array("B", bytes(rows)))


def _sink(port: int, database: str) -> InfluxSink:
    settings = InfluxSettings(name="bench", url=f"http://127.0.0.1:{port}", database=database)
    return settings.make(Surroundings("bench", meters=_FACTS))


async def _drain(sink: InfluxSink, batch: Batch) -> None:
    assert not (await sink.write(batch, "")).rejected


def _encode(sink: InfluxSink, given: Sequence[Batch]) -> list[bytes]:
    return [b"".join([sink.layout.encode(columns) for columns in batch.columns]) for batch in given]


def _post(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", path, body)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 204


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and CPU seconds of this process."""
    began, cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - began, time.process_time() - cpu


def measure(server: Influx, size: int, readings: int) -> list[Figure]:
    """Both in turns, into databases of their own on one server."""
    progress(f"batches of {size}: {readings:,} readings each way")
    given = batches(readings, size)
    count = sum(len(columns) for batch in given for columns in batch.columns)
    ours, bare = f"ours_{size}", f"bare_{size}"
    sink, port = _sink(server.server.port, ours), server.server.port
    encode_s, _ = _timed(lambda: _encode(sink, given))
    bodies = _encode(sink, given)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for name in (ours, bare):
        connection.request("POST", "/query?q=CREATE+DATABASE+" + name)
        connection.getresponse().read()
    ours_s = ours_cpu_s = bare_s = 0.0
    path = f"/write?db={bare}&precision=ms"
    with asyncio.Runner() as loop:
        for batch, body in zip(given, bodies, strict=True):  # in turns, so that both meet the same noise
            seconds, cpu = _timed(partial(loop.run, _drain(sink, batch)))
            ours_s, ours_cpu_s = ours_s + seconds, ours_cpu_s + cpu
            bare_s += _timed(partial(_post, connection, path, body))[0]
        loop.run(sink.aclose())
    connection.close()
    return [
        Figure(f"InfluxDB, batches of {size:,}: our sink", count / ours_s, "readings/s"),
        Figure("  the bare loop", count / bare_s, "readings/s"),
        Figure("  ours / bare", 100 * bare_s / ours_s, "%", at_least=70),
        Figure("  encoding alone", count / encode_s, "readings/s"),
        Figure("  our CPU per 1,000 readings", 1_000_000 * ours_cpu_s / count, "ms"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, nargs="*", default=[5000])
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-") as folder:
        server = Influx(Path(folder))
        try:
            figures = [figure for size in given.batches for figure in measure(server, size, given.readings)]
        finally:
            server.server.close()
    show(figures, as_json=given.json)


if __name__ == "__main__":
    main()
