"""Simulated meters in a process of their own, judged by their own clock, and how to talk to them.

Each order is a line of JSON on standard input, and so is its answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Faults, Plausible, SimulatedLine, SimulatedMeter, Simulation, build

LINE = "line"
_FIRST_S_MAX = 20.0  # a reader that takes longer to start will not come


class Laboratory:
    """One line with meters of one model at `port`, strict: what comes before 3.5 characters of silence is ignored."""

    def __init__(self, port: Path, model: str, addresses: Sequence[int] = (), *, baud: int | None = None) -> None:
        self.port = port
        setting = {"port": str(port), "model": model, "addresses": list(addresses), "baud": baud}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.laboratory", json.dumps(setting)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout and self._process.stdin
        self._answers, self._orders = self._process.stdout, self._process.stdin
        assert self._answers.readline() == "ready\n", "the simulator did not start"

    @property
    def pid(self) -> int:
        """Of the simulator."""
        return self._process.pid

    def reset(self) -> dict[str, Any]:
        """Begin a new window; return the statistics of the one before."""
        return dict(self.order("reset"))

    def statistics(self) -> dict[str, Any]:
        """What LineStatistics holds."""
        return dict(self.order("statistics"))

    def first_request(self) -> float:
        """Wait for the first request since the start or the last reset; return the monotonic instant it was whole."""
        instant = self.order("first")
        assert instant is not None, f"nobody asked the meters within {_FIRST_S_MAX:.0f} s"
        return float(instant)

    def set_faults(self, name: str, **faults: Any) -> float:
        """Faults of a meter ("m4" for the address 4) or of the line; return the instant since when."""
        return float(self.order("faults", name=name, **faults))

    def order(self, do: str, **order: Any) -> Any:
        """Send an order and return its answer."""
        self._orders.write(json.dumps({"do": do, **order}) + "\n")
        self._orders.flush()
        return json.loads(self._answers.readline())

    def close(self) -> None:
        """End it."""
        self._orders.close()
        self._process.wait(10)
        self._answers.close()

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def behind(address: int) -> Plausible:
    """What the meter of this address measures."""
    return Plausible(address)


def run(port: str, model: str, addresses: Sequence[int], baud: int | None) -> None:
    """Simulate until standard input ends."""
    profile = Library().get(model)
    serial = SerialSettings(baud=baud) if baud else None
    meters = [SimulatedMeter(f"m{address}", LINE, profile, address, source=behind(address)) for address in addresses]
    with build([SimulatedLine(LINE, port, serial)], meters or [SimulatedMeter("m", LINE, profile)]) as simulation:
        print("ready", flush=True)
        for text in sys.stdin:
            print(json.dumps(_answer(simulation, json.loads(text))), flush=True)


def _answer(simulation: Simulation, order: dict[str, Any]) -> Any:
    match order.pop("do"):
        case "first":
            return _first_request(simulation)
        case "faults":
            simulation.set_faults(order.pop("name"), Faults(**order))
            return time.monotonic()
        case kind:
            seen = asdict(simulation.statistics()[LINE])
            if kind == "reset":
                simulation.reset_statistics()
            return seen


def _first_request(simulation: Simulation) -> float | None:
    end_s = time.monotonic() + _FIRST_S_MAX
    while time.monotonic() < end_s:
        if simulation.statistics()[LINE].requests:
            return time.monotonic()
        time.sleep(0.001)
    return None


if __name__ == "__main__":
    run(**json.loads(sys.argv[1]))
