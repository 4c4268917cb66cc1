"""Virtual meters that name virtual meters, down to the real ones."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from wattbook.model.errors import WattbookError
from wattbook.model.formula import Factors

NESTED_MAX = 50  # virtual meters within each other

FormulaOf = Callable[[str], Factors | None]  # of a real meter: None


class BadNesting(WattbookError):
    """Virtual meters that need each other, or stand within each other too deeply."""


def expand(name: str, formula_of: FormulaOf) -> Factors:
    """Return how many times each real meter counts in a meter. Raises BadNesting."""
    return _expanded(name, formula_of, (), {})


def _expanded(name: str, formula_of: FormulaOf, above: tuple[str, ...], done: dict[str, Factors]) -> Factors:
    if name in above:
        raise BadNesting(f"it needs itself: {' needs '.join([*above[above.index(name) :], name])}")
    if len(above) > NESTED_MAX:
        raise BadNesting(f"more than {NESTED_MAX} virtual meters stand within each other")
    if name in done:
        return done[name]
    formula = formula_of(name)
    if formula is None:
        return {name: Fraction(1)}
    whole: dict[str, Fraction] = {}
    for part, factor in formula.items():
        for meter, times in _expanded(part, formula_of, (*above, name), done).items():
            whole[meter] = whole.get(meter, Fraction(0)) + factor * times
    done[name] = whole
    return whole
