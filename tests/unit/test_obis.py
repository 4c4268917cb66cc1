"""OBIS codes as meters write them, and what they come to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.obis import DataSet, Obis, measure, parse_obis
from wattbook.model import Garbled, Quality, quantity
from wattbook.model.vocabulary import obis_meanings
from wattbook.profiles.profile import ObisCode


@pytest.mark.parametrize(
    ("code", "cde", "own"),
    [
        ("1.8.0", "1.8.0", True),
        ("32.7", "32.7.0", True),
        ("1-0:1.8.0*255", "1.8.0", True),
        ("1-1:1.8.0", "1.8.0", True),
        ("1-0:1.7.255*255", "1.7.0", True),
        ("C.1", "96.1.0", True),
        ("F.F", "97.97.0", True),
        ("0-0:F.F.0*255", "97.97.0", True),
        ("P.01", "99.1.0", True),
        ("0.C.1", "0.96.1", True),
        ("1.8.0*01", "1.8.0", False),
        ("1.8.0*1", "1.8.0", False),
        ("1.8.0&2", "1.8.0", False),
        ("1-0:1.8.0*00", "1.8.0", False),
        ("0-1:24.2.1", "24.2.1", False),
        ("0-1:96.1.0", "96.1.0", False),
        ("6-0:1.8.0", "1.8.0", False),
    ],
)
def test_codes(code: str, cde: str, own: bool) -> None:
    obis = parse_obis(code)
    assert obis is not None
    assert (obis.cde, obis.own) == (cde, own)


@pytest.mark.parametrize("code", ["", "1", "1.8.0.0", "GF", "hello", "1-0:", "1.8.0*", "1.8.A", "1-0:1.8.0*2555"])
def test_what_is_no_code(code: str) -> None:
    assert parse_obis(code) is None
    assert measure([DataSet(code, "1", "kWh")]).values == {}


def _values(*rows: tuple[str, str, str], own: tuple[ObisCode, ...] = ()) -> dict[str, float]:
    return dict(measure([DataSet(*row) for row in rows], own).values)


def test_import_and_export_are_one_signed_power() -> None:
    assert _values(("1.7.0", "0.170", "kW"), ("2.7.0", "0.270", "kW")) == {"active_power": -100}
    assert _values(("2.7.0", "270", "W")) == {"active_power": -270}
    assert _values(("3.7.0", "1.5", "kvar"), ("4.7.0", "166", "var")) == {"reactive_power": 1334}
    assert _values(("41.7.0", "0.5", "kW"), ("62.7.0", "7", "W")) == {"active_power_l2": 500, "active_power_l3": -7}


def test_a_signed_power_wins() -> None:
    rows = (("1.7.0", "9", "kW"), ("16.7.0", "-458.90", "W"), ("2.7.0", "9", "kW"), ("36.7.0", "1", "W"))
    assert _values(*rows, ("21.7.0", "5", "W")) == {"active_power": -458.9, "active_power_l1": 1}


def test_stored_periods_and_other_media_are_left_out() -> None:
    rows = (("1.8.0*01", "1", "kWh"), ("1.8.0&1", "2", "kWh"), ("0-1:24.2.1", "3", "m3"), ("0-0:1.8.0", "4", "kWh"))
    assert _values(*rows) == {}
    assert _values(*rows, ("1.8.0", "5", "kWh"), ("1.8.0*02", "6", "kWh")) == {"active_energy_import": 5000}


def test_of_several_values_the_one_with_a_unit_is_meant() -> None:
    assert _values(("1.6.0", "200509134558S", ""), ("1.6.0", "02.589", "kW")) == {"active_power_demand_max": 2589}
    assert _values(("1.6.0", "2005091345", ""), ("1.6.0", "02.589", "kW")) == {"active_power_demand_max": 2589}
    assert _values(("1.6.0", "02.589", "kW"), ("1.6.0", "2005091345", "")) == {"active_power_demand_max": 2589}
    assert _values(("1-1:1.8.0", "7", "kWh"), ("1-0:1.8.0", "8", "kWh")) == {"active_energy_import": 8000}


def test_a_missing_unit_is_assumed_and_doubted() -> None:
    measured = measure([DataSet("1.8.0", "1.2963"), DataSet("32.7.0", "230"), DataSet("13.7.0", "0.9")])
    assert measured.values == {"active_energy_import": 1296.3, "voltage_l1": 230, "power_factor": 0.9}
    assert measured.doubt == {"active_energy_import": Quality.SUSPECT}


def test_the_profile_says_what_the_meter_leaves_out() -> None:
    own = (ObisCode("1.8.0", "active_energy_import", "Wh"), ObisCode("96.8.0", "operating_time"))
    measured = measure([DataSet("1.8.0", "17"), DataSet("C.8.0", "00002:30", "h:min")], own)
    assert measured.values == {"active_energy_import": 17, "operating_time": 9000}
    assert measured.doubt == {}
    assert _values(("1.8.0", "17", "kWh"), own=own) == {"active_energy_import": 17000}
    assert _values(("9.9.0", "5", "V"), own=(ObisCode("9.9.0", "voltage", sign=-1),)) == {"voltage": -5}


def test_error_words_are_hexadecimal() -> None:
    assert _values(("F.F", "00000401", "")) == {"error_bits": 0x401}
    assert _values(("0-0:97.97.0", "ff", "")) == {"error_bits": 255}
    assert _values(("F.F", "none", "")) == {}


@pytest.mark.parametrize("text", ["", "-------", "(ERROR)", "ERROR", "        "])
def test_a_meter_that_has_no_value_gives_none(text: str) -> None:
    assert _values(("1.8.0", text, "kWh")) == {}


@pytest.mark.parametrize("text", ["12a4.5", "1.2.3", "1,5", "0x10", "1e5", "1 2", "+-1", "9" * 5000])
def test_a_number_that_is_none_is_damage(text: str) -> None:
    with pytest.raises(Garbled, match=r"1\.8\.0"):
        _values(("1.8.0", text, "kWh"))


def test_a_foreign_unit_is_another_thing() -> None:
    assert _values(("1.8.0", "5", "m3"), ("31.7.0", "5", "V")) == {}


def test_more_than_a_float_can_keep_is_damage() -> None:
    assert _values(("1.8.0", "4503599627370.496", "kWh")) == {"active_energy_import": 4503599627370496}
    with pytest.raises(Garbled, match="more digits"):
        _values(("1.8.0", "4503599627370.497", "kWh"))
    with pytest.raises(Garbled, match="more digits"):
        _values(("F.F", "F" * 16, ""))


@given(st.integers(0, 2**52), st.integers(0, 12), st.booleans(), st.sampled_from(["Wh", "kWh", "MWh"]))
def test_every_number_comes_out_exactly(raw: int, decimals: int, negative: bool, unit: str) -> None:
    digits = str(raw).zfill(decimals + 1)
    text = f"{'-' if negative else ''}{digits[: len(digits) - decimals]}.{digits[len(digits) - decimals :]}"
    exact = Decimal(text) * {"Wh": 1, "kWh": 1000, "MWh": 10**6}[unit]
    # float() of a decimal text is the float nearest to it: what one division by a power of ten must also give.
    assert _values(("1.8.0", text, unit)) == {"active_energy_import": float(exact)}


def test_every_code_of_the_vocabulary_is_understood() -> None:
    for code, meaning in obis_meanings().items():
        base = quantity(meaning.quantity).unit
        (value,) = measure([DataSet(code, "1", "" if base == "1" else base)]).values.items()
        assert value == (meaning.quantity, float(meaning.sign)), code


def test_obis_defaults() -> None:
    assert Obis(1, 8).own
    assert DataSet("words", "1").obis.cde == "-1.-1.0"
