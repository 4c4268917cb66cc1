"""The CIRBUS part of a profile and of a configuration."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from wattbook.codecs.modbus_ask import Rtu
from wattbook.config import examine
from wattbook.drivers.asked import make_asked
from wattbook.model import ConfigError
from wattbook.profiles import Library, Scale, parse_profile

FREQUENCY = {"code": "RHI", "digits": 3, "quantities": ["frequency"], "scale": Decimal("0.1"), "unit": "Hz"}
ENERGY = {"code": "RWH", "quantities": ["active_energy_import"], "unit": "kWh"}


def _profile(*asks: dict[str, Any], **cirbus: Any) -> dict[str, Any]:
    model = {"name": "x", "title": "x", "vendor": "x", "protocol": "cirbus", "source": "x", "verified": False}
    return {"model": model, "cirbus": {"ask": list(asks)} | cirbus}


def test_an_ask_is_understood() -> None:
    settings = parse_profile(_profile(FREQUENCY, ENERGY, address_default=7, pause_s=Decimal("0.1")), place="x").cirbus
    assert settings is not None
    assert (settings.address_default, settings.pause_s) == (7, 0.1)
    assert [ask.scale for ask in settings.asks] == [Scale(1, 1), Scale(1000, 0)]
    assert [list(ask.sizes) for ask in settings.asks] == [[3], [9]]


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({"code": "WCE"}, '"WCE" is no command that reads'),
        ({"code": "rwh"}, '"rwh" is no command that reads'),
        ({"code": "RWH\n"}, "is no command that reads"),
        ({"quantities": ["active_energy_inport"]}, 'did you mean "active_energy_import"'),
        ({"quantities": []}, "1 to 16 of them"),
        ({"quantities": ["", ""]}, "1 to 16 of them"),
        ({"quantities": ["voltage"] + [""] * 16}, "1 to 16 of them"),
        ({"quantities": ["active_energy_import", "voltage"]}, "have one unit, not V and Wh"),
        ({"unit": "V"}, '"V" is no unit of a quantity in Wh'),
        ({"digits": 0}, '"digits" must be from 1 to 15'),
        ({"digits": 16}, '"digits" must be from 1 to 15'),
        ({"fields_min": 2}, '"fields_min" must be from 1 to 1'),
        ({"scale": 0}, '"scale" must be from 1e-12'),
        ({"width": 9}, 'unknown key "width"'),
    ],
)
def test_a_wrong_ask_is_named_with_its_place(ask: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_profile(_profile(FREQUENCY, ENERGY | ask), place="my.toml")
    assert str(raised.value).startswith("my.toml [cirbus] [[ask]] 2: ")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (_profile(), "needs at least one"),
        (_profile(FREQUENCY, address_default=100), '"address_default" must be from 0 to 99'),
        (_profile(FREQUENCY, pause_s=11), '"pause_s" must be from 0 to 10'),
        (_profile(FREQUENCY, addres=1), 'unknown key "addres"'),
        (_profile(FREQUENCY, FREQUENCY), '"RHI" is asked for 2 times'),
        (_profile(FREQUENCY, ENERGY, ENERGY | {"code": "RWHX0"}), '"active_energy_import" is told 2 times'),
        (_profile(ENERGY, ENERGY | {"code": "RLH", "quantities": ["voltage"], "unit": "V"}), "begin with a command"),
    ],
)
def test_a_wrong_profile_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=r"^my\.toml \[cirbus\]") as raised:
        parse_profile(table, place="my.toml")
    assert says in str(raised.value)


def test_a_profile_of_cirbus_needs_its_table() -> None:
    with pytest.raises(ConfigError, match='"cirbus" is missing'):
        parse_profile({"model": _profile()["model"]}, place="my.toml")


@pytest.mark.parametrize("name", ["cvmk", "cvmk-extremes"])
def test_what_is_uncertain_is_not_called_verified(name: str) -> None:
    profile = Library().get(name)
    assert not profile.verified and "Uncertain" in profile.note


def test_the_first_cvmk_profile_is_a_part_of_the_second() -> None:
    plain, extremes = (Library().get(name).cirbus for name in ("cvmk", "cvmk-extremes"))
    assert plain is not None and extremes is not None
    assert extremes.asks[: len(plain.asks)] == plain.asks
    minima = [name for ask in extremes.asks if ask.code.endswith("m") for name in ask.quantities if name]
    assert minima and all(name.endswith("_min") for name in minima)


@pytest.mark.parametrize("address", [0, 99, "7", "07", None, ""])
def test_addresses(address: int | str | None) -> None:
    make_asked(Library().get("cvmk"), address, Rtu())


@pytest.mark.parametrize("address", [-1, 100, "-1", "x", "1.5", "٣"])
def test_what_is_no_address(address: int | str) -> None:
    with pytest.raises(ConfigError, match="a CIRBUS address is a number from 0 to 99"):
        make_asked(Library().get("cvmk"), address, Rtu())


CONFIG = """
[[line]]
name = "rs485"
port = "/dev/ttyUSB0"

[[meter]]
name = "press"
line = "rs485"
model = "cvmk"
address = 1

[[meter]]
name = "oven"
line = "rs485"
model = "cvmk"
address = 2
"""


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (("address = 2", "address = 100"), 16, 'meter "oven": cvmk takes addresses from 0 to 99, not 100'),
        (
            ("address = 2", 'address = "07"'),
            16,
            "meter \"oven\": a CIRBUS address is a number without quotes, not '07'",
        ),
        (("address = 2", "address = 1"), 3, 'meters "press" and "oven" have the address 1'),
        (("/dev/ttyUSB0", "tcp://moxa"), 4, "tcp://moxa"),
    ],
)
def test_a_wrong_configuration_is_told(tmp_path: Path, change: tuple[str, str], place: int, says: str) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(CONFIG.replace(*change))
    _, problems = examine(path)
    assert [problem.line for problem in problems] == [place]
    assert says in problems[0].message


@pytest.mark.parametrize("port", ["/dev/ttyUSB0", "auto", "tcp://moxa:4001", "rfc2217://moxa:4001"])
def test_several_meters_share_a_line(tmp_path: Path, port: str) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(CONFIG.replace("/dev/ttyUSB0", port))
    config, problems = examine(path)
    assert not problems and config is not None
    assert [config.every_s(meter) for meter in config.meters] == [5.0, 5.0]
