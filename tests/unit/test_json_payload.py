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
        '{"ENERGY":{"Power":[1]}}', '{"voltage":"1e9999999"}', '{"voltage":"sNaN"}', '{"voltage":9007199254740993}',
        '{"voltage":"9007199254740993"}', '{"voltage":9007199254740993.0}', '{"voltage":-1e300}',
        '{"voltage":' + "9" * 4000 + "}", '{"ENERGY":{"Total":"1e9999999"}}', '{"ENERGY":{"Total":1e300}}',
    ],
)  # fmt: skip
def test_what_is_no_value(payload: str) -> None:
    with pytest.raises(Garbled):
        Payload(FIELDS, "").values(parse_json(payload))


@pytest.mark.parametrize("payload", [b"[" * 60_000, b'{"a":' * 10_000, b"{", b"\xff", b'"\\ud800"', b"1e999", b""])
def test_what_is_no_json(payload: bytes) -> None:
    with pytest.raises(Garbled):
        parse_json(payload)


def test_a_value_that_is_a_deep_list_is_only_named() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(Garbled, match="a list is no number"):
        Payload(FIELDS, "").values({"voltage": deep})
    with pytest.raises(Garbled, match="a list is no time"):
        parse_instant(deep)


numbers = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.booleans(), st.none()
)
odd = st.sampled_from(["sNaN", "1e9999999", "-1e-9999999", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
documents = st.recursive(
    st.one_of(numbers, odd),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["voltage", "ENERGY", "Total", "Power", "t"]), inner),
    ),
    max_leaves=8,
)


@given(documents, st.sampled_from(["1", "1000", "0.001", "-0.1", "60"]))
def test_any_json_gives_values_or_is_garbled(document: Any, factor: str) -> None:
    scale = Scale.of(Decimal(factor))
    fields = (
        Field("voltage", "voltage", scale),
        Field("active_energy_import", "ENERGY.Total", scale),
        Field("x", "", scale),
    )
    payload = Payload(fields, "t")
    try:
        read = parse_json(json.dumps(document).encode())
        at, values = payload.at(read), payload.values(read)
    except Garbled as error:
        assert len(str(error)) < 200
        return
    assert at is None or at.tzinfo is UTC
    assert all(type(value) is float and abs(value) < 2**53 for value in values.values())


def test_the_payload_itself_is_the_number() -> None:
    assert Payload((Field("active_power", ""),), "").values(parse_json(b"230.5")) == {"active_power": 230.5}


def test_a_path_through_other_things_finds_nothing() -> None:
    document = {"a": [{"b": 1}], "0": "zero"}
    assert find(document, parse_path("a.0.b")) == 1
    assert find(document, parse_path("0")) == "zero"
    for path in ("a.1.b", "a.b", "a.0.b.c", "x"):
        assert find(document, parse_path(path)) is None


@given(st.integers(-(10**12), 10**12), st.integers(0, 3), st.sampled_from(["1000", "0.1", "0.001", "0.25", "60"]))
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


def test_a_unix_time_in_text_is_not_taken_for_a_day_of_1801() -> None:
    assert parse_instant("1801010912345") == datetime(2027, 1, 27, 0, 48, 32, 340_000, UTC)


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-21T01:02:03", "soon", -5, True, [1], {}, 1e20, "nan", "inf", "sNaN", "1e9999999", 10**400,
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", None,
    ],
)  # fmt: skip
def test_what_is_no_instant(given: Any) -> None:
    with pytest.raises(Garbled):
        parse_instant(given)


def test_a_payload_without_a_time() -> None:
    assert Payload(FIELDS, "").at({}) is None
    assert Payload(FIELDS, "ts").at({}) is None
    assert Payload(FIELDS, "sys.ts").at({"sys": {"ts": 0}}) == AT - timedelta(seconds=1795222923.04)
