from array import array
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from given_batches import columns
from wattbook.model import Columns
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.model.batch import ABSENT, NO_DOUBT
from wattbook.model.exact import plain_number
from wattbook.model.template import LEAVES_MAX, TEMPLATE_SIZE_MAX, parse_template, parse_tree

AROUND = Surroundings(
    site="House",
    zone=ZoneInfo("Europe/Prague"),
    meters={"main-a": MeterFacts(location="house/Panel A", model="pzem-016", source="utility")},
)
AT = 1_763_680_923_120  # 2025-11-20T23:22:03.120Z, 00:22:03 of the 21st in Prague
ONE = columns("main-a", (AT, {"voltage": 230.123, "active_power": -1234.5, "active_energy_import": 25_409_587.0}))


def _cell(text: str, quantity: str = "") -> object:
    (cell,) = parse_template(text, AROUND).cells(ONE, quantity)
    return cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("energy", "energy"),
        ("{{a}} {{{site}}}", "{a} {House}"),
        ("{meter:upper}_VOLT", "MAIN-A_VOLT"),
        ("{site:lower}/{meter:slug}", "house/main_a"),
        ("{location:slug} {model} {source}", "house_panel_a pzem-016 utility"),
        ("{id}", "House/main-a/2025-11-20T23:22:03.120Z"),
        ("{quality}", "good"),
        ("{at}", "2025-11-20T23:22:03.120Z"),
        ("{at:YYYY-MM-DD HH:MM:SS}", "2025-11-21 00:22:03"),
        ("{at:epoch}", 1_763_680_923.12),
        ("{voltage}", 230.123),
        ("{voltage:.1f}", 230.1),
        ("{voltage:.1f} V", "230.1 V"),
        ("{voltage:9.2f}", 230.12),
        ("{voltage:9.2f} V", "   230.12 V"),
        ("{voltage:V 9.2f} V", "   230.12 V"),
        ("{active_power:kW}", -1.2345),
        ("{active_power:kW .2f}", -1.23),
        ("{active_energy_import}", 25_409_587.0),
        ("{active_energy_import} Wh", "25409587 Wh"),
        ("{active_energy_import:kWh}", 25_409.587),
        ("{active_energy_import:kWh} kWh", "25409.587 kWh"),
        ("{current}", None),
        ("{current} A, {voltage} V", None),
    ],
)
def test_what_a_text_gives(text: str, cell: object) -> None:
    assert _cell(text) == cell
    assert type(_cell(text)) is type(cell)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("{quantity}", "active_power"),
        ("{quantity:upper}={value}", "ACTIVE_POWER=-1234.5"),
        ("{value:.0f}", -1234.0),
        ("{unit} {kind}", "W gauge"),
        ("{id}", "House/main-a/2025-11-20T23:22:03.120Z/active_power"),
    ],
)
def test_what_a_text_says_of_a_single_value(text: str, cell: object) -> None:
    assert _cell(text, "active_power") == cell


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{voltag}", '{voltag}: nothing is called "voltag" (did you mean "voltage"?)'),
        ("{metre}", 'did you mean "meter"?'),
        ("{voltage:kW}", "kW"),
        ("{voltage:1f}", "1f"),
        ("{voltage:.999f}", "is no form of a number"),
        ("{value:kW}", "is no form of a number"),
        ("{meter:big}", '"big" is none of upper, lower, slug'),
        ("{at:DD.MM.JJJJ}", '"JJJJ" is none of'),
        ("{", "a lone {; for the character itself write {{"),
        ("}", "a lone }; for the character itself write }}"),
        ("{meter", "a lone {"),
        ("{}", 'nothing is called ""'),
        ("x" * (TEMPLATE_SIZE_MAX + 1), f"at most {TEMPLATE_SIZE_MAX} characters"),
    ],
)
def test_a_mistake_is_told_in_words(text: str, says: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_template(text, AROUND)
    assert says in str(raised.value)


@given(st.text(st.sampled_from("{}:. _1fkWmetrvoltagidy"), max_size=30))
def test_any_text_is_a_template_or_a_value_error(text: str) -> None:
    try:
        template = parse_template(text, AROUND)
    except ValueError as error:
        assert len(str(error)) > 10
    else:
        assert len(template.cells(ONE, "voltage")) == 1


@given(st.text(max_size=100))
def test_a_text_with_its_braces_doubled_is_itself(text: str) -> None:
    assert _cell(text.replace("{", "{{").replace("}", "}}")) == text


@given(st.integers(-(2**53), 2**53))
def test_a_unit_divides_once_and_rightly(value: int) -> None:
    one = columns("m", (0, {"active_energy_import": float(value)}))
    assert parse_template("{active_energy_import:kWh}", AROUND).cells(one)[0] == value / 1000


def _tables() -> st.SearchStrategy[Columns]:
    value = st.sampled_from([ABSENT, 0.0, -1.5, 230.1, 1e300])

    def made(rows: list[tuple[int, float, float, int, int]]) -> Columns:
        at, voltage, power, quality, doubt = (list(each) for each in zip(*rows, strict=True)) if rows else ([],) * 5
        return Columns(
            "", "main-a", array("q", at), array("q", range(len(at))),
            {"voltage": array("d", voltage), "active_power": array("d", power)},
            array("B", quality), {"voltage": array("B", doubt)},
        )  # fmt: skip

    row = st.tuples(
        st.integers(0, 4_000_000_000_000), value, value, st.sampled_from([0, 1]), st.sampled_from([0, 1, NO_DOUBT])
    )
    return st.lists(row, max_size=6).map(made)


TEXTS = st.sampled_from(
    [
        "x", "{meter}", "{at}", "{at:local}", "{at:clock}", "{id}", "{quality}", "{voltage}", "{voltage:.1f} V",
        "{current}", "{active_power:kW .3f}", "{value}", "{quantity}={value:.2f}", "{unit}", "{id} {quality:upper}",
    ]
)  # fmt: skip
TREES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.sampled_from([1, 2.5, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def _by_row(fill: Callable[[Columns], Any], table: Columns) -> list[object]:
    return [cell for row in range(len(table)) for cell in fill(table.cut(slice(row, row + 1)))]


@given(_tables(), TEXTS, st.sampled_from(["", "voltage", "current"]))
def test_a_column_says_what_its_rows_say_one_by_one(table: Columns, text: str, quantity: str) -> None:
    template = parse_template(text, AROUND)
    quantity = quantity or ("voltage" if template.single else "")  # it must be asked for one
    assert list(template.cells(table, quantity)) == _by_row(lambda part: template.cells(part, quantity), table)


@given(_tables(), TREES, st.sampled_from(["", "voltage", "current"]))
def test_documents_of_a_column_are_those_of_its_rows(table: Columns, node: Any, quantity: str) -> None:
    tree = parse_tree(node, AROUND)
    quantity = quantity or ("voltage" if tree.single else "")  # it must be asked for one
    assert tree.rows(table, quantity) == _by_row(lambda part: tree.rows(part, quantity), table)


@given(_tables(), TREES)
def test_no_document_holds_what_is_absent(table: Columns, node: Any) -> None:
    def whole(each: Any) -> bool:
        inner = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        return all(one is not None and one == one and whole(one) for one in inner)

    tree = parse_tree(node, AROUND)
    documents = tree.rows(table, "voltage" if tree.single else "")
    assert all(whole(document) for document in documents if document is not None)


def _documents(node: Any, *rows: Any, quantity: str = "") -> list[object]:
    return parse_tree(node, AROUND).rows(columns("main-a", *rows), quantity)


def test_a_document_leaves_out_what_a_reading_lacks() -> None:
    node = {"T1": "{active_energy_import_t1:kWh}", "T2": "{active_energy_import_t2:kWh}", "s": {"v": ["{voltage}"]}}
    rows = ((AT, {"active_energy_import_t1": 4_200_177.0, "voltage": 230.0}), (AT, {"active_energy_import_t2": 1.0}))
    assert _documents(node, *rows) == [{"T1": 4200.177, "s": {"v": [230.0]}}, {"T2": 0.001, "s": {"v": []}}]


def test_a_reading_of_which_nothing_is_named_gives_no_document() -> None:
    assert _documents({"m": "{meter}", "v": "{voltage}"}, (AT, {"voltage": 1.0}), (AT, {"current": 1.0})) == [
        {"m": "main-a", "v": 1.0}, None,
    ]  # fmt: skip
    assert _documents({"m": "{meter}"}, (AT, {"current": 1.0})) == [{"m": "main-a"}]


def test_a_key_that_names_the_quantity_stands_for_all_of_them() -> None:
    node = {"m": "{meter}", "all": {"{quantity:upper}": {"value": "{value}", "unit": "{unit}"}}, "{obis}": "{value}"}
    both = {"voltage": 230.0, "frequency": 50.0}
    (document,) = _documents({"m": "{meter}", "{quantity}": "{value}"}, (AT, both))
    assert document == {"m": "main-a", **both}
    first, second = _documents(node, (AT, both), (AT, {"voltage": 1.0}))
    assert isinstance(first, dict) and isinstance(second, dict)
    assert first["all"]["FREQUENCY"] == {"value": 50.0, "unit": "Hz"} and len(first) == 4
    assert second["all"]["VOLTAGE"] == {"value": 1.0, "unit": "V"}
    (one,) = _documents(node, (AT, both), quantity="voltage")
    assert isinstance(one, dict) and list(one["all"]) == ["VOLTAGE"]


def test_whether_single_values_are_asked_for_is_known_beforehand() -> None:
    assert parse_tree({"q": "{quantity}", "v": "{value}"}, AROUND).single
    assert not parse_tree({"{quantity}": "{value}", "v": "{voltage}"}, AROUND).single
    assert parse_tree([{"v": "{voltage}"}, "{active_power}"], AROUND).quantities == {"voltage", "active_power"}


def test_a_document_of_a_single_value_is_none_where_the_reading_lacks_it() -> None:
    node = {"q": "{quantity}", "v": "{value}"}
    rows = ((AT, {"voltage": 1.0}), (AT, {"current": 2.0}))
    assert _documents(node, *rows, quantity="voltage") == [{"q": "voltage", "v": 1.0}, None]


def test_a_value_in_doubt_has_its_own_quality() -> None:
    table = Columns(
        "", "m", array("q", [0, 0]), array("q", [1, 2]), {"voltage": array("d", [1, 2])}, array("B", [0, 0]),
        {"voltage": array("B", [1, NO_DOUBT])},
    )  # fmt: skip
    assert list(parse_template("{quality}", AROUND).cells(table, "voltage")) == ["suspect", "good"]


def test_what_a_meter_alone_says() -> None:
    assert parse_template("{site}/{meter:upper}/{quantity}", AROUND).of_meter(AROUND, "", "x", "voltage") == (
        "House/X/voltage"
    )
    assert parse_template("{site}", AROUND).of_meter(AROUND, "Plant", "x") == "Plant"


def test_a_tree_has_bounds() -> None:
    deep: Any = "x"
    for _ in range(20):
        deep = [deep]
    with pytest.raises(ValueError, match="tables deep"):
        parse_tree(deep, AROUND)
    with pytest.raises(ValueError, match=f"at most {LEAVES_MAX} texts"):
        parse_tree(["x"] * (LEAVES_MAX + 1), AROUND)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_text_is_read_back_the_same(number: float) -> None:
    assert float(repr(plain_number(number))) == number
