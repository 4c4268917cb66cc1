"""Which addresses a scan asks, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.engine.trials import (
    ADDRESSES,
    BAUDS,
    FIRST_BYTE_S,
    PARITIES,
    SCAN_S_MAX,
    addresses_of,
    probing,
    serial_passes,
    tcp_passes,
)
from wattbook.model import ConfigError
from wattbook.profiles import Library, Profile, SerialSettings

PZEM = Library().get("pzem-016")
assert PZEM.modbus is not None


def model(serial: SerialSettings, address: int) -> Profile:
    assert PZEM.modbus is not None
    return replace(PZEM, serial=serial, modbus=replace(PZEM.modbus, address_default=address))


settings = st.builds(
    SerialSettings, baud=st.sampled_from(BAUDS), parity=st.sampled_from(PARITIES), stopbits=st.sampled_from((1, 2))
)
models = st.lists(st.builds(model, settings, st.integers(1, 247)), min_size=1, max_size=12)


@given(models, st.booleans())
def test_every_address_is_asked_once_per_setting(models: list[Profile], thorough: bool) -> None:
    asked: dict[SerialSettings, list[int]] = {}
    for one in serial_passes(models, thorough=thorough):
        asked.setdefault(one.settings, []).extend(trial.unit for trial in one.trials)
    assert all(sorted(units) == list(ADDRESSES) for units in asked.values())
    expected = {probing(replace(one.serial, stopbits=1)) for one in models}
    everything = {probing(SerialSettings(baud, parity=parity)) for baud in BAUDS for parity in PARITIES}
    assert set(asked) == (everything if thorough else expected)


@given(models)
def test_the_models_own_addresses_come_first(models: list[Profile]) -> None:
    passes = serial_passes(models)
    own = {(probing(replace(one.serial, stopbits=1)), one.modbus.address_default) for one in models if one.modbus}
    first = [(one.settings, trial.unit) for one in passes[: len(passes) // 2] for trial in one.trials]
    assert set(first) == own


@given(models)
def test_no_wait_is_shorter_than_an_adapter_holds_bytes_nor_longer_than_needed(models: list[Profile]) -> None:
    assert all(FIRST_BYTE_S[0] <= one.first_byte_s <= FIRST_BYTE_S[1] for one in serial_passes(models))


def test_the_shipped_models_take_less_than_a_minute() -> None:
    assert sum(one.seconds for one in serial_passes(Library())) < 0.9 * SCAN_S_MAX


def test_without_parity_devices_with_one_and_two_stop_bits_are_asked_together() -> None:
    one, two = (model(SerialSettings(9600, stopbits=bits), 1) for bits in (1, 2))
    assert {each.settings.stopbits for each in serial_passes([one, two])} == {2}


@pytest.mark.parametrize(
    ("text", "addresses"),
    [("7", [7]), ("1-3", [1, 2, 3]), (" 4, 5 ,30 - 32", [4, 5, 30, 31, 32]), ("247-255", list(range(247, 256)))],
)
def test_addresses_as_a_person_names_them(text: str, addresses: list[int]) -> None:
    assert sorted(addresses_of(text)) == addresses


@pytest.mark.parametrize("text", ["", "-", "1-", "-3", "x", "1-2-3", "3-1", "250-256", "1,,2", "1.5", "٣", "9" * 5000])
def test_what_are_no_addresses_is_said(text: str) -> None:
    with pytest.raises(ConfigError):
        addresses_of(text)


def test_only_the_named_addresses_are_asked() -> None:
    (only,) = tcp_passes([model(SerialSettings(), 7)])
    assert [trial.unit for trial in only.only(range(6, 9)).trials] == [7, 6, 8]


@pytest.mark.parametrize("thorough", [False, True])
def test_over_tcp_the_own_unit_is_first_and_all_others_follow_once(thorough: bool) -> None:
    (only,) = tcp_passes([model(SerialSettings(), 7)], thorough=thorough)
    units = [trial.unit for trial in only.trials]
    assert units[:4] == [7, 1, 255, 0]
    assert sorted(units) == [*range(248), 255]
