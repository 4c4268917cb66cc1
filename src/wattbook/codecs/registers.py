"""Registers to values, by profile: which requests read them, and what the words mean. Exact: see `model.exact`."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wattbook.codecs.measured import Measured
from wattbook.model.errors import ConfigError, Garbled
from wattbook.model.exact import exact_raw, exact_value
from wattbook.model.reading import Quality
from wattbook.profiles.profile import ModbusSettings, Register, Scale

REQUEST_COST = 20  # characters: 8 of the request, 5 around the answer, twice 3.5 of silence
REGISTER_COST = 2  # characters


_EXPONENT_MAX = 10  # either way, of a device that counts in powers of ten; SunSpec's limit
_NO_EXPONENT = 0x8000  # "not implemented" (SunSpec); nobody counts in 10^-32768

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
        for part, address in (("exponent", register.exponent_at), ("rest", register.rest_at)):
            if address is not None:
                by_function[register.function].append(Register(f"{part} of {register.quantity}", address, "int16"))
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


@dataclass(frozen=True, slots=True)
class _Row:
    """One register made ready for decoding again and again."""

    quantity: str
    places: tuple[int, ...]  # of its words among those read, most significant first
    sign_bit: int  # 0 = unsigned
    float_format: str  # "" = an integer
    multiplier: int
    divisor: int
    absent: frozenset[int]
    minimum: float
    maximum: float
    resolution: Scale | None
    magnitude: bool  # the sign bit stands alone, before a magnitude
    exponent_place: int | None  # where the power of ten stands that the device counts in
    four_quadrant: bool
    rest_place: int | None  # where what the count leaves out stands
    rest_of: int  # of what the count leaves out, this many make one


class ReadPlan:
    """A model's registers, the requests that read them, and what the answers mean."""

    def __init__(
        self, registers: Sequence[Register], *, read_max: int = 125, holes: Sequence[tuple[int, int, int]] = ()
    ) -> None:
        """Plan. Raises ConfigError when a register cannot be read."""
        self.blocks = plan_reads(registers, read_max=read_max, holes=holes)
        places: dict[tuple[int, int], int] = {}
        for block in self.blocks:
            for address in range(block.first, block.end):
                places.setdefault((block.function, address), len(places))
        self._rows = [_row(register, places) for register in registers]

    def decode(self, words: Sequence[int]) -> Measured:
        """Values of the words of all blocks, one block after another.

        What the profile calls absent, and NaN, are left out; outside `minimum..maximum` a value is SUSPECT. Raises
        Garbled for a counter beyond `RAW_MAX`.
        """
        return _decode(self._rows, words)


def places_of(register: Register) -> list[tuple[int, int]]:
    """(function, address) of every word that its value is made from."""
    addresses = [*range(register.address, register.address + register.count)]
    addresses += [place for place in (register.exponent_at, register.rest_at) if place is not None]
    return [(register.function, address) for address in addresses]


def decode_registers(registers: Iterable[Register], words: Words) -> Measured:
    """Values of the registers whose words are all there, as `ReadPlan.decode`; for words from anywhere."""
    places = {place: number for number, place in enumerate(words)}
    there = [one for one in registers if all(place in words for place in places_of(one))]
    return _decode([_row(register, places) for register in there], list(words.values()))


def _decode(rows: Iterable[_Row], words: Sequence[int]) -> Measured:
    """Values of the words at the rows' places."""
    values: dict[str, float] = {}
    doubt: dict[str, Quality] = {}
    for row in rows:
        raw = 0
        for place in row.places:
            raw = raw << 16 | words[place]
        if raw in row.absent:
            continue
        if row.float_format:
            value = _float(row, raw)
            if not math.isfinite(value):
                continue  # NaN is how such meters say "not available"
        else:
            if raw & row.sign_bit:
                raw = row.sign_bit - raw if row.magnitude else raw - 2 * row.sign_bit
            if len(row.places) == 4:  # fewer words hold nothing too large
                exact_raw(raw, row.quantity)
            if row.rest_place is not None:
                raw = raw * row.rest_of + words[row.rest_place]
            if row.exponent_place is None:
                value = raw * row.multiplier / row.divisor
            elif words[row.exponent_place] == _NO_EXPONENT:
                continue
            else:
                value = _in_powers(row, raw, words[row.exponent_place])
        values[row.quantity] = value
        if not row.minimum <= value <= row.maximum:
            doubt[row.quantity] = Quality.SUSPECT
    return Measured(values, doubt) if doubt else Measured(values)


def _in_powers(row: _Row, raw: int, word: int) -> float:
    """The value of a count in powers of ten. Raises Garbled for a power no device has."""
    exponent = word - 0x10000 if word & 0x8000 else word
    if not -_EXPONENT_MAX <= exponent <= _EXPONENT_MAX:
        raise Garbled(f"{row.quantity} counts in 10^{exponent}, which no meter does")
    power: int = 10 ** abs(exponent)
    if exponent < 0:
        return raw * row.multiplier / (row.divisor * power)
    return exact_value(raw * row.multiplier * power / row.divisor, row.quantity)


def plan_profile(settings: ModbusSettings) -> ReadPlan:
    """The plan of a whole model. Raises ConfigError when a register cannot be read."""
    return ReadPlan(settings.registers, read_max=settings.read_max, holes=settings.holes)


def _row(register: Register, places: Mapping[tuple[int, int], int]) -> _Row:
    bits = 16 * register.count
    at = [places[register.function, register.address + n] for n in range(register.count)]
    signed = register.type.startswith("int") or register.type == "sign16"
    return _Row(
        register.quantity,
        tuple(at if register.word_order == "high-first" else reversed(at)),
        1 << (bits - 1) if signed else 0,
        {"float32": ">f", "float64": ">d"}.get(register.type, ""),
        register.scale.multiplier,
        10**register.scale.decimals * register.rest_of,
        frozenset(raw & ((1 << bits) - 1) for raw in register.absent),
        -math.inf if register.minimum is None else register.minimum,
        math.inf if register.maximum is None else register.maximum,
        register.resolution,
        register.type == "sign16",
        None if register.exponent_at is None else places[register.function, register.exponent_at],
        register.form == "four-quadrant",
        None if register.rest_at is None else places[register.function, register.rest_at],
        register.rest_of,
    )


def _float(row: _Row, raw: int) -> float:
    """The scaled value of a float's bits. A scale of 1 keeps them, unless a resolution says which decimal is meant."""
    number: float = struct.unpack(row.float_format, raw.to_bytes(2 * len(row.places), "big"))[0]
    value = number * row.multiplier / row.divisor
    if row.four_quadrant and abs(value) > 1:
        value = math.copysign(2, value) - value
    if row.resolution is None or not math.isfinite(value):
        return value
    return row.resolution.value(round(value / row.resolution.value(1)))
