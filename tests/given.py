"""A source whose values a model's registers can show exactly, so that both ends of a line must agree to the bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from wattbook.model.vocabulary import Kind, quantity
from wattbook.profiles import Profile, Register


@dataclass(frozen=True, slots=True)
class Given:
    """Values that stand still."""

    values: Mapping[str, float]

    def value(self, name: str, at: datetime) -> float | None:
        return self.values.get(name)

    def powered(self, at: datetime) -> bool:
        return True


def given(profile: Profile) -> Given:
    """A different count in every register, some below zero."""
    assert profile.modbus is not None
    registers = profile.modbus.registers
    return Given({one.quantity: _value(one, number) for number, one in enumerate(registers, 1)})


def _value(register: Register, number: int) -> float:
    for count in _counts(register, number):
        value = count * register.scale.multiplier / (10**register.scale.decimals * register.rest_of)
        if register.resolution is not None:
            value = register.resolution.value(count)
        least, most = register.minimum, register.maximum
        if (least is None or value >= least) and (most is None or value <= most) and count not in register.absent:
            return value
    raise AssertionError(f"{register} can show nothing")


def _counts(register: Register, number: int) -> Iterable[int]:
    """Candidates, the most telling first."""
    wide = register.count > 1 and register.exponent_at is None and not register.type.startswith("float")
    usual = 70_000 + 11 * number if wide else 20 + number
    signed = not register.type.startswith("uint") and quantity(register.quantity).kind is Kind.GAUGE
    if signed and number % 2:
        yield -usual
    yield from (usual, number, 1, 0)
