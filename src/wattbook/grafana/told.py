"""Which quantities a meter tells, as far as its model says."""

from __future__ import annotations

from collections.abc import Sequence

from wattbook.profiles import Profile

_ENERGY = "active_energy_import"


def told_by(profile: Profile) -> Sequence[str]:
    """Quantities of a model, in its order. Where the meter decides, those that every such meter has."""
    if profile.modbus is not None:
        return [register.quantity for register in profile.modbus.registers]
    if profile.mqtt is not None:
        return [field.quantity for field in profile.mqtt.fields]
    if profile.protocol in ("dsmr", "sml"):
        return ["active_power", _ENERGY]
    if profile.protocol == "iec62056-21":
        return [_ENERGY]
    return []  # the machine itself tells no electricity; what is pushed shows in the book
