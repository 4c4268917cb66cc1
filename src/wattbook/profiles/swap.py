"""A meter that calls import what is export: the same model with its counters of energy exchanged."""

from __future__ import annotations

from dataclasses import replace

from wattbook.profiles.profile import Profile, Register


def swap_import_export(profile: Profile) -> Profile:
    """A Modbus model whose import and export change names; powers keep their signs."""
    if profile.modbus is None:
        return profile
    registers = tuple(map(_swapped, profile.modbus.registers))
    return replace(profile, modbus=replace(profile.modbus, registers=registers))


def _swapped(register: Register) -> Register:
    name = register.quantity
    if "energy_import" in name:
        return replace(register, quantity=name.replace("energy_import", "energy_export"))
    return replace(register, quantity=name.replace("energy_export", "energy_import"))
