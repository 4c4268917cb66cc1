"""Optical meters in mode C: how much of the line's time is what the dialogue must take.

    python -m bench.optical [--readouts 6] [--json]

`wattbook run` reads one meter out again and again (every = "0s"), through a pseudo-terminal with true byte timing. What
one readout must take, by the simulator's own clock and from the bytes that it really heard and said:

    sign-on and identification   their characters of 10 bits (7E1) at 300 Bd
    200 ms                       the meter's least reaction time, before the identification
    200 ms                       the reader's, before the acknowledgement
    acknowledgement              6 characters at 300 Bd
    200 ms                       the meter's again, before the data
    data block                   its characters at 9600 Bd, or at 300 Bd when nobody changes speed

The share is the sum of this over all whole readouts / the time from the first sign-on to the last one. The standard
asks for no pause between the block and the next sign-on, so whatever passes there counts against us.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import machine
from bench.figures import Figure, progress, show
from bench.laboratory import Laboratory
from bench.running import Running, line_text, run_daemon

MODELS = {"iec62056-21": "300 → 9600 Bd", "zpa-two-tariff": "staying at 300 Bd"}
SHARE_MIN = 95.0  # %
_READOUT_S_MAX = 60.0  # the longest at 300 Bd takes 20 s


def measure(model: str, readouts: int) -> list[Figure]:
    """Read out so often, and then look."""
    progress(f"optical, {MODELS[model]}: {readouts} readouts")
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        with Laboratory(folder / "head", model) as laboratory, _daemon(folder, laboratory, model) as run:
            run.wait_for_page()
            laboratory.reset()
            laboratory.first_request()
            began_s, cpu_s = time.monotonic(), machine.cpu_s(run.pid)
            # A readout counts once the next one begins.
            while (seen := laboratory.statistics())["requests"] <= readouts:
                assert time.monotonic() - began_s < readouts * _READOUT_S_MAX, f"the readouts hang: {seen}"
                time.sleep(0.1)
            cpu_s = machine.cpu_s(run.pid) - cpu_s
    return [
        Figure(f"optical mode C, {MODELS[model]}: share of line time", seen["share"] * 100, "%", at_least=SHARE_MIN),
        Figure("  one readout takes", seen["elapsed_s"] / readouts, "s"),
        Figure("  messages before 200 ms of silence", seen["offences"], at_most=0),
        Figure("  messages that the meter did not understand", seen["garbled"], at_most=0),
        Figure("  CPU of the whole daemon per second of line time", 1000 * cpu_s / seen["elapsed_s"], "ms"),
        Figure("  the simulator's own lateness, mean", seen["late_s"] * 1000, "ms"),
    ]


def _daemon(folder: Path, laboratory: Laboratory, model: str) -> Running:
    return run_daemon(folder, line_text(laboratory.port, model, (), every="0s"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readouts", type=int, default=6)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args(arguments)
    show([figure for model in MODELS for figure in measure(model, given.readouts)], as_json=given.json)


if __name__ == "__main__":
    main()
