"""Registers <-> values, by profile: exact both ways, so that the simulator answers with what the reader will decode."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattbook.codecs.measured import Measured
from wattbook.model.errors import ConfigError, Garbled
from wattbook.model.reading import Quality
from wattbook.profiles.profile import ModbusSettings, Register

RAW_MAX = 2**52  # beyond it a float64 cannot hold every integer with a digit to spare
REQUEST_COST = 20  # characters: 8 of the request, 5 around the answer, twice 3.5 of silence
REGISTER_COST = 2  # characters

Words = Mapping[tuple[int, int], int]
"""(function, address) -> 16-bit word."""


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """Registers read by one request."""

    function: int
    first: int
    count: int

    @property
    def end(self) -> int:
        """The address after the last."""
        return self.first + self.count


def plan_reads(
    registers: Iterable[Register], *, read_max: int = 125, holes: Sequence[tuple[int, int, int]] = ()
) -> list[Block]:
    """The requests that read all registers in the least wire time; a gap is bridged only when that is cheaper.

    `holes` are (function, first, last) addresses never to be read. No value is torn between two requests.
    Raises ConfigError when a register lies in a hole or is wider than `read_max`.
    """
    by_function: dict[int, list[Register]] = {}
    for register in registers:
        by_function.setdefault(register.function, []).append(register)
    blocks: list[Block] = []
    for function, group in sorted(by_function.items()):
        closed = [(first, last) for of, first, last in holes if of == function]
        blocks += _plan_function(function, sorted(group, key=lambda one: (one.address, one.count)), read_max, closed)
    return blocks


def _plan_function(
    function: int, registers: Sequence[Register], read_max: int, holes: Sequence[tuple[int, int]]
) -> list[Block]:
    """The cheapest cut of registers, sorted by address, into blocks: shortest path over the places to cut."""
    best: list[tuple[int, int]] = [(0, 0)]  # per number of registers planned: cost, where its last block begins
    for stop in range(1, len(registers) + 1):
        choices = []
        end = 0
        for start in range(stop - 1, -1, -1):
            end = max(end, registers[start].address + registers[start].count)
            first = registers[start].address
            if end - first > read_max or any(low < end and first <= high for low, high in holes):
                break
            choices.append((best[start][0] + REQUEST_COST + REGISTER_COST * (end - first), -start))
        if not choices:
            one = registers[stop - 1]
            raise ConfigError(f"{one.quantity} at address {one.address} cannot be read: in a hole, or over read_max")
        cost, start = min((cost, start) for cost, start in choices)  # ties: the later start, so nothing is bridged
        best.append((cost, -start))
    blocks: list[Block] = []
    stop = len(registers)
    while stop:
        start = best[stop][1]
        first = registers[start].address
        end = max(one.address + one.count for one in registers[start:stop])
        blocks.append(Block(function, first, end - first))
        stop = start
    return blocks[::-1]


def plan_profile(settings: ModbusSettings) -> list[Block]:
    """The requests that read a whole model."""
    return plan_reads(settings.registers, read_max=settings.read_max, holes=settings.holes)


def words_of(block: Block, words: Sequence[int]) -> dict[tuple[int, int], int]:
    """The answer to one block as words by place."""
    return {(block.function, block.first + place): word for place, word in enumerate(words)}


def decode_registers(registers: Iterable[Register], words: Words) -> Measured:
    """Values of all registers whose words are there; what a profile calls absent, and NaN, are left out.

    Outside `minimum..maximum` a value is SUSPECT. Raises Garbled for a counter beyond 2**52.
    """
    values: dict[str, float] = {}
    doubt: dict[str, Quality] = {}
    for register in registers:
        place = (register.function, register.address)
        try:
            raw = (
                words[place]
                if register.count == 1
                else _joined(register, [words[register.function, register.address + n] for n in range(register.count)])
            )
        except KeyError:
            continue  # of a block that was not read
        value = _value(register, raw)
        if value is None:
            continue
        values[register.quantity] = value
        if (register.minimum is not None and value < register.minimum) or (
            register.maximum is not None and value > register.maximum
        ):
            doubt[register.quantity] = Quality.SUSPECT
    return Measured(values, doubt)


def _joined(register: Register, words: Sequence[int]) -> int:
    """The unsigned number that several words make."""
    raw = 0
    for word in words if register.word_order == "high-first" else reversed(words):
        raw = raw << 16 | word
    return raw


def _value(register: Register, raw: int) -> float | None:
    """The scaled value of an unsigned raw number, or None where it means "not available"."""
    if raw in register.absent:
        return None
    bits = 16 * register.count
    match register.type:
        case "float32" | "float64":
            number: float = struct.unpack(">f" if bits == 32 else ">d", raw.to_bytes(bits // 8, "big"))[0]
            if not math.isfinite(number):
                return None  # NaN is how such meters say "not available"
            scale = register.scale
            return number * scale.multiplier / float(10**scale.decimals)
        case "int16" | "int32" | "int64":
            raw -= (raw >> (bits - 1)) << bits
            if raw in register.absent:
                return None
        case "uint16" | "uint32" | "uint64":
            pass
    if abs(raw) > RAW_MAX:
        raise Garbled(f"{register.quantity} of {raw} is beyond 2**52 and cannot be kept exactly")
    return register.scale.value(raw)


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
        raw = round(Fraction(value) * 10**register.scale.decimals / register.scale.multiplier)
        low = -(1 << (bits - 1)) if register.type.startswith("int") else 0
        if not low <= raw < low + (1 << bits):
            raise ValueError(f"{register.quantity} of {value} does not fit {register.type} at scale {register.scale}")
        raw &= (1 << bits) - 1
    words = [raw >> shift & 0xFFFF for shift in range(bits - 16, -16, -16)]
    return tuple(words if register.word_order == "high-first" else reversed(words))


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
    """(function, address) -> word of every register, "not available" where there is no value."""
    words: dict[tuple[int, int], int] = {}
    for register in registers:
        for place, word in enumerate(encode_register(register, values.get(register.quantity))):
            words[register.function, register.address + place] = word
    return words
