"""The house that `wattbook demo` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wattbook.profiles import Library
from wattbook.simulate.house import House
from wattbook.simulate.settings import SimulatedLine, SimulatedMeter


@dataclass(frozen=True, slots=True)
class Demo:
    """Lines and meters for `build`."""

    lines: Sequence[SimulatedLine]
    meters: Sequence[SimulatedMeter]


def demo_house(library: Library | None = None, *, seed: int = 1) -> Demo:
    """Three PZEM-016 (two legs of the utility and a generator), a two-tariff meter at 300 Bd, a heat pump with SML.

    Line names are also the names of their ports, in the folder given to `build`.
    """
    library = library or Library()
    pzem, two_tariff, sml = (library.get(name) for name in ("pzem-016", "zpa-two-tariff", "sml"))
    house = House(seed)
    lines = [SimulatedLine(name, port=name) for name in ("rs485", "optical", "sml")]
    meters = [
        SimulatedMeter("main-a", "rs485", pzem, 4, house.leg_a),
        SimulatedMeter("main-b", "rs485", pzem, 5, house.leg_b),
        SimulatedMeter("generator", "rs485", pzem, 6, house.generator),
        SimulatedMeter("utility", "optical", two_tariff, source=house.main, baud=4800),
        SimulatedMeter("heat-pump", "sml", sml, source=house.heat_pump, every_s=2.0),
    ]
    return Demo(lines, meters)
