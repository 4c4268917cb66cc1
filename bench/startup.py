"""How soon it reads and how much memory it holds (promises 6 and 8).

    python -m bench.startup [--rounds 5] [--seconds 20] [--json]

`wattbook run` with three PZEM-016: from its start to the first whole request that the meters saw, and to the first
reading over HTTP; then, left alone with a reading of each every 5 s, its memory. `wattbook demo`: from its start to the
first PZEM reading over HTTP, the simulator's start included.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import machine
from bench.figures import Figure, progress, show
from bench.laboratory import Laboratory
from bench.running import Running, free_port, line_text, run_daemon

ADDRESSES = (4, 5, 6)
METERS = ("m4", "m5", "m6")
DEMO_METERS = ("main-a", "main-b", "generator")  # one of them has power
FIRST_POLL_S_MAX, DEMO_S_MAX, MEMORY_MB_MAX = 1.0, 2.0, 80.0


def start(folder: Path) -> tuple[float, float]:
    """Seconds to the first poll and to the first reading over HTTP."""
    with _laboratory(folder) as laboratory, _daemon(folder, laboratory) as run:
        first_s = laboratory.first_request() - run.began_s
        return first_s, run.wait_for_any(METERS)


def resting(folder: Path, seconds: float) -> machine.Memory:
    """Memory of a daemon that was left alone."""
    with _laboratory(folder) as laboratory, _daemon(folder, laboratory) as run:
        run.wait_for_all(METERS)
        time.sleep(seconds)
        return machine.memory(run.pid)


def _laboratory(folder: Path) -> Laboratory:
    return Laboratory(folder / "rs485", "pzem-016", ADDRESSES)


def _daemon(folder: Path, laboratory: Laboratory) -> Running:
    return run_daemon(folder, line_text(laboratory.port, "pzem-016", ADDRESSES, every="5s"))


def demo(folder: Path) -> float:
    """Seconds to the first PZEM reading of the demo."""
    port = free_port()
    arguments = ["demo", "--dir", str(folder / "demo"), "--listen", f"127.0.0.1:{port}"]
    with Running(arguments, folder=folder, port=port) as run:
        return run.wait_for_any(DEMO_METERS)


def measure(rounds: int, seconds: float) -> list[Figure]:
    """Medians of several starts; the longest tells how much the machine disturbs."""
    progress(f"{rounds} starts, {seconds:.0f} s of rest, {rounds} demos")
    first, read, demos = list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
        for number in range(rounds):
            folder = Path(name, str(number))
            folder.mkdir()
            first_s, read_s = start(folder)
            first.append(first_s)
            read.append(read_s)
            demos.append(demo(folder))
        memory = resting(Path(name), seconds)
    return [
        Figure("wattbook run, 3 meters: start to first poll", statistics.median(first), "s", at_most=FIRST_POLL_S_MAX),
        Figure(f"  longest of {rounds}", max(first), "s"),
        Figure("  start to first reading over HTTP", statistics.median(read), "s"),
        Figure(f"  memory (RSS) after {seconds:.0f} s", memory.rss, "MB", at_most=MEMORY_MB_MAX),
        Figure("  memory of its own (PSS)", memory.pss, "MB"),
        Figure(
            "wattbook demo: start to first PZEM reading over HTTP", statistics.median(demos), "s", at_most=DEMO_S_MAX
        ),
        Figure(f"  longest of {rounds}", max(demos), "s"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="of rest before the memory is looked at")
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args(arguments)
    show(measure(given.rounds, given.seconds), as_json=given.json)


if __name__ == "__main__":
    main()
