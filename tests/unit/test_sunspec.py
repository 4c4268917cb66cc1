"""A SunSpec meter is found by its marker, wherever its block stands, and found again when the device changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from wattbook.codecs.conversation import Receive, Send
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus import Response, encode_response, parse_request
from wattbook.codecs.modbus_ask import Rtu
from wattbook.config.read import load
from wattbook.drivers.modbus import ModbusMeter
from wattbook.model.errors import ConfigError, Garbled, Refused
from wattbook.profiles import Library, swap_import_export
from wattbook.profiles.profile import Profile

INTEGERS, FLOATS = Library().get("sunspec-meter"), Library().get("sunspec-meter-float")
MARKER = (0x5375, 0x6E53)
COMMON = (1, 66, *[0] * 66)
INVERTER = (103, 50, *range(1, 51))
END = (0xFFFF, 0)


def meter_block(number: int = 203) -> tuple[int, ...]:
    """230.1 V, -1.2 kW, 0.95, 5 MWh imported; one voltage and the export are not implemented."""
    block = [0] * 107
    block[:2] = number, 105
    block[8], block[9], block[15] = 2301, 0x8000, 0xFFFF
    block[18], block[22] = -12 & 0xFFFF, 2
    block[33], block[37] = 950, 0xFFFF
    block[46], block[47], block[54] = 0, 5000, 3
    return tuple(block)


WORDS_OF_THE_METER = {
    "voltage_l1": 230.1,
    "active_power": -1200,
    "power_factor": 0.95,
    "active_energy_import": 5_000_000,
}


def memory(base: int, *blocks: tuple[int, ...]) -> dict[int, int]:
    return dict(enumerate([word for block in (MARKER, *blocks) for word in block], base))


def play(meter: ModbusMeter, words: Mapping[int, int], asked: list[int] | None = None) -> Measured:
    """Answer what the driver asks; where there is nothing, with exception 2."""
    conversation = meter.conversation(1.0)
    step, raw = next(conversation), b""
    try:
        while True:
            match step:
                case Send(data):
                    request = parse_request(data)
                    there = [words.get(at) for at in range(request.address, request.address + request.count)]
                    known = tuple(word for word in there if word is not None)
                    whole = len(known) == len(there)
                    answer = Response(
                        request.unit, request.function, known if whole else (), exception=0 if whole else 2
                    )
                    raw = encode_response(answer)
                    if asked is not None:
                        asked.append(request.address)
                    step = next(conversation)
                case Receive():
                    step = conversation.send(raw)
                case _:
                    step = next(conversation)
    except StopIteration as end:
        measured: Measured = end.value
        return measured


def driver(profile: Profile = INTEGERS) -> ModbusMeter:
    return ModbusMeter(profile, None, Rtu())


@pytest.mark.parametrize("base", [40000, 50000, 0])
@pytest.mark.parametrize("before", [(), (INVERTER,), (INVERTER, (120, 26, *[7] * 26))])
@pytest.mark.parametrize("number", [201, 202, 203, 204])
def test_found_at_every_base_behind_other_models(base: int, before: tuple[tuple[int, ...], ...], number: int) -> None:
    told = play(driver(), memory(base, COMMON, *before, meter_block(number), END)).values
    assert WORDS_OF_THE_METER.items() <= told.items()
    assert "voltage_l2" not in told
    assert "active_energy_export" not in told


def test_a_meter_of_floats_leaves_out_what_is_no_number() -> None:
    block = [0] * 126
    block[:2], block[12:14], block[14:16] = (213, 124), (0x4366, 0x8000), (0x7FC0, 0)  # 230.5 V, NaN
    told = play(driver(FLOATS), memory(40000, COMMON, tuple(block), END)).values
    assert told["voltage_l1"] == 230.5
    assert "voltage_l2" not in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "no SunSpec marker at 40000, 50000, 0"),
        (dict.fromkeys(range(40000, 40200), 0), "no SunSpec marker"),
        (memory(40000, COMMON, INVERTER, END), "models 1, 103, and none of a meter"),
        (memory(40000, COMMON, INVERTER), "models 1, 103, and none of a meter"),  # exception where the next would be
        (memory(40000, END), "models none"),
        (memory(40000, COMMON, (103, 0xFFF0)), "models 1, and none"),  # would end beyond the last address
        (memory(40000, *[(9, 0)] * 300), "none of a meter"),  # blocks without an end
    ],
)
def test_no_meter_there(words: dict[int, int], message: str) -> None:
    asked: list[int] = []
    with pytest.raises(Garbled, match=message):
        play(driver(), words, asked)
    assert len(asked) <= 110


def test_the_walk_is_made_once_and_again_after_a_failure() -> None:
    meter, asked = driver(), list[int]()
    first = memory(40000, COMMON, meter_block(), END)
    play(meter, first, asked)
    walked = len(asked)
    play(meter, first, asked)
    assert len(asked) == walked + 1
    moved = memory(50000, COMMON, INVERTER, meter_block(), END)
    with pytest.raises(Refused):
        play(meter, moved)
    assert WORDS_OF_THE_METER.items() <= play(meter, moved).values.items()


def test_import_and_export_exchanged() -> None:
    told = play(driver(swap_import_export(INTEGERS)), memory(40000, COMMON, meter_block(), END)).values
    assert told["active_energy_export"] == 5_000_000
    assert told["active_power"] == -1200
    assert swap_import_export(swap_import_export(INTEGERS)) == INTEGERS
    assert swap_import_export(replace(INTEGERS, modbus=None)).modbus is None


def test_the_setting_exchanges_them_for_one_meter(tmp_path: Path) -> None:
    file = tmp_path / "wattbook.toml"
    file.write_text(
        '[[line]]\nname = "a"\nport = "tcp://127.0.0.1"\n'
        '[[meter]]\nname = "one"\nmodel = "sunspec-meter"\nline = "a"\n'
        '[[meter]]\nname = "two"\nmodel = "sunspec-meter"\nline = "a"\naddress = 2\nswap_import_export = true\n'
    )
    profiles = load(file).profiles
    assert (profiles["one"], profiles["two"]) == (INTEGERS, swap_import_export(INTEGERS))


def test_the_setting_is_for_modbus(tmp_path: Path) -> None:
    file = tmp_path / "wattbook.toml"
    file.write_text('[[meter]]\nname = "one"\nmodel = "push"\nswap_import_export = true\n')
    with pytest.raises(ConfigError, match=r'wattbook.toml:4: meter "one": "push" is no Modbus model'):
        load(file)


def test_quantities_are_named_as_they_are_after_the_exchange(tmp_path: Path) -> None:
    file = tmp_path / "wattbook.toml"
    file.write_text(
        '[[line]]\nname = "a"\nport = "tcp://127.0.0.1"\n[[meter]]\nname = "one"\nmodel = "em21"\nline = "a"\n'
        'swap_import_export = true\nquantities = ["reactive_energy_export"]\n'
    )
    assert load(file).profiles["one"].modbus is not None
    file.write_text(file.read_text().replace("energy_export", "energy_import"))
    with pytest.raises(ConfigError, match=r'does not tell "reactive_energy_import"'):
        load(file)
