"""Values to registers, by profile: what a device with these values answers. The other half of `registers`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from wattbook.profiles.profile import REGISTERS_OF, Register, RegisterType

EXPONENT_LEAST, EXPONENT_MOST = -3, 6  # powers of ten that simulated devices count in


def encode_register(register: Register, value: float | None) -> tuple[int, ...]:
    """The words that decode to `value`, nearest first digit that the register can show; None gives "not available".

    Raises ValueError when the register cannot hold it.
    """
    bits = 16 * register.count
    if value is None:
        raw = _absent(register)
    elif register.type in ("float32", "float64"):
        number = value * 10**register.scale.decimals / register.scale.multiplier
        raw = int.from_bytes(struct.pack(">f" if bits == 32 else ">d", number), "big")
    else:
        raw = _raw(register, value)
        low, high = raw_range(register.type)
        if not low <= raw <= high:
            raise ValueError(f"{register.quantity} of {value} does not fit {register.type} at scale {register.scale}")
        raw = 0x8000 - raw if register.type == "sign16" and raw < 0 else raw & ((1 << bits) - 1)
    words = [raw >> shift & 0xFFFF for shift in range(bits - 16, -16, -16)]
    return tuple(words if register.word_order == "high-first" else reversed(words))


def encode_rest(register: Register, value: float | None) -> tuple[float | None, int]:
    """A value of a register with a rest, parted: what its own words hold, and the word beside them."""
    if value is None:
        return None, 0
    count, rest = divmod(_raw(register, value, register.rest_of), register.rest_of)
    return register.scale.value(count), rest


def raw_range(kind: RegisterType) -> tuple[int, int]:
    """The least and the greatest count that an integer type holds."""
    bits = 16 * REGISTERS_OF[kind]
    if kind == "sign16":
        return -0x7FFF, 0x7FFF
    if kind.startswith("int"):
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def _absent(register: Register) -> int:
    """The raw number that means "not available"; a register without one shows 0, a float NaN."""
    bits = 16 * register.count
    if register.absent:
        return min(register.absent) & ((1 << bits) - 1)
    match register.type:
        case "float32":
            return 0x7FC00000
        case "float64":
            return 0x7FF8 << 48
        case _:
            return 0


def encode_registers(registers: Iterable[Register], values: Mapping[str, float]) -> dict[tuple[int, int], int]:
    """(function, address) -> word of every register, "not available" where there is no value.

    Those that share an exponent count in the finest power of ten in which all of them fit.
    """
    registers = list(registers)
    exponents = {place: fitting_exponent(group, values) for place, group in by_exponent(registers).items()}
    words: dict[tuple[int, int], int] = {}
    for register in registers:
        value = values.get(register.quantity)
        if register.exponent_at is not None:
            exponent = exponents[register.function, register.exponent_at]
            words[register.function, register.exponent_at] = exponent & 0xFFFF
            register = register.counting_in(exponent)
        if register.rest_at is not None:
            value, words[register.function, register.rest_at] = encode_rest(register, value)
        for place, word in enumerate(encode_register(register, value)):
            words[register.function, register.address + place] = word
    return words


def by_exponent(registers: Iterable[Register]) -> Mapping[tuple[int, int], Sequence[Register]]:
    """(function, address of an exponent) -> the registers that count in it."""
    groups: dict[tuple[int, int], list[Register]] = {}
    for register in registers:
        if register.exponent_at is not None:
            groups.setdefault((register.function, register.exponent_at), []).append(register)
    return groups


def fitting_exponent(registers: Iterable[Register], values: Mapping[str, float], least: int = EXPONENT_LEAST) -> int:
    """The finest power of ten, from `least`, in which all these registers can show their values.

    Raises ValueError when there is none up to EXPONENT_MOST.
    """
    registers = [one for one in registers if one.quantity in values]
    for exponent in range(least, EXPONENT_MOST + 1):
        if all(_fits(one.counting_in(exponent), values[one.quantity]) for one in registers):
            return exponent
    raise ValueError(f"no power of ten fits {', '.join(one.quantity for one in registers)}")


def _fits(register: Register, value: float) -> bool:
    low, high = raw_range(register.type)
    return low <= _raw(register, value) <= high


def _raw(register: Register, value: float, parts: int = 1) -> int:
    """The count nearest to a value, or the count of its n-th parts."""
    factor = Fraction(register.scale.multiplier, 10**register.scale.decimals * parts)
    return round(Fraction(value) / factor)
