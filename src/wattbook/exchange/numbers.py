"""Texts of foreign files -> values in base units, exactly: a factor of a thousand moves the point in the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from wattbook.exchange.instants import BadCell
from wattbook.exchange.mapping import Target
from wattbook.model.exact import EXACT_MAX

Values = NDArray[np.float64]  # NaN = absent
ABSENT_WORDS = frozenset({"", "null", "none", "nan", "\\n", "n/a", "-", "unknown", "unavailable"})  # in foreign files
_SHOWN_MAX = 60


def read_numbers(cells: Sequence[str], target: Target, *, comma: bool = False, foreign: bool = True) -> Values:
    """The values of a column; an empty cell, and in `foreign` files a word such as "null", is absent.

    `comma`: "12,5" is twelve and a half. Raises BadCell for the first one that is no number or cannot be kept.
    """
    if comma:
        cells = [cell.replace(",", ".") for cell in cells]
    values = _fast(cells, target)
    if values is None:
        values = np.array([read_number(cell, target, foreign=foreign) for cell in cells], np.float64)
    return values


def _fast(cells: Sequence[str], target: Target) -> Values | None:
    """All at once; None when any cell needs a closer look."""
    power = target.power
    nan = math.nan
    try:
        if power == 0:
            values = np.array([float(cell) if cell else nan for cell in cells], np.float64)
        elif power is not None:
            suffix = f"e{power}"
            values = np.array([float(cell + suffix) if cell else nan for cell in cells], np.float64)
        else:
            return None
    except ValueError:
        return None
    absent = np.isnan(values)
    if absent.any() and int(absent.sum()) != sum(not cell for cell in cells):
        return None
    if not bool((np.abs(values[~absent]) <= EXACT_MAX).all()) or any("_" in cell for cell in cells):
        return None
    return values


def read_number(cell: str, target: Target, *, foreign: bool = True) -> float:
    """One value in its base unit, NaN = absent. Raises BadCell."""
    text = cell.strip()
    if not text or (foreign and text.casefold() in ABSENT_WORDS):
        return math.nan
    try:
        if "_" in text:
            raise ValueError
        value = float(text) if target.power == 0 else float(Decimal(text) * target.factor)
    except (ValueError, ArithmeticError) as error:
        raise BadCell(f'{target.quantity}: "{cell[:_SHOWN_MAX]}" is no number') from error
    return checked(value, target, cell)


def checked(value: float, target: Target, shown: object) -> float:
    """A value in its base unit. Raises BadCell when it is not finite, or too great to be kept exactly."""
    if not -EXACT_MAX <= value <= EXACT_MAX:
        raise BadCell(f"{target.quantity}: {str(shown)[:_SHOWN_MAX]} is no number that can be kept exactly")
    return value


def scaled(values: Values, target: Target) -> Values:
    """Numbers that were never text (a database's, a float32 file's), in the base unit."""
    if target.power == 0:
        return values
    if target.power is not None and target.power > 0:
        return np.asarray(values * float(10**target.power))  # exact for float32; to the last bit else
    return np.array(
        [float(Decimal(repr(value)) * target.factor) if value == value else math.nan for value in values.tolist()]
    )
