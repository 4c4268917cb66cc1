"""Addresses of systems that wattbook replaces, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping

from wattbook.api.answers import compact
from wattbook.model import Reading, quantity
from wattbook.model.vocabulary import unit_factor
from wattbook.profiles import Display

ENERGY_PATH = "/electricity_meter/api/v1.0/energy"
# In the order in which Flask sorted the keys; the Czech meter counts high tariff in register 1, low in 2.
_ENERGY_KEYS: Mapping[str, str] = {
    "highTarif": "active_energy_import_t1",
    "lowTarif": "active_energy_import_t2",
    "suma": "active_energy_import",
}
_DISPLAY = Display(integer_digits=7, decimals=3)  # of the meter behind the replaced program


def energy(reading: Reading | None, display: Display | None) -> bytes:
    """The answer of the optical reader: the texts on the meter's display, and the number 0 for what was never read.

    Flask's `jsonify` wrote it: keys sorted, no spaces, a line feed at the end.
    """
    display = display or _DISPLAY
    values = reading.values if reading else {}
    shown = {key: _shown(values[name], name, display) if name in values else 0 for key, name in _ENERGY_KEYS.items()}
    return compact({"energy": shown}) + b"\n"


def _shown(value: float, name: str, display: Display) -> str:
    return display.text(value, unit_factor(display.unit, quantity(name).unit))
