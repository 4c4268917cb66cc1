"""Which quantities follow from others: energy from power, and the sum of several meters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wattbook.model.vocabulary import quantity

_ENERGY = re.compile(r"(?P<kind>active|reactive)_energy_(?P<way>import|export)(?P<phase>_l[123])?")
_APPARENT = re.compile(r"apparent_energy(?P<phase>_l[123])?")
_SUMMABLE_UNITS = ("W", "var", "VA", "A", "Wh", "varh", "VAh", "s")
_SUMMABLE_COUNTS = ("pulse_count", "analogue")  # of the unit 1
_EXTREME = ("_max", "_min")


@dataclass(frozen=True, slots=True)
class PowerOf:
    """The power whose integral is an energy: of its positive values (`sign` 1), or of its negative ones (-1)."""

    quantity: str
    sign: int


def power_of(energy: str) -> PowerOf | None:
    """The power that an energy is the integral of; None where there is none (tariffs, quadrants, other registers)."""
    if match := _ENERGY.fullmatch(energy):
        return PowerOf(f"{match['kind']}_power{match['phase'] or ''}", 1 if match["way"] == "import" else -1)
    if match := _APPARENT.fullmatch(energy):
        return PowerOf(f"apparent_power{match['phase'] or ''}", 1)
    return None


def adds_up(name: str) -> bool:
    """Whether the values of several meters at one time can be added: powers can, voltages and maxima cannot."""
    if name.endswith(_EXTREME):
        return False
    return quantity(name).unit in _SUMMABLE_UNITS or name.startswith(_SUMMABLE_COUNTS)
