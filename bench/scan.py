"""How long `wattbook scan` takes for all addresses at the models' own settings: `python -m bench.scan`.

One PZEM-016 answers at address 100, at 9600 Bd with the timing of a wire; every other question ends in silence.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from wattbook.engine.scan import Scan
from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Options, SimulatedLine, SimulatedMeter, build

_UNIT = 100


def main() -> None:
    """Scan once and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=Path, help="models beside the shipped ones")
    parser.add_argument("--think", type=float, default=0.0, metavar="S", help="the meter's own delay, in seconds")
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="how long the adapter holds bytes")
    given = parser.parse_args()
    library = Library([given.profiles] if given.profiles else [])
    models = [model for model in library if model.modbus is not None]
    line = SimulatedLine("line", "rs485", SerialSettings(9600), latency_s=given.latency)
    meter = SimulatedMeter("meter", "line", library.get("pzem-016"), _UNIT, turnaround_s=given.think)
    with tempfile.TemporaryDirectory() as folder, build([line], [meter], Options(Path(folder))) as simulation:
        scan = Scan(simulation.address("line"), models)
        began = time.monotonic()
        outcome = scan.run()
        took_s = time.monotonic() - began
    found = ", ".join(f"{one.who.model.name if one.who.model else 'unknown'} at {one.unit}" for one in outcome.found)
    settings = len({one.settings for one in scan.passes})
    print(f"{len(models)} models, {settings} settings, {outcome.asked} questions: {took_s:.1f} s")
    print(f"planned without an answer: {scan.total_s:.1f} s")
    print(f"first byte awaited {scan.passes[0].first_byte_s * 1000:.1f} ms; found: {found or 'nobody'}")
    raise SystemExit(not outcome.found)


if __name__ == "__main__":
    main()
