"""What a kWh costs, from which source and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from wattbook.tariffs.calendar import When


@dataclass(frozen=True, slots=True)
class EnergyPrice:
    """One price of the energy component. Negative ones exist: exchanges have them."""

    name: str  # "low tariff"
    price: Decimal  # of a kWh, in the currency of its version
    source: str = "utility"  # utility, generator, solar or battery
    export: bool = False  # what is paid for a kWh that is given away
    register: str = ""  # "t2": the meter's register of this price, where it has one
    when: When = field(default_factory=When)
