"""How well one line is used: share of its limit, offences against its silence, CPU, and what faults cost.

    python bench/line.py [--json] [--seconds 10] [--only NAME ...] [--peers]

The simulator runs in a process of its own and judges by its own clock. The limit of a poll is what request, answer and
twice 3.5 characters of silence take on the wire.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wattbook.engine.collect import LineTask, MeterTask, SerialLine
from wattbook.model import Event, Kept, Reading, SystemClock
from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Faults, SimulatedLine, SimulatedMeter, build

ADDRESSES = (4, 5, 6, 7)
SWITCH_INTERVAL_S = 0.0005  # the daemon's
Figures = dict[str, Any]


class Counting:
    """A keeper that only counts, so that the line alone is measured."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = {}
        self.events: list[tuple[float, Event]] = []

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise NotImplementedError

    def measured(self, reading: Reading) -> None:
        self.at.setdefault(reading.meter, []).append(time.monotonic())

    def note(self, event: Event) -> None:
        self.events.append((time.monotonic(), event))


class Laboratory:
    """The simulator in its own process, and how to talk to it."""

    def __init__(self, folder: Path, baud: int) -> None:
        self.port = str(folder / "rs485")
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--simulate", self.port, str(baud)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout and self._process.stdin
        self._answers, self._orders = self._process.stdout, self._process.stdin
        self._answers.readline()  # it is ready

    def order(self, **order: Any) -> Any:
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        return json.loads(self._answers.readline())

    def close(self) -> None:
        self._orders.close()
        self._process.wait(10)
        self._answers.close()


def simulate(port: str, baud: int) -> None:
    """Run the simulator until standard input ends; each line there is an order."""
    profile = Library().get("pzem-016")
    line = SimulatedLine("rs485", port, SerialSettings(baud=baud))
    meters = [SimulatedMeter(f"m{address}", "rs485", profile, address) for address in ADDRESSES]
    with build([line], meters) as simulation:
        print("ready", flush=True)
        for text in sys.stdin:
            order = json.loads(text)
            match order.pop("do"):
                case "reset":
                    simulation.reset_statistics()
                    print("{}", flush=True)
                case "faults":
                    simulation.set_faults(order.pop("name"), Faults(**order))
                    print(json.dumps(time.monotonic()), flush=True)
                case _:
                    print(json.dumps(asdict(simulation.statistics()["rs485"])), flush=True)


@contextmanager
def reading(baud: int) -> Iterator[tuple[Laboratory, SerialLine, Counting]]:
    """Four PZEM-016 asked as often as the line allows."""
    with tempfile.TemporaryDirectory() as folder:
        laboratory = Laboratory(Path(folder), baud)
        keeper, profile = Counting(), Library().get("pzem-016")
        meters = tuple(MeterTask(f"m{address}", profile, address) for address in ADDRESSES)
        task = LineTask("rs485", (laboratory.port,), meters, keeper, SystemClock(), SerialSettings(baud=baud))
        line = SerialLine(task)
        line.start()
        deadline = time.monotonic() + 10
        while len(keeper.at) < len(ADDRESSES) and time.monotonic() < deadline:
            time.sleep(0.05)
        try:
            yield laboratory, line, keeper
        finally:
            line.stop()
            laboratory.close()


def healthy(baud: int, seconds: float, load: Callable[[threading.Event], None] | None = None) -> Figures:
    """Share of the limit, offences and CPU, alone or beside a thread that keeps the interpreter busy."""
    stop = threading.Event()
    thread = threading.Thread(target=load, args=(stop,)) if load else None
    with reading(baud) as (laboratory, line, keeper):
        if thread:
            thread.start()
        time.sleep(0.5)
        laboratory.order(do="reset")
        polls, cpu = sum(map(len, keeper.at.values())), time.process_time()
        time.sleep(seconds)
        polls, cpu = sum(map(len, keeper.at.values())) - polls, time.process_time() - cpu
        seen = laboratory.order(do="statistics")
        timeouts = sum(status.counters.timeouts for status in line.statuses)
        stop.set()
        if thread:
            thread.join()
    figures = {
        "share": round(seen["share"], 4), "polls_per_s": round(seen["polls_per_s"], 2),
        "offences": seen["offences"], "gap_min_ms": round(1000 * (seen["gap_min_s"] or 0), 3),
        "timeouts": timeouts, "simulator_late_ms_max": round(1000 * seen["late_max_s"], 2),
    }  # fmt: skip
    if not load:
        figures["cpu_s_per_1000_polls"] = round(1000 * cpu / max(polls, 1), 3)
    return figures


def busy(stop: threading.Event) -> None:
    """Stand in for an API queried hard: pure Python that never lets go of the interpreter by itself."""
    while not stop.is_set():
        json.loads(json.dumps({"points": [{"at": n, "value": n / 7} for n in range(1000)]}))


def faulty(seconds: float, **faults: Any) -> Figures:
    """What one bad slave of four costs the others, from the moment it goes bad."""
    with reading(9600) as (laboratory, _, keeper):
        time.sleep(1)
        began = laboratory.order(do="faults", name="m5", **faults)
        time.sleep(seconds)
        ended = time.monotonic()
        good = {name: [at for at in instants if began <= at <= ended] for name, instants in keeper.at.items()}
        good.pop("m5")
        offences = laboratory.order(do="statistics")["offences"]
    gaps = [later - earlier for at in good.values() for earlier, later in itertools.pairwise(at)]
    per_s = sum(map(len, good.values())) / (ended - began)
    limit = 1 / ((8 + 23) * 10 / 9600 + 2 * 3.5 * 10 / 9600)
    return {
        "healthy_polls_per_s": round(per_s, 2), "share_of_line": round(per_s / limit, 4),
        "gap_max_s": round(max(gaps), 3), "offences": offences,
    }  # fmt: skip


def replug(times: int = 5) -> Figures:
    """From the new port's appearance to the first reading, seconds; and CPU while it was away."""
    waits, cpus = [], []
    with reading(9600) as (laboratory, line, keeper):
        for _ in range(times):
            laboratory.order(do="faults", name="rs485", unplugged=True)
            time.sleep(0.5)
            cpu = time.process_time()
            time.sleep(1.5)
            cpus.append((time.process_time() - cpu) / 1.5)
            assert all(status.state == "away" for status in line.statuses)
            back = laboratory.order(do="faults", name="rs485")
            deadline = time.monotonic() + 5
            while not (late := [at[-1] for at in keeper.at.values() if at[-1] > back]):
                assert time.monotonic() < deadline, "it never came back"
                time.sleep(0.005)
            waits.append(min(late) - back)
            time.sleep(0.5)
    return {"back_after_s_max": round(max(waits), 3), "cpu_share_while_away": round(max(cpus), 4)}


def peers(seconds: float) -> Figures:
    """minimalmodbus on the same line, one block a meter."""
    import minimalmodbus
    import serial

    with tempfile.TemporaryDirectory() as folder:
        laboratory = Laboratory(Path(folder), 9600)
        port = serial.Serial(laboratory.port, 9600, timeout=0.5)
        instruments = [minimalmodbus.Instrument(port, address) for address in ADDRESSES]
        laboratory.order(do="reset")
        end, polls, cpu = time.monotonic() + seconds, 0, time.process_time()
        while time.monotonic() < end:
            instruments[polls % 4].read_registers(0, 9, 4)
            polls += 1
        cpu = time.process_time() - cpu
        seen = laboratory.order(do="statistics")
        port.close()
        laboratory.close()
    return {
        "share": round(seen["share"], 4), "offences": seen["offences"],
        "cpu_s_per_1000_polls": round(1000 * cpu / polls, 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--peers", action="store_true", help="minimalmodbus beside it")
    parser.add_argument("--simulate", nargs=2, metavar=("PORT", "BAUD"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.simulate:
        simulate(arguments.simulate[0], int(arguments.simulate[1]))
        return
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    seconds = arguments.seconds
    benches: Mapping[str, Callable[[], Figures]] = {
        "9600": lambda: healthy(9600, seconds),
        "9600-busy": lambda: healthy(9600, seconds, busy),
        "19200": lambda: healthy(19200, seconds),
        "19200-busy": lambda: healthy(19200, seconds, busy),
        "silent": lambda: faulty(seconds, silent=True),
        "crc-broken": lambda: faulty(seconds, damage_every=1),
        "replug": replug,
    }
    if arguments.peers:
        benches = {**benches, "minimalmodbus": lambda: peers(seconds)}
    figures: Figures = {}
    for name, bench in benches.items():
        if not arguments.only or name in arguments.only:
            figures[name] = bench()
            if not arguments.json:
                print(name, *(f"{key}={value}" for key, value in figures[name].items()), flush=True)
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
