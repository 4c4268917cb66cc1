"""A meter with scattered registers: ten parameters of a PM710 at 9600 Bd, as few requests as the wire makes worthwhile.

    python -m bench.cycle [--seconds 15] [--json]

`wattbook run` asks one simulated PM710 for the ten parameters of an analyser of lector (integer registers and the
exponents that they count in) as fast as the line allows. minimalmodbus is the peer, in two ways that people write: a
read for each parameter, and a read for each run of registers without a gap.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.daemon import count
from bench.figures import Figure, progress, show
from bench.laboratory import Laboratory
from bench.running import line_text, run_daemon

MODEL, BAUD, CYCLE_MS_MAX = "pm710", 9600, 180.0
PARAMETERS = (
    *("voltage_l1", "voltage_l2", "voltage_l3", "current_l1", "current_l2", "current_l3", "current_n", "frequency"),
    *("active_power_l1", "active_power_l2", "active_power_l3", "active_power", "apparent_power", "reactive_power"),
    *("power_factor", "voltage_thd_l1", "voltage_thd_l2", "voltage_thd_l3", "active_energy_import"),
)
# (first register as the vendor prints it, how many), with the exponents
ONE_BY_ONE = [
    (4033, 3),
    (4020, 4),
    (4013, 1),
    (4036, 3),
    (4006, 1),
    (4007, 1),
    (4008, 1),
    (4009, 1),
    (4049, 3),
    (4000, 2),
]
MERGED = [(4000, 2), (4006, 4), (4013, 1), (4020, 4), (4033, 6), (4049, 3)]
EXPONENTS = (4105, 4)
_SETTLE_S = 2.0


def ours(seconds: float) -> list[Figure]:
    """The daemon, by what is in its book."""
    progress(f"wattbook on a PM710: {seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        with Laboratory(folder / "rs485", MODEL, (1,), baud=BAUD) as laboratory:
            quantities = ", ".join(f'"{quantity}"' for quantity in PARAMETERS)
            text = line_text(laboratory.port, MODEL, (1,), every="0s", baud=BAUD) + f"quantities = [{quantities}]\n"
            with run_daemon(folder, text) as run:
                run.wait_for_all(("m1",))
                time.sleep(_SETTLE_S)
                laboratory.reset()
                time.sleep(seconds)
                seen = laboratory.statistics()
            readings = count(folder / "wattbook.db")
            assert readings > 1, "nothing was read"
        requests = _requests_a_cycle()
    return [
        Figure("PM710, ten parameters at 9600 Bd: one cycle", _cycle_ms(seen, requests), "ms", at_most=CYCLE_MS_MAX),
        Figure("  requests in it", requests),
        Figure("  share of the line's limit for these requests", seen["share"] * 100, "%"),
        Figure("  requests before 3.5 characters of silence", seen["offences"], at_most=0),
    ]


def _requests_a_cycle() -> int:
    from wattbook.codecs.registers import plan_profile
    from wattbook.profiles import Library

    modbus = Library().get(MODEL).only(PARAMETERS).modbus
    assert modbus is not None
    return len(plan_profile(modbus).blocks)


def _cycle_ms(seen: dict[str, float], requests: int) -> float:
    return 1000 * requests / seen["polls_per_s"]


def peer(title: str, runs: Sequence[tuple[int, int]], seconds: float) -> list[Figure]:
    """minimalmodbus, reading these runs of registers again and again."""
    progress(f"minimalmodbus, {title}: {seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-") as folder:
        port = Path(folder) / "rs485"
        with Laboratory(port, MODEL, (1,), baud=BAUD) as laboratory:
            places = [str(number) for run in runs for number in run]
            process = subprocess.Popen([sys.executable, "-m", "bench.cycle", "--reader", str(port), *places])
            try:
                laboratory.first_request()
                time.sleep(_SETTLE_S)
                laboratory.reset()
                time.sleep(seconds)
                seen = laboratory.statistics()
            finally:
                process.kill()
                process.wait()
    return [
        Figure(f"minimalmodbus, {title}: one cycle", _cycle_ms(seen, len(runs)), "ms"),
        Figure("  requests in it", len(runs)),
    ]


def read_minimalmodbus(port: str, runs: Sequence[tuple[int, int]]) -> None:
    """As people write it."""
    import minimalmodbus
    import serial

    instrument = minimalmodbus.Instrument(serial.Serial(port, BAUD, timeout=0.5), 1)
    end_s = time.monotonic() + 600
    while time.monotonic() < end_s:
        for first, size in runs:
            instrument.read_registers(first - 1, size, 3)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    parser.add_argument("--reader", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.reader:
        port, *places = given.reader
        numbers = list(map(int, places))
        read_minimalmodbus(port, list(zip(numbers[::2], numbers[1::2], strict=True)))
        return
    figures = ours(given.seconds)
    figures += peer("a read for each parameter", [*ONE_BY_ONE, EXPONENTS], given.seconds)
    figures += peer("a read for each run of registers", [*MERGED, EXPONENTS], given.seconds)
    show(figures, as_json=given.json)


if __name__ == "__main__":
    main()
