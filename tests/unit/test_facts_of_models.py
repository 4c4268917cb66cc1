"""No profile drifts from the documents: the tables of `facts_of_models`, typed from them, against every profile, and
against every capture by a decoder of its own that knows the tables and `struct` and nothing of wattbook."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from facts_of_models import COMMANDS, IDENTITIES, MODELS, SUNSPEC_BLOCKS, Facts
from facts_of_models_cirbus import ASKS, EXTREMES
from wattbook.profiles import Library
from wattbook.profiles.profile import ModbusSettings, Profile, Register

CAPTURES = Path(__file__).parents[1] / "captures" / "modbus"
NAMES = {"u": "uint", "i": "int", "s": "sign", "f": "float"}
FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "i64": ">q", "f32": ">f"}
LINES = {"l**": ("l12", "l23", "l31"), "l*": ("l1", "l2", "l3")}

Words = Mapping[int, int]


@dataclass(frozen=True)
class Row:
    """One quantity, in wire addresses."""

    quantity: str
    function: int
    address: int
    type: str
    order: str
    factor: Fraction
    exponent_at: int | None
    rest_at: int | None
    rest_of: int
    form: str
    absent: int | None
    sure: bool

    @property
    def count(self) -> int:
        return int(self.type[1:]) // 16


def rows_of(facts: Facts) -> Iterator[Row]:
    """The rows of a table, one for each quantity."""
    for line in facts.rows.split("\n"):
        if not line.strip():
            continue
        name, *words = line.split()
        at = next(place for place, word in enumerate(words) if word[0] in NAMES)
        addresses = [int(word, 0) - facts.base for word in words[:at]]
        kind, factor, *marks = words[at:]
        star = next((star for star in LINES if star in name), "")
        names = [name.replace(star, phase) for phase in LINES[star]] if star else [name]
        exponent = next((int(mark[1:]) - facts.base for mark in marks if mark[0] == "e"), None)
        rest = next((mark[1:].split("/") for mark in marks if mark[0] == "r"), None)
        for quantity, address in zip(names, addresses, strict=True):
            yield Row(
                quantity,
                facts.function,
                address,
                kind,
                facts.order,
                Fraction(factor),
                exponent,
                int(rest[0]) - facts.base if rest else None,
                int(rest[1]) if rest else 1,
                "four-quadrant" if "4q" in marks else "",
                facts.absent.get(kind),
                "?" not in marks,
            )


def row_of(register: Register) -> Row:
    """What a profile says, in the same form."""
    absent = {raw & ((1 << 16 * register.count) - 1) for raw in register.absent}
    assert len(absent) <= 1, register
    return Row(
        register.quantity,
        register.function,
        register.address,
        register.type[0] + register.type[-2:],
        register.word_order.removesuffix("-first"),
        Fraction(register.scale.multiplier, 10**register.scale.decimals),
        register.exponent_at,
        register.rest_at,
        register.rest_of,
        register.form,
        absent.pop() if absent else None,
        register.verified,
    )


def modbus(profile: Profile) -> ModbusSettings:
    assert profile.modbus is not None
    return profile.modbus


def test_every_model_has_a_table() -> None:
    assert {profile.name for profile in Library() if profile.modbus is not None} == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_registers_are_those_of_the_documents(name: str) -> None:
    told = {row.quantity: row for row in rows_of(MODELS[name])}
    ours = {one.quantity: row_of(one) for one in modbus(Library().get(name)).registers}
    assert ours == told


@pytest.mark.parametrize("name", MODELS)
def test_the_line_is_that_of_the_documents_or_is_not_called_verified(name: str) -> None:
    facts, profile = MODELS[name], Library().get(name)
    serial = profile.serial
    assert f"{serial.baud} {serial.bits}{serial.parity[0].upper()}{serial.stopbits}" == facts.serial.rstrip("?")
    assert profile.verified == facts.sure
    assert modbus(profile).read_max == facts.read_max
    if facts.serial.endswith("?"):
        assert not facts.sure
        assert "serial settings" in profile.note.casefold()


@pytest.mark.parametrize("name", MODELS)
def test_identity_and_commands_are_those_of_the_documents(name: str) -> None:
    settings = modbus(Library().get(name))
    identity, number = settings.identity, settings.identity.serial_number
    report_id, markers, serial = IDENTITIES.get(name, ("", {}, None))
    assert identity.report_id == report_id
    assert {(one.function, one.address): set(one.words) for one in identity.markers} == markers
    assert (None if number is None else (number.function, number.address, number.count)) == serial
    assert {one: (it.function, it.address, it.word) for one, it in settings.commands.items()} == COMMANDS.get(name, {})
    assert settings.address_general == (0xF8 if name.startswith("pzem") else 0)
    assert (settings.address_default, settings.address_max) == (1, 247)
    blocks = settings.sunspec
    assert (blocks and (blocks.bases, set(blocks.models), blocks.length)) == SUNSPEC_BLOCKS.get(name)


@pytest.mark.parametrize("name", ["cvmk", "cvmk-extremes"])
def test_cirbus_commands_are_those_of_the_documents(name: str) -> None:
    settings = Library().get(name).cirbus
    assert settings is not None
    told = {code: (fields.split(), *rest) for code, (fields, *rest) in (ASKS | EXTREMES).items()}
    if name == "cvmk":
        told = {code: ask for code, ask in told.items() if code in ASKS}
    assert {
        ask.code: (
            [quantity or "-" for quantity in ask.quantities],
            ask.digits,
            ask.fields_min,
            Fraction(ask.scale.multiplier, 10**ask.scale.decimals),
        )
        for ask in settings.asks
    } == {code: (fields, digits, least, Fraction(factor)) for code, (fields, digits, least, factor) in told.items()}


def readings_of(text: str) -> Iterator[dict[int, int]]:
    """Words by address, of one reading after the other: a reading ends where an address is asked again."""
    lines = re.sub(r"\n(?=[0-9A-Fa-f ]+$)", "", re.sub(r"^#.*\n", "", text, flags=re.M), flags=re.M).splitlines()
    words: dict[int, int] = {}
    asked: list[int] = []
    sunspec = "53756e53" in text
    for request, answer in zip(lines[::2], lines[1::2], strict=True):
        assert (request[0], answer[0]) == (">", "<")
        ask, raw = bytes.fromhex(request[1:]), bytes.fromhex(answer[1:])
        # RTU: unit, function ... CRC. TCP: six bytes before the unit, and no CRC.
        ask, raw = (ask[:-2], raw[:-2]) if len(ask) == 8 else (ask[6:], raw[6:])
        (first, count), raw = struct.unpack(">HH", ask[2:]), raw[3:]
        if first in asked and not sunspec:
            yield words
            words, asked = {}, []
        asked.append(first)
        words |= dict(zip(range(first, first + count), struct.unpack(f">{count}H", raw), strict=True))
    yield words


def value_of(row: Row, words: Words) -> float | None:
    """The value in the base unit; None where it was not asked, or is not available."""
    at = [row.address + place for place in range(row.count)]
    if not all(place in words for place in at):
        return None
    raw = b"".join(struct.pack(">H", words[place]) for place in (at if row.order == "high" else at[::-1]))
    if row.absent is not None and int.from_bytes(raw, "big") == row.absent:
        return None
    if row.type == "s16":
        count = -(words[row.address] & 0x7FFF) if words[row.address] & 0x8000 else words[row.address]
    else:
        count = struct.unpack(FORMATS[row.type], raw)[0]
    if not math.isfinite(count):
        return None
    number = Fraction(count)
    if row.rest_at is not None:
        number += Fraction(words[row.rest_at], row.rest_of)
    if row.exponent_at is not None:
        (exponent,) = struct.unpack(">h", struct.pack(">H", words[row.exponent_at]))
        if exponent == -0x8000:
            return None
        number *= Fraction(10) ** exponent
    number *= row.factor
    if row.form and abs(number) > 1:  # beyond 1 it counts on, as 2 - value
        number = (2 if number > 0 else -2) - number
    return float(number)


def block_of(words: Words) -> dict[int, int]:
    """The words of a SunSpec meter's block, counted from its id."""
    start = next(at for at in (40000, 50000, 0) if (words.get(at), words.get(at + 1)) == (0x5375, 0x6E53)) + 2
    while words[start] not in range(201, 215):
        start += 2 + words[start + 1]
    return {at - start: word for at, word in words.items() if at >= start}


@pytest.mark.parametrize("name", MODELS)
def test_captures_mean_what_the_documents_say(name: str) -> None:
    expected = json.loads((CAPTURES / f"{name}.json").read_text())["readings"]
    rows = list(rows_of(MODELS[name]))
    heard = list(readings_of((CAPTURES / f"{name}.hex").read_text()))
    assert len(heard) == len(expected)
    for words, reading in zip(heard, expected, strict=True):
        there = block_of(words) if name.startswith("sunspec") else words
        values = {row.quantity: value_of(row, there) for row in rows}
        told = {quantity: value for quantity, value in values.items() if value is not None}
        assert told == pytest.approx(reading["values"], rel=1e-12, abs=0)
