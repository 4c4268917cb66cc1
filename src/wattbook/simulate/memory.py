"""What stands in a simulated Modbus device's registers, by its profile: values, exponents, identity, serial number."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from wattbook.codecs.encode_registers import EXPONENT_LEAST, by_exponent, encode_register, encode_rest, fitting_exponent
from wattbook.codecs.modbus import READ_HOLDING
from wattbook.codecs.sunspec import COMMON, COMMON_LENGTH, END, MARKER
from wattbook.model.exact import RAW_MAX
from wattbook.model.vocabulary import Kind, quantity
from wattbook.profiles import ModbusSettings, Profile, Register
from wattbook.simulate.source import Source

_TEXTS = ((2, 16), (18, 16), (42, 8), (50, 16))  # of a SunSpec common block: maker, model, version, serial number
Place = tuple[int, int]
"""(function, address on the wire)."""


def register_words(register: Register, value: float | None) -> tuple[int, ...]:
    """The words of a value that any meter can show: a counter starts again at its end, a gauge stops there."""
    if value is not None and register.type.startswith("float"):
        least = value if register.minimum is None else max(value, register.minimum)
        value = least if register.maximum is None else min(least, register.maximum)
    elif value is not None:
        low, high = _range(register)
        if quantity(register.quantity).kind is Kind.REGISTER and not low <= value <= high:
            value %= high + abs(register.scale.value(1))
        value = min(max(value, low), high)
    return encode_register(register, value)


def _range(register: Register) -> tuple[float, float]:
    """What the type holds, in the base unit, and within it what the profile calls possible."""
    signed = register.type.startswith("int") or register.type == "sign16"
    end = register.scale.value(min(2 ** (16 * register.count - signed) - 1, RAW_MAX))
    low, high = sorted((-end if signed else 0.0, end))
    least, most = register.minimum, register.maximum
    return low if least is None else max(low, least), high if most is None else min(high, most)


class Memory:
    """The registers of one device. Addresses are those of the wire."""

    def __init__(self, name: str, profile: Profile, source: Source) -> None:
        assert profile.modbus is not None, f"{profile.name} is no Modbus model"
        self._settings: ModbusSettings = profile.modbus
        self._source = source
        self._fixed = _fixed(name, profile)  # what never changes
        self._markers = {(marker.function, marker.address) for marker in self._settings.identity.markers}
        self._base = _block_base(self._settings)
        self._written: dict[Place, int] = {}
        self._zero: dict[str, float] = {}  # where a counter stood when it was set to zero
        self._exponents: dict[Place, int] = {}  # the device goes to a coarser one when it must, and stays there
        self._groups = by_exponent(self._settings.registers)
        self._ranges = _ranges(self._settings, self._fixed, self._base)

    def answers(self, function: int, first: int, count: int) -> bool:
        """Whether the device has all these addresses: those between registers read as 0 unless they are holes."""
        last = first + count - 1
        closed = any(of == function and low <= last and first <= high for of, low, high in self._settings.holes)
        return not closed and any(of == function and low <= first and last <= high for of, low, high in self._ranges)

    def has_function(self, function: int) -> bool:
        """Whether anything is read with it."""
        return any(of == function for of, _, _ in self._ranges)

    def read(self, function: int, first: int, count: int, at: datetime) -> tuple[int, ...]:
        """The words at an instant."""
        if count == 1 and (function, first) in self._markers:  # read alone it tells the model, in a block a value
            return (self._fixed[function, first],)
        words = dict(self._fixed)
        touched = [
            one for one in self._settings.registers if one.function == function and self._touches(one, first, count)
        ]
        for register in touched:
            words |= self._words(register, at)
        words |= self._written
        return tuple(words.get((function, place), 0) for place in range(first, first + count))

    def write(self, address: int, word: int) -> None:
        """Keep what was written into a holding register."""
        self._written[READ_HOLDING, address] = word

    def reset_energy(self, at: datetime) -> None:
        """Let every counter of energy begin again."""
        for register in self._settings.registers:
            if "energy" in register.quantity:
                value = self._source.value(register.quantity, at)
                if value is not None:
                    self._zero[register.quantity] = value

    def _touches(self, register: Register, first: int, count: int) -> bool:
        at = self._base + register.address
        beside = [self._base + one for one in (register.exponent_at, register.rest_at) if one is not None]
        return (at < first + count and first < at + register.count) or any(
            first <= one < first + count for one in beside
        )

    def _words(self, register: Register, at: datetime) -> Mapping[Place, int]:
        value = self._value(register.quantity, at)
        words: dict[Place, int] = {}
        if register.exponent_at is not None:
            exponent = self._exponent((register.function, register.exponent_at), at)
            words[register.function, self._base + register.exponent_at] = exponent & 0xFFFF
            register = register.counting_in(exponent)
        if register.rest_at is not None:
            value, words[register.function, self._base + register.rest_at] = encode_rest(register, value)
        for place, word in enumerate(register_words(register, value), self._base + register.address):
            words[register.function, place] = word
        return words

    def _value(self, name: str, at: datetime) -> float | None:
        value = self._source.value(name, at)
        return value if value is None or name not in self._zero else max(0.0, value - self._zero[name])

    def _exponent(self, place: Place, at: datetime) -> int:
        told = {one.quantity: self._value(one.quantity, at) for one in self._groups[place]}
        values = {name: value for name, value in told.items() if value is not None}
        least = self._exponents.get(place, EXPONENT_LEAST)
        self._exponents[place] = fitting_exponent(self._groups[place], values, least)
        return self._exponents[place]


def _fixed(name: str, profile: Profile) -> dict[Place, int]:
    """Words that tell who the device is."""
    assert profile.modbus is not None
    settings, words = profile.modbus, dict[Place, int]()
    for marker in settings.identity.markers:
        words[marker.function, marker.address] = min(marker.words)
    if number := settings.identity.serial_number:
        told = text_words(name, number.count) if number.type == "text" else number_words(name, number.count)
        words |= {(number.function, number.address + place): word for place, word in enumerate(told)}
    if settings.sunspec:
        words |= _sunspec_frame(name, profile)
    return words


def _sunspec_frame(name: str, profile: Profile) -> dict[Place, int]:
    """Marker, common block, the head of the meter's block and the end."""
    assert profile.modbus is not None
    assert profile.modbus.sunspec is not None
    sunspec, function = profile.modbus.sunspec, profile.modbus.registers[0].function
    common = [COMMON, COMMON_LENGTH, *[0] * COMMON_LENGTH]
    for (first, count), text in zip(_TEXTS, (profile.vendor, profile.title, "1.0", name), strict=True):
        common[first : first + count] = text_words(text, count)
    base = sunspec.bases[0]
    words = dict(enumerate([*MARKER, *common, sunspec.models[0], sunspec.length], base))
    end = _block_base(profile.modbus) + 2 + sunspec.length
    words |= {end: END, end + 1: 0}
    return {(function, address): word for address, word in words.items()}


def _block_base(settings: ModbusSettings) -> int:
    """Where the addresses of the registers count from."""
    return settings.sunspec.bases[0] + len(MARKER) + 2 + COMMON_LENGTH if settings.sunspec else 0


def _ranges(settings: ModbusSettings, fixed: Iterable[Place], base: int) -> list[tuple[int, int, int]]:
    """(function, first, last) addresses that the device has. Those that touch are one: a read may go across."""
    joined: list[tuple[int, int, int]] = []
    for function, first, last in sorted(_parts(settings, fixed, base)):
        if joined and joined[-1][0] == function and first <= joined[-1][2] + 1:
            joined[-1] = (function, joined[-1][1], max(last, joined[-1][2]))
        else:
            joined.append((function, first, last))
    return joined


def _parts(settings: ModbusSettings, fixed: Iterable[Place], base: int) -> list[tuple[int, int, int]]:
    """The same, one by one."""
    places: dict[int, list[int]] = {}
    for register in settings.registers:
        ends = places.setdefault(register.function, [])
        ends += [base + register.address, base + register.address + register.count - 1]
        ends += [base + one for one in (register.exponent_at, register.rest_at) if one is not None]
    ranges = [(function, min(ends), max(ends)) for function, ends in places.items()]
    if settings.sunspec:
        return [(function, settings.sunspec.bases[0], base + 3 + settings.sunspec.length) for function, _, _ in ranges]
    ranges += [(function, address, address) for function, address in fixed]
    if number := settings.identity.serial_number:
        ranges.append((number.function, number.address, number.address + number.count - 1))
    ranges += [
        (READ_HOLDING, command.address, command.address)
        for command in settings.commands.values()
        if command.address is not None
    ]
    return ranges


def text_words(text: str, count: int) -> list[int]:
    """A text as registers hold it: two characters each, filled up with NUL."""
    raw = text.encode("ascii", "replace")[: 2 * count].ljust(2 * count, b"\0")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, 2 * count, 2)]


def number_words(name: str, count: int) -> list[int]:
    """A serial number of eight digits or what fits, the same for the same name."""
    number = zlib.crc32(name.encode()) % min(10**8, 1 << 16 * count)
    return [number >> 16 * (count - 1 - place) & 0xFFFF for place in range(count)]
