"""A child process for the kill test: our source, keeping each reading as a line of a file, synced before it returns.

Usage: mqtt_consumer.py PORT FILE. It stands in for the daemon with the smallest durable book there is.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from wattbook.drivers.mqtt import MqttSource
from wattbook.drivers.source import Listened
from wattbook.model import Event, Kept, Reading, SystemClock
from wattbook.profiles import Library
from wattbook.transports.mqtt import parse_broker

KEEP_S = 0.1  # a slow disk, so that a kill finds readings that are heard and not yet kept


class FileBook:
    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._diary = path.with_suffix(".diary").open("wb", buffering=0)  # a "(" as keeping begins, a ")" as it ends

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        lines = [f"{reading.meter} {reading.values['active_power']:.0f}\n" for reading in readings]
        self._diary.write(b"(")
        await asyncio.sleep(KEEP_S)
        self._file.write("".join(lines).encode())
        await asyncio.to_thread(os.fsync, self._file.fileno())
        self._diary.write(b")")
        return Kept(tuple(range(len(readings))), new=len(readings))

    def measured(self, reading: Reading) -> None:
        raise AssertionError(reading)

    def note(self, event: Event) -> None:
        raise AssertionError(event)


class Loud:
    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        pass

    def garbled(self, meter: str, reason: str) -> None:
        raise AssertionError(reason)

    def lost(self, meter: str, reason: str) -> None:
        print(reason, file=sys.stderr)


async def main(port: int, path: Path) -> None:
    profile = Library().get("json-mqtt")
    meters = [Listened(name, profile, address=name) for name in "abc"]
    broker = parse_broker(f"mqtt://127.0.0.1:{port}", client_id="killed")
    source = MqttSource(broker, meters, clock=SystemClock(), report=Loud(), commit_max=500)
    await source.run(FileBook(path))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
