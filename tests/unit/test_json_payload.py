"""JSON payloads to values, exactly."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.drivers.json_payload import Payload, find, make_convert, parse_instant, parse_json, parse_path
from wattbook.model import Garbled
from wattbook.profiles import Field, Scale

KILO = Scale.of(Decimal(1000))
FIELDS = (
    Field("voltage", "voltage"),
    Field("active_energy_import", "ENERGY.Total", KILO),
    Field("active_power_l2", "ENERGY.Power.1"),
)


@pytest.mark.parametrize(
    ("payload", "values"),
    [
        ('{"voltage":230.1}', {"voltage": 230.1}),
        ('{"voltage":230}', {"voltage": 230.0}),
        ('{"voltage":"230.1"}', {"voltage": 230.1}),
        ('{"voltage":null,"ENERGY":{"Total":12345.678}}', {"active_energy_import": 12345678.0}),
        ('{"ENERGY":{"Total":"0.001","Power":[1,2.5,3]}}', {"active_energy_import": 1.0, "active_power_l2": 2.5}),
        ('{"ENERGY":{"Power":{"1":7}}}', {"active_power_l2": 7.0}),
    ],
)
def test_values(payload: str, values: dict[str, float]) -> None:
    assert Payload(FIELDS, "").values(parse_json(payload)) == values


@pytest.mark.parametrize(
    "payload",
    [
        "{}", "[]", "5", "null", '{"other":1}', '{"voltage":true}', '{"voltage":"on"}', '{"voltage":[1]}',
        '{"voltage":"NaN"}', '{"voltage":"-inf"}', '{"voltage":99007199254740993}', '{"voltage":"1e999"}',
        '{"ENERGY":{"Power":[1]}}',
    ],
)  # fmt: skip
def test_what_is_no_value(payload: str) -> None:
    with pytest.raises(Garbled):
        Payload(FIELDS, "").values(parse_json(payload))


def test_the_payload_itself_is_the_number() -> None:
    assert Payload((Field("active_power", ""),), "").values(parse_json(b"230.5")) == {"active_power": 230.5}


def test_a_path_through_other_things_finds_nothing() -> None:
    document = {"a": [{"b": 1}], "0": "zero"}
    assert find(document, parse_path("a.0.b")) == 1
    assert find(document, parse_path("0")) == "zero"
    for path in ("a.1.b", "a.b", "a.0.b.c", "x"):
        assert find(document, parse_path(path)) is None


@given(st.integers(-(10**13), 10**13), st.integers(0, 3), st.sampled_from(["1000", "0.1", "0.001", "0.25", "60"]))
def test_scaling_adds_no_error(digits: int, decimals: int, factor: str) -> None:
    number = Decimal(digits).scaleb(-decimals)
    scaled = make_convert(Scale.of(Decimal(factor)))(json.loads(str(float(number))))
    assert scaled == float(number * Decimal(factor))


AT = datetime(2026, 11, 21, 1, 2, 3, 40_000, UTC)


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-21T01:02:03.040Z", "2026-11-21T02:02:03.049999+01:00", 1795222923.04, 1795222923049, "1795222923.0400",
        "1795222923040",
    ],
)  # fmt: skip
def test_instants(given: Any) -> None:
    assert parse_instant(given) == AT


@pytest.mark.parametrize("given", ["2026-11-21T01:02:03", "soon", -5, True, [1], {}, 1e20, "nan", "inf"])
def test_what_is_no_instant(given: Any) -> None:
    with pytest.raises(Garbled):
        parse_instant(given)


def test_a_payload_without_a_time() -> None:
    assert Payload(FIELDS, "").at({}) is None
    assert Payload(FIELDS, "ts").at({}) is None
    assert Payload(FIELDS, "sys.ts").at({"sys": {"ts": 0}}) == AT - timedelta(seconds=1795222923.04)
