"""Foreign register lists become drafts that load, and whatever is wrong with one is a ConfigError."""

import tomllib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.model import ConfigError
from wattbook.profiles import Register, Scale, parse_profile
from wattbook.profiles.drafts import FORMATS, INPUT_SIZE_MAX, Import, make_draft
from wattbook.profiles.drafts.row import factor_of, guess, kind_of

EVCC = b"""template: acme-3p
params:
  - name: usage
    choice: ["grid", "pv"]
render: |
  type: custom
  power:
    source: modbus
    {{- include "modbus" . | indent 2 }}
    register:
      address: 0x10 # total power
      type: input
      decode: int32s
    {{- if eq .usage "pv" }}
    scale: -0.1
    {{- else }}
    scale: 0.1
    {{- end }}
  energy:
    source: calc
    add:
    - source: modbus
      register:
        address: 100
        type: input
        decode: uint32
  currents:
    - source: modbus
      register:
        address: 0
        type: holding
        decode: uint16
      scale: 0.01
    - source: modbus
      register:
        address: 1
        type: holding
        decode: uint16
      scale: 0.01
"""
MBMD = b"""package rs485
func NewAcmeProducer() Producer {
	ops := Opcodes{
		VoltageL1: 0x0000, // V
		Power:     0x0034,
		Import:    72, // kWh
		WonderL1:  0x0099,
	}
}
func (p *AcmeProducer) snip16(iec Measurement, scaler ...float64) Operation {
	transform := RTUUint16ToFloat64
	return Operation{FuncCode: ReadHoldingReg, Transform: transform}
}
func (p *AcmeProducer) snip32(iec Measurement, scaler ...float64) Operation {
	transform := RTUInt32ToFloat64Swapped
	return Operation{FuncCode: ReadInputReg, Transform: transform}
}
func (p *AcmeProducer) Produce() (res []Operation) {
	for _, op := range []Measurement{VoltageL1} {
		res = append(res, p.snip16(op, 10))
	}
	for _, op := range []Measurement{
		Power, Import,
	} {
		res = append(res, p.snip32(op, 1000))
	}
}
"""
CSV = b"""Acme 100, register list
Unit;Address;Type;Description;Factor;FC
V;40001;UINT16;Voltage phase 1;0.1;
A;40002;U32;Current L1;0,001;
kWh;40004;uint32;Total active energy import;/100;
;40011;string;Serial number;;
A;40002;uint16;Current L2;;
"""
MARKDOWN = b"""| Register | Name | Type | Unit |
| --- | --- | --- | --- |
| 0x0C | Active power L3 | float32 | W |
"""


def registers(made: Import) -> dict[str, Register]:
    profile = parse_profile(tomllib.loads(made.text, parse_float=Decimal), place="x.toml")
    assert profile.modbus is not None and not profile.verified
    return {one.quantity: one for one in profile.modbus.registers}


def test_an_evcc_template() -> None:
    made = make_draft(EVCC, name="x", file="acme.yaml")
    assert registers(made) == {
        "active_power": Register("active_power", 16, "int32", Scale(1, 1), 4, "low-first"),
        "current_l1": Register("current_l1", 0, "uint16", Scale(1, 2), 3, "low-first"),
        "current_l2": Register("current_l2", 1, "uint16", Scale(1, 2), 3, "low-first"),
    }
    assert "source calc" in made.left[0] and "# not used, line 19: energy" in made.text


def test_a_template_that_leaves_all_to_mbmd_names_the_file_to_take() -> None:
    with pytest.raises(ConfigError, match=r"acme\.yaml: this template leaves .* \(model acme3\); import mbmd's own"):
        make_draft(
            b"template: a\nrender: |\n  type: mbmd\n  model: acme3\n  power: Power\n", name="x", file="acme.yaml"
        )


def test_an_mbmd_map() -> None:
    made = make_draft(MBMD, name="x", file="acme.go")
    assert registers(made) == {
        "voltage_l1": Register("voltage_l1", 0, "uint16", Scale(1, 1), 3, "low-first"),
        "active_power": Register("active_power", 0x34, "int32", Scale(1, 3), 4, "low-first"),
        "active_energy_import": Register("active_energy_import", 72, "int32", Scale(1, 0), 4, "low-first"),
    }
    assert "WonderL1" in made.left[0]


def test_a_csv_list() -> None:
    made = make_draft(CSV, name="x", file="acme.csv")
    assert registers(made) == {
        "voltage_l1": Register("voltage_l1", 0, "uint16", Scale(1, 1), 3),
        "current_l1": Register("current_l1", 1, "uint32", Scale(1, 3), 3),
        "active_energy_import": Register("active_energy_import", 3, "uint32", Scale(10, 0), 3),
    }
    assert "40001… (function 3)" in made.look[0]
    assert ["no register type" in made.left[0], "overlaps current_l1" in made.left[1]] == [True, True]


def test_a_markdown_table_tells_that_the_function_is_assumed() -> None:
    made = make_draft(MARKDOWN, name="x", file="acme.md")
    assert registers(made) == {"active_power_l3": Register("active_power_l3", 12, "float32", function=3)}
    assert any("do not tell their function" in line for line in made.look)


@pytest.mark.parametrize(
    ("text", "unit", "name"),
    [
        ("Voltage L1-N", "V", "voltage_l1"),
        ("Line voltage L1-L2", "V", "voltage_l12"),
        ("Phase 2 current", "A", "current_l2"),
        ("Total active power", "kW", "active_power"),
        ("Reactive power phase C", "var", "reactive_power_l3"),
        ("Wirkenergie Bezug T2", "kWh", "active_energy_import_t2"),
        ("Exported energy", "Wh", "active_energy_export"),
        ("Grid frequency", "Hz", "frequency"),
        ("cos phi", "", "power_factor"),
        ("Voltage", "kWh", "active_energy_import"),  # the unit knows better
        ("Firmware version", "", ""),
    ],
)
def test_a_quantity_is_guessed_from_name_and_unit(text: str, unit: str, name: str) -> None:
    assert guess(text, unit) == name


@pytest.mark.parametrize(
    ("text", "factor"),
    [("0.1", "0.1"), ("0,01", "0.01"), ("/10", "0.1"), ("1/1000", "0.001"), ("x 0.1", "0.1"), ("10^-2", "0.01"),
     ("", "1"), ("1/3", None), ("a lot", None), ("0", None)],
)  # fmt: skip
def test_scales_are_written_in_many_ways(text: str, factor: str | None) -> None:
    assert factor_of(text) == (None if factor is None else Decimal(factor))


@pytest.mark.parametrize(
    ("text", "length", "kind"),
    [
        ("UINT16", 0, ("uint16", False)), ("S32", 0, ("int32", False)), ("int32s", 0, ("int32", True)),
        ("Float", 2, ("float32", False)), ("unsigned", 2, ("uint32", False)), ("signed 16 bit", 0, ("int16", False)),
        ("U_WORD", 0, (None, False)), ("uint32nan", 0, ("uint32", False)), ("string", 8, (None, False)),
    ],
)  # fmt: skip
def test_types_have_many_names(text: str, length: int, kind: tuple[str | None, bool]) -> None:
    assert kind_of(text, length) == kind


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no header"),
        (b"x" * (INPUT_SIZE_MAX + 1), "larger than"),
        (b"address,name,type\n", "none of its 0 rows"),
        (b"address,name,type\n1,Colour,uint16\n", "no quantity of the vocabulary"),
    ],
)
def test_what_is_no_list_is_said(data: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_draft(data, name="x", file="x.csv")


PIECES = st.sampled_from(
    [*EVCC.decode().splitlines(True), *MBMD.decode().splitlines(True), *CSV.decode().splitlines(True),
     "address", ";", ",", "name,type\n", "0x", "9" * 30, "1e999999999", "\\", '"""', "'", "\x00", "\u2028",
     "{{ end }}\n"]
)  # fmt: skip


@given(
    st.binary(max_size=300)
    | st.lists(PIECES | st.text(max_size=5), max_size=40).map(lambda some: "".join(some).encode("utf-8", "replace")),
    st.sampled_from(["auto", *FORMATS]),
)
def test_no_list_whatever_raises_anything_but_a_config_error(data: bytes, format: str) -> None:
    try:
        made = make_draft(data, name="x", file="x", format=format)
    except ConfigError:
        return
    assert registers(made)


@pytest.mark.parametrize(
    "piece", ["/*", "\n", " ", "(", "[]Measurement{", "case a,", "A:", "{{", "- ", "address;name\n", ".snip("]
)
@pytest.mark.parametrize("format", FORMATS)
def test_a_list_of_one_megabyte_of_the_same_ends(piece: str, format: str) -> None:
    with pytest.raises(ConfigError):
        make_draft((piece * INPUT_SIZE_MAX)[:INPUT_SIZE_MAX].encode(), name="x", file="x", format=format)
