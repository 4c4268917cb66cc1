from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.model import ConfigError
from wattbook.profiles import Library, Scale, parse_profile


def test_every_shipped_model_loads_under_its_own_name() -> None:
    library = Library()
    assert {"pzem-016", "zpa-two-tariff", "sml", "dsmr", "json-mqtt"} <= set(library.names())
    assert [profile.name for profile in library] == list(library.names())


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'no model is called "pzem16" \(did you mean "pzem-016"\?\)'):
        Library().get("pzem16")


def test_a_users_folder_comes_first(tmp_path: Path) -> None:
    (tmp_path / "sml.toml").write_text(
        '[model]\nname="sml"\ntitle="mine"\nvendor="me"\nprotocol="sml"\nsource="display"\nverified=false\n'
    )
    assert Library([tmp_path]).get("sml").title == "mine"


def _modbus(**register: Any) -> dict[str, Any]:
    row = {"quantity": "voltage", "address": 1, "type": "uint16"} | register
    model = {"name": "x", "title": "x", "vendor": "x", "protocol": "modbus", "source": "x", "verified": True}
    return {"model": model, "register": [row]}


@pytest.mark.parametrize(
    ("register", "says"),
    [
        ({"quantity": "voltag"}, 'did you mean "voltage"'),
        ({"type": "uint61"}, 'did you mean "uint64"'),
        ({"unit": "A"}, '"A" is no unit of a quantity in V'),
        ({"scal": Decimal("0.1")}, 'unknown key "scal" (did you mean "scale"'),
        ({"address": 70000}, "outside 0..65535"),
        ({"address": "1"}, '"address" must be int'),
        ({"word_order": "middle"}, "one of: high-first, low-first"),
        ({"absent": ["x"]}, "list of int"),
        ({"absent": [True]}, "list of int"),
        ({"absent": [65536]}, "uint16 does not"),
        ({"scale": 0}, '"scale" must be from 1e-12'),
        ({"scale": Decimal("nan")}, '"scale" must be from 1e-12'),
        ({"scale": Decimal("inf")}, '"scale" must be from 1e-12'),
        ({"scale": Decimal("1e-50")}, '"scale" must be from 1e-12'),
        ({"scale": Decimal("1e5000000")}, '"scale" must be from 1e-12'),  # beyond what Decimal calculates with
        ({"minimum": Decimal("nan")}, '"minimum" must be from'),
        ({"minimum": 2, "maximum": 1}, "minimum 2 is above maximum 1"),
        ({"function": 1}, '"function" must be from 3 to 4'),
        ({"address": 65535, "type": "uint32"}, "outside 0..65535"),
        ({"resolution": Decimal("0.1")}, "integers have theirs"),
        ({"resolution": Decimal("-0.1"), "type": "float32"}, "above 0"),
    ],
)
def test_a_wrong_register_is_named_with_its_place(register: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=r"my\.toml \[\[register\]\] 1: ") as raised:
        parse_profile(_modbus(**register), place="my.toml")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"modbus": {"holes": [{"first": 5, "last": 9, "bogus": 1}]}}, '[[holes]] 1: unknown key "bogus"'),
        ({"modbus": {"holes": [{"first": 5, "last": 2}]}}, "from 5 to 2 is no range of addresses"),
        ({"modbus": {"holes": [{"first": 1, "last": 2}]}}, "voltage cannot be read: it lies in one of"),
        ({"modbus": {"pause_s": Decimal("nan")}}, '"pause_s" must be from 0 to 10'),
        ({"modbus": {"pause_s": 100_000}}, '"pause_s" must be from 0 to 10'),
        ({"modbus": {"function": 1}}, '"function" must be from 3 to 4'),
        ({"register": 2 * _modbus()["register"]}, '2 of them are "voltage"'),
        ({"obis": [{"code": "foo", "quantity": "voltage"}]}, '"foo" is no OBIS code'),
        ({"obis": [{"code": "1.8.0.7", "quantity": "voltage"}]}, '"1.8.0.7" is no OBIS code'),
        ({"obis": [{"code": "1-0:32.7.0*1", "quantity": "voltage"}]}, "is no OBIS code"),
        ({"obis": [{"code": "32.7.0", "quantity": "voltage", "sign": 0}]}, '"sign" must be 1 or -1'),
        ({"display": {"integer_digits": 7, "decimals": 3, "unit": "V"}}, '"V" is no unit'),
    ],
)
def test_a_wrong_profile_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=r"^my\.toml") as raised:
        parse_profile(_modbus() | table, place="my.toml")
    assert says in str(raised.value)


def test_two_fields_of_one_quantity_are_refused() -> None:
    model = _modbus()["model"] | {"protocol": "mqtt"}
    fields = 2 * [{"quantity": "voltage", "path": "u"}]
    with pytest.raises(ConfigError, match='2 of them are "voltage"'):
        parse_profile({"model": model, "mqtt": {"topic": "t"}, "field": fields}, place="my.toml")


def test_a_file_is_called_as_its_model(tmp_path: Path) -> None:
    text = '[model]\nname="sml"\ntitle="mine"\nvendor="me"\nprotocol="sml"\nsource="display"\nverified=false\n'
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=r'mine\.toml: a model called "sml" must be in sml\.toml'):
        Library([tmp_path]).get("mine")


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "x.toml").mkdir()
    with pytest.raises(ConfigError, match=r"x\.toml: cannot be read"):
        Library([tmp_path]).get("x")


def test_the_vendors_address_base_is_taken_off() -> None:
    table = _modbus(address=4000) | {"modbus": {"address_base": 1}}
    profile = parse_profile(table, place="my.toml")
    assert profile.modbus is not None and profile.modbus.registers[0].address == 3999


def test_a_scale_keeps_its_sign() -> None:
    profile = parse_profile(_modbus(scale=Decimal("-0.1")), place="my.toml")
    assert profile.modbus is not None and profile.modbus.registers[0].scale == Scale(-1, 1)
    assert Scale.of(Decimal("-1000")).value(3) == -3000.0


def test_a_resolution_is_in_the_unit_of_the_register() -> None:
    table = _modbus(quantity="active_energy_import", type="float32", unit="kWh", resolution=Decimal("0.01"))
    profile = parse_profile(table, place="my.toml")
    assert profile.modbus is not None and profile.modbus.registers[0].resolution == Scale(10, 0)


@given(st.integers(-(2**52), 2**52), st.integers(0, 6))
def test_scaling_is_the_correctly_rounded_decimal(raw: int, decimals: int) -> None:
    assert Scale.of(Decimal(1).scaleb(-decimals)).value(raw) == float(Decimal(raw).scaleb(-decimals))


def test_a_display_shows_what_the_meter_shows() -> None:
    display = Library().get("zpa-two-tariff").display
    assert display is not None
    assert display.text(25409587.0, Decimal(1000)) == "0025409.587"
    assert display.text(0.0, Decimal(1000)) == "0000000.000"


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(
        '[model]\nname = "x"\ntitle = "x"\nvendor = "x"\nprotocol = "modbus"\nsource = "x"\nverified = false\n'
        '[[register]]\nquantity = "voltag"\naddress = 1\ntype = "uint16"\n'
        '\n[[register]]\nquantity = "voltage"\naddress = 1\ntype = "uint61"  # no such\n'
        '\n[[register]]\nquantity = "current"\ntype = "uint32"\naddress = 5\n'
        '\n[[register]]\nquantity = "frequency"\ntype = "uint16"\naddress = 6\n'
        "[[modbus.holes]]\nfirst = 9\nlast = 3\n"
    )
    with pytest.raises(ConfigError) as raised:
        Library([tmp_path]).get("x")
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "x.toml:9 [[register]] 1",
        "x.toml:16 [[register]] 2",
        "x.toml:27 [modbus] [[holes]] 1",
        "x.toml:26 [[register]] 4",
    ]
    assert "current (uint32) and frequency overlap" in lines[3] and "x.toml:21" in lines[3]
