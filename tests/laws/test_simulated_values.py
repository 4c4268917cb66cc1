"""Laws of what simulated meters measure, and of how a register shows it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.registers import decode_registers
from wattbook.model.vocabulary import Kind, all_names, quantity
from wattbook.profiles import Library, Profile, Register, Scale, SerialSettings
from wattbook.simulate import Plausible, Source
from wattbook.simulate.house import SLOT_S, House
from wattbook.simulate.memory import register_words
from wattbook.simulate.port import recode, with_parity
from wattbook.simulate.source import EPOCH

INSTANTS = st.floats(0, 5 * 365 * 86400).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
STEPS = st.floats(0, 3 * 86400).map(lambda seconds: timedelta(seconds=seconds))
HOUSES = st.builds(House, st.integers(0, 50))
REGISTERS = [name for name in all_names() if quantity(name).kind is Kind.REGISTER]
MODELS = [profile for profile in Library() if profile.modbus]
INTEGER_TYPES = ("uint16", "int16", "uint32", "int32", "uint64", "int64")


def meters(house: House) -> list[Source]:
    return [house.leg_a, house.leg_b, house.generator, house.main, house.heat_pump]


@given(HOUSES, INSTANTS, STEPS)
def test_a_houses_registers_never_go_backwards(house: House, at: datetime, later: timedelta) -> None:
    for meter in meters(house):
        for name in ("active_energy_import", "active_energy_import_t1", "active_energy_import_t2"):
            before, after = meter.value(name, at), meter.value(name, at + later)
            assert (before is None) == (after is None)
            if before is not None and after is not None:
                assert after >= before - 1e-6


@given(HOUSES, INSTANTS)
def test_energy_is_the_integral_of_power(house: House, at: datetime) -> None:
    """Within half a second in which neither a step nor an outage begins, energy grows by power x time."""
    half = timedelta(seconds=0.5)
    for meter in meters(house):
        powers = [meter.value("active_power", at + half * part) for part in (0, 0.25, 0.5, 0.75, 1)]
        if len(set(powers)) == 1 and powers[0] is not None:
            first, last = (meter.value("active_energy_import", at + half * part) for part in (0, 1))
            assert first is not None
            assert last is not None
            assert math.isclose(last - first, powers[0] * 0.5 / 3600, abs_tol=2e-3)


@given(HOUSES, INSTANTS)
def test_tariffs_add_up_to_the_total(house: House, at: datetime) -> None:
    total, high, low = (house.main.value(f"active_energy_import{suffix}", at) or 0.0 for suffix in ("", "_t1", "_t2"))
    assert math.isclose(total, high + low, rel_tol=1e-12)


@given(st.integers(0, 50), INSTANTS)
def test_a_house_started_again_continues(seed: int, at: datetime) -> None:
    one, other = House(seed), House(seed)
    for before, after in zip(meters(one), meters(other), strict=True):
        for name in ("active_energy_import", "active_power", "voltage"):
            assert before.value(name, at) == after.value(name, at)


@given(HOUSES, st.integers(0, 5000))
def test_the_generator_runs_once_in_every_slot_and_only_while_the_legs_are_dead(house: House, slot: int) -> None:
    seconds = [slot * SLOT_S + second for second in range(0, int(SLOT_S), 5)]
    instants = [EPOCH - timedelta(hours=1) + timedelta(seconds=second) for second in seconds if second >= 3600]
    running = [(house.generator.value("voltage", at) or 0.0) > 0 for at in instants]
    dead = [house.leg_a.value("voltage", at) == 0.0 for at in instants]
    assert not instants or 10 <= sum(dead) <= 20
    assert all(leg_dead for leg_dead, on in zip(dead, running, strict=True) if on)


@given(st.sampled_from(all_names()), st.integers(0, 100), INSTANTS)
def test_everything_in_the_vocabulary_has_a_plausible_value(name: str, seed: int, at: datetime) -> None:
    value = Plausible(seed).value(name, at)
    assert value is not None
    assert math.isfinite(value)


@given(st.sampled_from(REGISTERS), st.integers(0, 100), INSTANTS, STEPS)
def test_plausible_registers_never_go_backwards(name: str, seed: int, at: datetime, later: timedelta) -> None:
    meter = Plausible(seed)
    before, after = meter.value(name, at), meter.value(name, at + later)
    assert before is not None
    assert after is not None
    assert after >= before * (1 - 1e-15)


@given(st.data())
def test_every_raw_number_comes_back_from_its_words(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(INTEGER_TYPES))
    register = Register(
        quantity=data.draw(st.sampled_from(("voltage", "active_power", "active_energy_import"))),
        address=0,
        type=kind,  # type: ignore[arg-type]  # one of RegisterType
        scale=Scale(data.draw(st.sampled_from((1, 5, 25, 1000))), data.draw(st.integers(0, 4))),
        word_order=data.draw(st.sampled_from(("high-first", "low-first"))),
    )
    bits = min(16 * register.count - kind.startswith("int"), 40)
    raw = data.draw(
        st.integers(0 if kind.startswith("u") or register.quantity.endswith("import") else -(2**bits - 1), 2**bits - 1)
    )
    value = register.scale.value(raw)
    words = {(4, place): word for place, word in enumerate(register_words(register, value))}
    assert decode_registers([register], words).values[register.quantity] == value


@given(st.sampled_from(MODELS), st.floats(-1e15, 1e15))
def test_a_register_shows_any_value_somehow(profile: Profile, value: float) -> None:
    """Gauges stop at their end, counters begin again: a simulated meter never fails to answer."""
    assert profile.modbus is not None
    for register in profile.modbus.registers:
        words = register_words(register, value)
        assert len(words) == register.count
        decoded = decode_registers(
            [register], {(register.function, register.address + n): w for n, w in enumerate(words)}
        )
        assert not decoded.doubt


@given(st.binary(max_size=40), st.sampled_from(("even", "odd")))
def test_parity_is_the_eighth_bit_for_whoever_does_not_check_it(data: bytes, parity: str) -> None:
    with_check = SerialSettings(9600, 7, parity)  # type: ignore[arg-type]  # one of Parity
    plain = SerialSettings(9600, 8, "none")
    text = bytes(byte & 0x7F for byte in data)
    heard = recode(text, with_check, plain)
    assert bytes(byte & 0x7F for byte in heard) == text
    assert all(byte.bit_count() % 2 == (parity == "odd") for byte in heard)
    assert recode(heard, plain, with_check) == text
    assert recode(bytes(byte ^ 1 for byte in heard), plain, with_check) == b""
    assert all(with_parity(byte, plain) == byte for byte in data)


@given(st.binary(min_size=4, max_size=40))
def test_another_speed_makes_garbage(data: bytes) -> None:
    heard = recode(data, SerialSettings(9600), SerialSettings(300))
    assert len(heard) == len(data)
    assert heard != data
