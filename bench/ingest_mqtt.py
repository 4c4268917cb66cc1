"""How many MQTT messages a second go into the book, and that none is lost when the consumer is killed.

100 meters publish JSON of about 99 bytes with quality of service 1 through a real mosquitto; one process decodes them,
commits them to a real book and acknowledges them then. Afterwards the book is read: every message must be there once.

    python -m bench.ingest_mqtt                            as fast as it goes
    python -m bench.ingest_mqtt --kills 3                  killed with -9 while they come
    python -m bench.ingest_mqtt --client paho3 | paho5     paho-mqtt instead of our subscriber
    python -m bench.ingest_mqtt --client own3              without MQTT 5 (mosquitto then sends 20 ahead)
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure, show
from bench.mqtt_load import METERS, broker, message
from wattbook.codecs.mqtt import Version
from wattbook.drivers.mqtt import Connect, MqttSource
from wattbook.drivers.source import Listened
from wattbook.model import Event, Kept, Reading, SystemClock
from wattbook.profiles import Library
from wattbook.store.book import Book
from wattbook.store.reader import BookReader
from wattbook.transports.mqtt import BrokerSettings, connect

PER_S_MIN = 30_000
_CLIENTS = {"own": "our subscriber", "own3": "ours without MQTT 5", "paho3": "paho-mqtt", "paho5": "paho-mqtt, MQTT 5"}
_WAIT_S_MAX = 300.0
_READ = 50_000


class BookKeeper:
    """A Keeper straight on the book, which counts and stops the loop when everything is there."""

    def __init__(self, book: Book, count: int) -> None:
        self._book, self._count = book, count
        self.new = self.batches = 0
        self.first_s = self.cpu_s = 0.0
        self.done = asyncio.Event()

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        if not self.batches:
            self.first_s, self.cpu_s = time.monotonic(), time.process_time()
        kept = await asyncio.wrap_future(self._book.append(readings, urgent=True))
        self.new += kept.new
        self.batches += 1
        if self.new >= self._count:
            self.done.set()
        return kept

    def measured(self, reading: Reading) -> None:
        raise AssertionError(reading)

    def note(self, event: Event) -> None:
        raise AssertionError(event)


class Silent:
    """A report for nobody; garbage would be a fault of the benchmark."""

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        pass

    def garbled(self, meter: str, reason: str) -> None:
        raise AssertionError(f"{meter}: {reason}")

    def lost(self, meter: str, reason: str) -> None:
        raise AssertionError(f"{meter}: {reason}")


def client(name: str) -> Connect:
    """Return what connects to the broker under this name."""
    if name.startswith("own"):
        versions = (Version.V3,) if name == "own3" else (Version.V5,)
        return functools.partial(connect, versions=versions)
    from bench import mqtt_paho

    return {"paho3": mqtt_paho.connect_3, "paho5": mqtt_paho.connect_5}[name]


async def consume(port: int, path: Path, count: int, name: str) -> None:
    """The child: take messages into the book until `count` new ones are there, then print what it cost."""
    profile = Library().get("json-mqtt")
    meters = [Listened(f"m{number}", profile, address=f"m{number}") for number in range(METERS)]
    clock = SystemClock()
    with Book.open(path, clock=clock) as book:
        keeper = BookKeeper(book, count)
        settings = BrokerSettings("127.0.0.1", port, "bench")
        source = MqttSource(settings, meters, clock=clock, report=Silent(), connect=client(name))
        running = asyncio.create_task(source.run(keeper))
        print("ready", flush=True)
        finished = asyncio.create_task(keeper.done.wait())
        await asyncio.wait([running, finished], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        seconds, cpu_s = time.monotonic() - keeper.first_s, time.process_time() - keeper.cpu_s
        running.cancel()
        print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "batches": keeper.batches}), flush=True)


def run(count: int, kills: int, name: str, inflight: int | None, rate: float) -> dict[str, Any]:
    """The parent: broker, publisher, consumer; returns the figures."""
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder), inflight=inflight) as port:
        path = Path(folder) / "wattbook.db"
        result: dict[str, Any] = {"client": name, "messages": count, "kills": kills}
        # The first start makes the session; without it the broker would keep nothing for us.
        consumer = _start(port, path, count, name)
        asyncio.run(_wait_for_session(port))
        publisher = subprocess.Popen([sys.executable, "-m", "bench.mqtt_load", str(port), str(count), str(rate)])
        begun_s = time.monotonic()
        if not kills:
            answer, _ = consumer.communicate(timeout=_WAIT_S_MAX)
            figures = json.loads(answer)
            result["per_s"] = round(count / figures["seconds"])
            result["cpu_us"] = round(figures["cpu_s"] / count * 1e6, 1)
            result["batch"] = round(count / figures["batches"])
        else:
            for _ in range(kills):
                time.sleep(random.uniform(0.3, 1.5))  # noqa: S311 - no secret
                consumer.kill()
                consumer.communicate()
                consumer = _start(port, path, count, name)
            with BookReader(path) as reader:
                _wait_for_all(reader, count)
            result["seconds_with_restarts"] = round(time.monotonic() - begun_s, 1)
            consumer.kill()
            consumer.communicate()
        publisher.wait(_WAIT_S_MAX)
        result |= _check(path, count)
        return result


def _start(port: int, path: Path, count: int, name: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "bench.ingest_mqtt",
        "--consume",
        str(port),
        str(path),
        "--messages",
        str(count),
        "--client",
        name,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


async def _wait_for_session(port: int) -> None:
    await asyncio.sleep(1.0)  # to subscribe; nothing outside the broker can see that it is done


def _wait_for_all(reader: BookReader, count: int) -> None:
    after, seen, end = "", 0, time.monotonic() + _WAIT_S_MAX
    while seen < count and time.monotonic() < end:
        batch = reader.read(after, _READ)
        after, seen = batch.upto, seen + len(batch)
        if not len(batch):
            time.sleep(0.1)


def _check(path: Path, count: int) -> dict[str, Any]:
    """Compare the book with what was published, reading by reading."""
    expected: dict[str, set[int]] = {f"m{number}": set() for number in range(METERS)}
    for number in range(count):
        expected[f"m{number % METERS}"].add(number // METERS * 10)
    start_ms = int(datetime.fromisoformat(json.loads(message(0)[1])["time"]).timestamp() * 1000)
    rows = lost = 0
    with BookReader(path) as reader:
        after = ""
        while len(batch := reader.read(after, _READ)):
            after = batch.upto
            for columns in batch.columns:
                rows += len(columns)
                expected[columns.meter].difference_update(at - start_ms for at in columns.at_ms)
    lost = sum(map(len, expected.values()))
    return {"lost": lost, "doubled": rows - (count - lost)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--client", choices=list(_CLIENTS), default="own")
    parser.add_argument("--inflight", type=int, help="mosquitto's max_inflight_messages; its own default is 20")
    parser.add_argument("--rate", type=float, default=0, help="messages a second to publish; 0 = as fast as taken")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--consume", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.consume:
        asyncio.run(consume(int(given.consume[0]), Path(given.consume[1]), given.messages, given.client))
        return
    result = run(given.messages, given.kills, given.client, given.inflight, given.rate)
    show(figures(result), as_json=given.json)


def figures(result: dict[str, Any]) -> list[Figure]:
    """The result in the benches' shape; only our own subscriber has a target."""
    own = str(result["client"]).startswith("own")
    title = f"MQTT into the book, {_CLIENTS[str(result['client'])]}"
    bound = 0 if own else None
    lost = [
        Figure("  messages lost", result["lost"], at_most=bound),
        Figure("  messages stored twice", result["doubled"], at_most=bound),
    ]
    if result["kills"]:
        kills = Figure(f"{title}: kills -9 while {result['messages']:,} messages came", result["kills"])
        return [kills, *lost, Figure("  until all were in the book", result["seconds_with_restarts"], "s")]
    return [
        Figure(title, result["per_s"], "messages/s", at_least=PER_S_MIN if own else None),
        Figure("  CPU of the consumer", result["cpu_us"], "µs a message"),
        *lost,
    ]


if __name__ == "__main__":
    main()
