"""How Prometheus calls our quantities: the same on the /metrics page and in remote write."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from wattbook.model.vocabulary import quantity

UNIT_NAMES: Mapping[str, str] = {
    "V": "volts", "A": "amperes", "W": "watts", "var": "vars", "VA": "volt_amperes", "Wh": "watt_hours",
    "varh": "var_hours", "VAh": "volt_ampere_hours", "Hz": "hertz", "°": "degrees", "°C": "celsius", "%": "percent",
    "s": "seconds", "1": "",
}  # fmt: skip


@cache
def metric_name(name: str) -> str:
    """`wattbook_active_power_watts` of "active_power". Raises UnknownQuantity."""
    return f"wattbook_{name}_{UNIT_NAMES[quantity(name).unit]}".rstrip("_")
