from decimal import Decimal

import pytest

from wattbook.model import Kind, UnknownQuantity, quantity
from wattbook.model.vocabulary import UnknownUnit, all_names, base_names, obis_meanings, unit_factor


@pytest.mark.parametrize(
    ("name", "unit", "kind", "title", "obis"),
    [
        ("voltage", "V", Kind.GAUGE, "Voltage", "12.7.0"),
        ("voltage_l12_max", "V", Kind.GAUGE, "Voltage, L1-L2, maximum", ""),
        ("current_n", "A", Kind.GAUGE, "Current, neutral", "91.7.0"),
        ("active_power", "W", Kind.GAUGE, "Active power", "16.7.0"),
        ("active_power_demand", "W", Kind.GAUGE, "Active power, demand", "1.4.0"),
        ("active_power_demand_max", "W", Kind.GAUGE, "Active power, demand, maximum", "1.6.0"),
        ("active_energy_import", "Wh", Kind.REGISTER, "Active energy, import", "1.8.0"),
        ("active_energy_import_t1", "Wh", Kind.REGISTER, "Active energy, import, tariff 1", "1.8.1"),
        ("active_energy_export_l2", "Wh", Kind.REGISTER, "Active energy, export, L2", "42.8.0"),
        ("reactive_energy_q3", "varh", Kind.REGISTER, "Reactive energy, quadrant 3", "7.8.0"),
        ("analogue_c16", "1", Kind.GAUGE, "Analogue input, channel 16", ""),
        ("error_bits", "1", Kind.GAUGE, "Error bits", "97.97.0"),
    ],
)
def test_a_name_tells_unit_kind_title_and_obis(name: str, unit: str, kind: Kind, title: str, obis: str) -> None:
    found = quantity(name)
    assert (found.unit, found.kind, found.title, found.obis) == (unit, kind, title, obis)


@pytest.mark.parametrize(
    "name",
    [
        "volts", "voltage_t1", "active_power_c1", "analogue_c17", "active_energy_import_t9", "active_energy_import_max",
        "voltage_max_l1", "", "Voltage", "frequency_n", "reactive_power_q5", "active_energy_import_l1_l2",
    ],
)  # fmt: skip
def test_a_name_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(UnknownQuantity):
        quantity(name)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownQuantity, match='did you mean "active_energy_import"'):
        quantity("active_enery_import")


def test_every_generated_name_is_one_and_every_base_among_them() -> None:
    names = all_names()
    assert len(names) == len(set(names))
    assert [quantity(name).name for name in names] == list(names)
    assert set(base_names()) <= set(names)


def test_no_two_quantities_share_an_obis_code() -> None:
    codes = [quantity(name).obis for name in all_names() if quantity(name).obis]
    assert sorted(codes) == sorted(set(codes))


def test_codes_of_one_direction_carry_their_sign() -> None:
    meanings = obis_meanings()
    assert (meanings["2.7.0"].quantity, meanings["2.7.0"].sign, meanings["2.7.0"].directed) == (
        "active_power",
        -1,
        True,
    )
    assert not meanings["16.7.0"].directed


@pytest.mark.parametrize(
    ("unit", "base", "factor"),
    [("kWh", "Wh", 1000), ("Wh", "Wh", 1), ("mA", "A", "0.001"), ("MW", "W", 10**6), ("kvarh", "varh", 1000),
     ("min", "s", 60), ("h", "s", 3600), ("deg", "°", 1), ("C", "°C", 1), ("", "1", 1)],
)  # fmt: skip
def test_units_turn_into_base_units(unit: str, base: str, factor: int | str) -> None:
    assert unit_factor(unit, base) == Decimal(factor)


@pytest.mark.parametrize(("unit", "base"), [("kWh", "W"), ("k%", "%"), ("furlong", "V"), ("V", "A")])
def test_a_unit_that_does_not_fit_is_refused(unit: str, base: str) -> None:
    with pytest.raises(UnknownUnit):
        unit_factor(unit, base)


@pytest.mark.parametrize(("unit", "base", "meant"), [("kWh", "W", "kW"), ("kW", "Wh", "kWh"), ("KWH", "Wh", "kWh")])
def test_a_unit_that_does_not_fit_is_answered_with_one_that_does(unit: str, base: str, meant: str) -> None:
    with pytest.raises(UnknownUnit, match=rf'no unit of a quantity in {base} \(did you mean "{meant}"\?\)'):
        unit_factor(unit, base)
