"""A value in two registers: hours and minutes, kWh and Wh."""

from __future__ import annotations

import pytest

from wattbook.codecs.encode_registers import encode_registers
from wattbook.codecs.registers import ReadPlan, decode_registers
from wattbook.model.errors import ConfigError
from wattbook.profiles import Register, Scale
from wattbook.profiles.load import parse_profile

HOURS = Register("operating_time", 10, "uint16", Scale(3600), function=3, rest_at=11, rest_of=60)
ENERGY = Register("active_energy_import_t1", 0x500, "uint32", Scale(1000), rest_at=0x502, rest_of=1000)


@pytest.mark.parametrize(
    ("register", "words", "value"),
    [
        (HOURS, (1234, 56), 1234 * 3600 + 56 * 60),
        (HOURS, (0, 1), 60),
        (HOURS, (65535, 59), 65535 * 3600 + 59 * 60),
        (ENERGY, (0x0001, 0x0000, 999), 65_536_999),
        (ENERGY, (0xFFFF, 0xFFFF, 7), 4_294_967_295_007),
    ],
)
def test_both_parts_are_one_value_both_ways(register: Register, words: tuple[int, ...], value: float) -> None:
    plan = ReadPlan([register])
    assert [(block.first, block.count) for block in plan.blocks] == [(register.address, len(words))]
    assert plan.decode(words).values == {register.quantity: value}
    told = encode_registers([register], {register.quantity: value})
    assert tuple(told[register.function, register.address + place] for place in range(len(words))) == words


def test_without_its_rest_a_value_is_not_told() -> None:
    assert decode_registers([HOURS], {(3, 10): 5}).values == {}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"type": "int16", "rest_at": 1, "rest_of": 60}, "never fall below zero"),
        ({"type": "uint16", "rest_at": 1, "rest_of": 60, "exponent_at": 2}, "without"),
        ({"type": "uint16", "rest_at": 1}, '"rest_of" is missing'),
        ({"type": "uint16", "rest_of": 60}, 'unknown key "rest_of"'),
        ({"type": "uint16", "rest_at": 70000, "rest_of": 60}, "outside 0..65535"),
        ({"type": "uint16", "rest_at": 1, "rest_of": 1}, "from 2 to"),
    ],
)
def test_a_profile_says_what_is_wrong_with_it(keys: dict[str, object], message: str) -> None:
    model = {"name": "m", "title": "m", "vendor": "v", "protocol": "modbus", "source": "s", "verified": False}
    row = {"quantity": "operating_time", "address": 0, "unit": "h", **keys}
    with pytest.raises(ConfigError, match=message):
        parse_profile({"model": model, "register": [row]}, place="m.toml")
