"""Prices over time, pure: what a kWh costs at an instant, and what energy costs at such prices. No I/O, no clock."""

from wattbook.tariffs.calendar import DAYS, When
from wattbook.tariffs.cost import ZERO, amount_of, plain, rounded, total_of
from wattbook.tariffs.currency import MINOR_DIGITS
from wattbook.tariffs.price import EnergyPrice
from wattbook.tariffs.tariff import Tariff, Version
from wattbook.tariffs.zones import Zones

__all__ = [
    "DAYS",
    "MINOR_DIGITS",
    "ZERO",
    "EnergyPrice",
    "Tariff",
    "Version",
    "When",
    "Zones",
    "amount_of",
    "plain",
    "rounded",
    "total_of",
]
