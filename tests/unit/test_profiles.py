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
    ],
)
def test_a_wrong_register_is_named_with_its_place(register: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=r"my\.toml \[\[register\]\] 1: ") as raised:
        parse_profile(_modbus(**register), place="my.toml")
    assert says in str(raised.value)


def test_the_vendors_address_base_is_taken_off() -> None:
    table = _modbus(address=4000) | {"modbus": {"address_base": 1}}
    profile = parse_profile(table, place="my.toml")
    assert profile.modbus is not None and profile.modbus.registers[0].address == 3999


@given(st.integers(-(2**52), 2**52), st.integers(0, 6))
def test_scaling_is_the_correctly_rounded_decimal(raw: int, decimals: int) -> None:
    assert Scale.of(Decimal(1).scaleb(-decimals)).value(raw) == float(Decimal(raw).scaleb(-decimals))


def test_a_display_shows_what_the_meter_shows() -> None:
    display = Library().get("zpa-two-tariff").display
    assert display is not None
    assert display.text(25409587.0, Decimal(1000)) == "0025409.587"
    assert display.text(0.0, Decimal(1000)) == "0000000.000"
