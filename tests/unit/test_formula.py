"""Formulas of virtual meters: what they mean, and what is said of wrong ones."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wattbook.model.formula import DEPTH_MAX, FORMULA_SIZE_MAX, FormulaError, parse_formula
from wattbook.model.virtual import NESTED_MAX, BadNesting, expand

NAMES = ("main", "main-a", "main-b", "heat pump", "heat", "a", "b", "3-phase", "12", "Dílna", "it's", "x*y")


@pytest.mark.parametrize(
    ("text", "factors"),
    [
        ("main-a + main-b", {"main-a": 1, "main-b": 1}),
        ("main-a-main-b", {"main-a": 1, "main-b": -1}),
        ("main - a", {"main": 1, "a": -1}),  # with blanks it is a difference
        ("'main'-a", {"main": 1, "a": -1}),
        ("main-a - heat pump", {"main-a": 1, "heat pump": -1}),
        ("heat - a", {"heat": 1, "a": -1}),
        ("-(a + b) * 0.5", {"a": Fraction(-1, 2), "b": Fraction(-1, 2)}),
        ("2 * (a - -b) / 4", {"a": Fraction(1, 2), "b": Fraction(1, 2)}),
        ("(1 + 2) * a", {"a": 3}),
        ("0.1 * a", {"a": Fraction(1, 10)}),
        ("a + a", {"a": 2}),
        ("a - a", {"a": 0}),  # it is needed all the same
        ("3-phase * 3", {"3-phase": 3}),
        ("12 * a", {"a": 12}),  # a number, where both would do
        ("'12' * 2", {"12": 2}),
        ('"it\'s" + Dílna', {"it's": 1, "Dílna": 1}),
        ("x*y", {"x*y": 1}),
        ("  a  ", {"a": 1}),
        ("+a", {"a": 1}),
    ],
)
def test_a_formula_counts_each_meter(text: str, factors: dict[str, float]) -> None:
    assert parse_formula(text, NAMES) == factors


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("", 1, "empty"),
        ("a + ", 5, "missing at the end"),
        ("a + heat-pmp", 10, 'no meter is called "pmp"'),
        ("a + main-c", 10, 'no meter is called "c"'),
        ("a + 'main-c'", 5, 'did you mean "main-'),
        ("a + boiler", 5, 'no meter is called "boiler"'),
        ("(a + b", 1, "not closed"),
        ("a + 'heat", 5, "not closed"),
        ("a b", 3, '"b" where an operator'),
        ("a)", 2, '")" where an operator'),
        ("a * b", 3, "cannot be multiplied"),
        ("2 / a", 3, "divided by a meter"),
        ("a / 0", 3, "divided by 0"),
        ("a / (1 - 1)", 3, "divided by 0"),
        ("a + 5", 3, "a number cannot be added"),
        ("2 * 3", 1, "names no meter"),
        ("a * 0,5", 5, 'no meter is called "0,5"'),
        ("a * 1e9", 5, 'no meter is called "1e9"'),
        ("a * * b", 5, "no meter"),
        ("(" * 200 + "a" + ")" * 200, DEPTH_MAX + 2, "within each other"),
        ("-" * 2000 + "a", DEPTH_MAX + 2, "within each other"),
        ("a" * (FORMULA_SIZE_MAX + 1), FORMULA_SIZE_MAX, "longer than"),
        ("__import__('os')", 1, "no meter is called"),
    ],
)
def test_a_wrong_formula_tells_where_and_what(text: str, at: int, says: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text, NAMES)
    assert caught.value.at == at
    assert says in str(caught.value)


def test_virtual_meters_stand_on_virtual_meters() -> None:
    formulas = {"house": parse_formula("a + b", NAMES), "rest": {"house": Fraction(1), "heat": Fraction(-1, 2)}}
    assert expand("rest", formulas.get) == {"a": 1, "b": 1, "heat": Fraction(-1, 2)}
    assert expand("a", formulas.get) == {"a": 1}


def test_a_meter_that_needs_itself_tells_the_way_round() -> None:
    formulas = {"x": {"y": Fraction(1)}, "y": {"a": Fraction(1), "z": Fraction(2)}, "z": {"y": Fraction(1)}}
    with pytest.raises(BadNesting, match="y needs z needs y"):
        expand("x", formulas.get)


def test_meters_within_meters_have_an_end() -> None:
    formulas = {f"m{number}": {f"m{number + 1}": Fraction(1)} for number in range(NESTED_MAX + 10)}
    with pytest.raises(BadNesting, match="more than"):
        expand("m0", formulas.get)
    wide = {f"m{number}": {f"m{number + 1}": Fraction(1), f"n{number}": Fraction(1)} for number in range(NESTED_MAX)}
    wide |= {f"n{number}": {f"m{number + 1}": Fraction(1)} for number in range(NESTED_MAX)}
    with pytest.raises(BadNesting, match="more than"):
        expand("m0", wide.get)
    assert expand("m30", wide.get) == {f"m{NESTED_MAX}": 2 ** (NESTED_MAX - 30)}  # each is expanded once
