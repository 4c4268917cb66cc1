"""The whole daemon on one line: share of the line's limit, offences and CPU, idle and while its API is queried hard.

    python -m bench.daemon [--seconds 40] [--only idle-9600 busy-9600 idle-19200 busy-19200] [--json]

`wattbook run` asks four PZEM-016 as fast as the line allows (every = "0s"); the meters are simulated by another
process, which ignores requests before 3.5 characters of silence and judges by its own clock. The limit of a poll is
what request, answer and twice 3.5 characters take on the wire. The book holds an hour of a reading a second of each
meter beforehand, so that the queries have something to read. Afterwards the book is compared with what was answered.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import machine
from bench.figures import Figure, progress, show
from bench.laboratory import Laboratory, behind
from bench.running import Running, line_text, run_daemon
from wattbook.model import Reading, SystemClock
from wattbook.profiles import Library
from wattbook.store import Book, BookReader

ADDRESSES = (4, 5, 6, 7)
METERS = tuple(f"m{address}" for address in ADDRESSES)
SHARE_MIN = {9600: 99.0, 19200: 98.0}  # % of the line's limit
CPU_S_MAX, LINE_CPU_S_MAX = 0.3, 0.15  # a thousand polls, while nobody queries
MODEL = "pzem-016"
HOUR = 3600  # readings of each meter before the start
_SETTLE_S = 2.0  # after the first answers: imports end, waits have learnt how late they wake
_WHOLE = 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """One run."""

    baud: int
    hard: bool  # the API is queried

    @property
    def name(self) -> str:
        return f"{'busy' if self.hard else 'idle'}-{self.baud}"

    @property
    def title(self) -> str:
        return f"4 × PZEM-016 at {self.baud} Bd, API {'queried hard' if self.hard else 'idle'}"


CASES = [Case(baud, hard) for baud in SHARE_MIN for hard in (False, True)]


class Hammer:
    """bench/hammer.py in a process of its own, from entering to leaving."""

    def __init__(self, port: int) -> None:
        self._command = [sys.executable, "-m", "bench.hammer", str(port)]
        self.told: dict[str, float] = {}

    def __enter__(self) -> Hammer:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        told, _nothing = self._process.communicate("", timeout=60)
        self.told = json.loads(told)


def measure(case: Case, seconds: float) -> list[Figure]:
    """Run the daemon and return what was found."""
    progress(f"{case.title}: {seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        fill(folder / "wattbook.db")
        with Laboratory(folder / "rs485", MODEL, ADDRESSES, baud=case.baud) as laboratory:
            with run_daemon(folder, line_text(laboratory.port, MODEL, ADDRESSES, every="0s", baud=case.baud)) as run:
                found = _watch(case, seconds, laboratory, run)
            answered = found["before"] + laboratory.statistics()["answers"]
        kept = count(folder / "wattbook.db") - HOUR * len(ADDRESSES)
    return _figures(case, found, lost=answered - kept)


def _watch(case: Case, seconds: float, laboratory: Laboratory, run: Running) -> dict[str, Any]:
    """The window of measurement."""
    run.wait_for_all(METERS)
    hammer = Hammer(run.port) if case.hard else None
    with hammer or nullcontext():
        time.sleep(_SETTLE_S)
        (line,) = machine.line_threads(run.pid)
        cpu_s, line_s, simulator_s = (
            machine.cpu_s(run.pid),
            machine.threads_cpu_s(run.pid)[line],
            machine.cpu_s(laboratory.pid),
        )
        before = laboratory.reset()["answers"]
        began_s = time.monotonic()
        time.sleep(seconds)
        seen = laboratory.reset()
        took_s = time.monotonic() - began_s
        return {
            "before": before + seen["answers"],
            "seen": seen,
            "took_s": took_s,
            "cpu_s": machine.cpu_s(run.pid) - cpu_s,
            "line_s": machine.threads_cpu_s(run.pid)[line] - line_s,
            "simulator_s": machine.cpu_s(laboratory.pid) - simulator_s,
            "load": machine.load_average(),
            "hammer": hammer,
        }


def _figures(case: Case, found: dict[str, Any], *, lost: int) -> list[Figure]:
    seen, hammer = found["seen"], found["hammer"]
    thousands = max(seen["answers"], 1) / 1000
    idle = not case.hard
    figures = [
        Figure(f"{case.title}: share of the line's limit", seen["share"] * 100, "%", at_least=SHARE_MIN[case.baud]),
        Figure("  requests before 3.5 characters of silence", seen["offences"], at_most=0),
        Figure("  shortest silence before a request", (seen["gap_min_s"] or 0) * 1000, "ms"),
        Figure("  answers that are not in the book (the stop may cut one)", lost, at_most=1),
        Figure(
            "  CPU of the whole daemon per 1,000 polls", found["cpu_s"] / thousands, "s",
            at_most=CPU_S_MAX if idle else None,
        ),
        Figure(
            "  CPU of the line's thread per 1,000 polls", found["line_s"] / thousands, "s",
            at_most=LINE_CPU_S_MAX if idle else None,
        ),
    ]  # fmt: skip
    if hammer:
        figures += [
            Figure("  HTTP requests answered meanwhile", hammer.told["requests_per_s"], "/s"),
            Figure("  one of a hundred took longer than", hammer.told["slowest_of_100_ms"], "ms"),
        ]
    return [
        *figures,
        Figure("  the simulator's own lateness, mean", seen["late_s"] * 1000, "ms"),
        Figure("  the simulator's own lateness, longest", seen["late_max_s"] * 1000, "ms"),
        Figure("  load average of the machine", found["load"]),
    ]


def fill(path: Path) -> None:
    """A book with an hour of readings of the same meters up to now: what they tell next goes on from it."""
    clock, profile = SystemClock(), Library().get(MODEL)
    assert profile.modbus
    decimals = {register.quantity: register.scale.decimals for register in profile.modbus.registers}
    start = clock.now() - timedelta(seconds=HOUR + 1)
    with Book.open(path, clock=clock) as book:
        for address, meter in zip(ADDRESSES, METERS, strict=True):
            its = behind(address)
            readings = [
                Reading(
                    meter, at, {name: round(its.value(name, at) or 0.0, digits) for name, digits in decimals.items()}
                )
                for at in (start + timedelta(seconds=number) for number in range(HOUR))
            ]
            book.append(readings, urgent=True).result()


def count(path: Path) -> int:
    """Readings in a book."""
    readings, after = 0, ""
    with BookReader(path) as reader:
        while batch := reader.read(after, _WHOLE):
            readings, after = readings + sum(map(len, batch.columns)), batch.upto
    return readings


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--only", nargs="*", choices=[case.name for case in CASES], default=[])
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args(arguments)
    chosen = [case for case in CASES if not given.only or case.name in given.only]
    show([figure for case in chosen for figure in measure(case, given.seconds)], as_json=given.json)


if __name__ == "__main__":
    main()
