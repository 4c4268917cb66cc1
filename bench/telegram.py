"""CPU time of one SML telegram, from the first byte on the line to the commit.

A process plays telegrams of about 340 bytes at 9600 Bd on a pseudo-terminal, in the pieces a USB adapter makes of them;
another listens with the real source and a real book. Counted is the CPU time of the whole listening process, and of
the line's thread alone.

    python -m bench.telegram [--telegrams 40] [--piece-ms 16] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tty
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.figures import Figure, show
from wattbook.codecs.decoder import make_decoder
from wattbook.codecs.obis import DataSet
from wattbook.codecs.sml import encode_telegram
from wattbook.drivers.source import Listened
from wattbook.drivers.telegram import TelegramSource
from wattbook.model import Event, Kept, Reading, SystemClock
from wattbook.profiles import Library, SerialSettings
from wattbook.store.book import Book
from wattbook.transports.open import open_link

_BAUD = 9600
_EVERY_S = 0.5
_WARM_UP = 4  # telegrams before counting: imports, caches, the length of a telegram
GOAL_MS = 0.5


def telegram(number: int) -> bytes:
    """A telegram such as an eHZ sends: two directions, two tariffs, three phases."""
    energies = ["1.8.0", "1.8.1", "1.8.2", "2.8.0"]
    powers = ["16.7.0", "36.7.0", "56.7.0", "76.7.0"]
    sets = [DataSet(f"1-0:{code}*255", f"{1_000_000 + number}.{place}", "Wh") for place, code in enumerate(energies)]
    sets += [DataSet(f"1-0:{code}*255", f"{230 + number % 9}.{place}", "W") for place, code in enumerate(powers)]
    sets += [DataSet("1-0:96.1.0*255", "0901454d480000000001")]
    return encode_telegram(bytes.fromhex("0901454d480000000001"), sets)


def play(master: int, count: int, piece_s: float) -> None:
    """Write telegrams at the speed of the wire."""
    piece = max(1, round(piece_s * _BAUD / 10))
    begin_s = time.monotonic()
    for number in range(count):
        data = telegram(number)
        for at in range(0, len(data), piece):
            due_s = begin_s + number * _EVERY_S + min(at + piece, len(data)) * 10 / _BAUD
            time.sleep(max(0.0, due_s - time.monotonic()))
            os.write(master, data[at : at + piece])


class Counter:
    """A Keeper on the book, and a report, that note the CPU time of the process and of the line's thread."""

    def __init__(self, book: Book, count: int) -> None:
        self._book, self._count = book, count
        self.marks: list[tuple[float, float]] = []
        self.garbled_count = 0
        self.done = threading.Event()

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError(readings)

    def measured(self, reading: Reading) -> None:
        self._book.measured(reading, self._answered)
        self.marks.append((time.process_time(), time.thread_time()))
        if len(self.marks) >= self._count:
            self.done.set()

    def _answered(self, error: BaseException | None) -> None:
        assert error is None, error

    def note(self, event: Event) -> None:
        raise AssertionError(event)

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        pass

    def garbled(self, meter: str, reason: str) -> None:
        self.garbled_count += 1

    def lost(self, meter: str, reason: str) -> None:
        raise AssertionError(f"{meter}: {reason}")


async def listen(port: str, count: int) -> None:
    """The child: hear `count` telegrams, print what they cost."""
    profile, clock = Library().get("sml"), SystemClock()
    with tempfile.TemporaryDirectory() as folder, Book.open(Path(folder) / "wattbook.db", clock=clock) as book:
        counter = Counter(book, count)
        source = TelegramSource(
            "line",
            [Listened("main", profile)],
            open_link=lambda: open_link(port, SerialSettings(baud=_BAUD)),
            decoder=lambda: make_decoder(profile),
            clock=clock,
            report=counter,
        )
        running = asyncio.create_task(source.run(counter))
        print("ready", flush=True)
        await asyncio.to_thread(counter.done.wait, count * _EVERY_S * 3 + 10)
        running.cancel()
        (process_s, thread_s), (process_end_s, thread_end_s) = counter.marks[_WARM_UP], counter.marks[-1]
        counted = len(counter.marks) - 1 - _WARM_UP
        result = {
            "telegrams": len(counter.marks),
            "garbled": counter.garbled_count,
            "cpu_ms": round((process_end_s - process_s) / counted * 1000, 3),
            "line_thread_cpu_ms": round((thread_end_s - thread_s) / counted * 1000, 3),
        }
        print(json.dumps(result), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--telegrams", type=int, default=40)
    parser.add_argument("--piece-ms", type=float, default=16, help="what an adapter gathers: 16 (FTDI's default), 1 …")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--listen", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.listen:
        asyncio.run(listen(given.listen, given.telegrams))
        return
    master, slave = os.openpty()
    tty.setraw(slave)
    command = [
        sys.executable,
        "-m",
        "bench.telegram",
        "--listen",
        os.ttyname(slave),
        "--telegrams",
        str(given.telegrams),
    ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    time.sleep(1.0)  # to open the port; a pseudo-terminal does not tell
    play(master, given.telegrams, given.piece_ms / 1000)
    answer, _ = child.communicate(timeout=given.telegrams * _EVERY_S * 3 + 30)
    show(figures(json.loads(answer), given.piece_ms), as_json=given.json)


def figures(result: dict[str, float], piece_ms: float) -> list[Figure]:
    """What the child told, in the benches' shape."""
    title = f"CPU of one SML telegram, {len(telegram(0))} bytes in pieces of {piece_ms:g} ms"
    return [
        Figure(title, result["cpu_ms"], "ms", at_most=GOAL_MS),
        Figure("  of that the line's own thread or task", result["line_thread_cpu_ms"], "ms"),
        Figure(f"  of {result['telegrams']} telegrams garbled", result["garbled"], at_most=0),
    ]


if __name__ == "__main__":
    main()
