"""The judge for history that comes in bulk: the same bounds as for single readings, over whole columns.

A register that jumps where none can is suspect until three readings go on from each other: then it was no damage but
another counter, and all of them are good. That is the same rule as engine/plausible.py has for readings as they come.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from wattbook.engine.plausible import IN_A_ROW, Bounds, bounds
from wattbook.engine.recognise_break import Told, could_follow
from wattbook.model import Columns
from wattbook.model.batch import GOOD_CODE, NO_DOUBT, SUSPECT_CODE
from wattbook.model.vocabulary import UnknownQuantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Judged:
    suspect: Flags  # of each row
    last: Told | None  # the last good one


class ColumnsJudge:
    """Judges the columns of several meters, block after block in the order of their files."""

    def __init__(self, power_max: Mapping[str, float]) -> None:
        """Prepare. `power_max`: of each meter, in W; of others nothing is doubted."""
        self._power_max = power_max
        self._last: dict[tuple[str, str], Told] = {}

    def judge(self, columns: Columns) -> Columns:
        """The same columns with a doubt about every value that cannot be. What came as suspect stays so."""
        power_max = self._power_max.get(columns.meter)
        if power_max is None or not len(columns):
            return columns
        at_s = np.frombuffer(columns.at_ms, np.int64) / 1000
        order = np.argsort(at_s, kind="stable")
        doubt = dict(columns.doubt)
        for name, cells in columns.values.items():
            try:
                its = bounds(name, power_max)
            except UnknownQuantity:
                continue
            value = np.frombuffer(cells, np.float64)
            asked = _asked(columns, name)
            judged = self._judged(columns.meter, name, its, at_s, value, order[asked[order]])
            if judged.any():
                codes = np.frombuffer(doubt.get(name) or bytes([NO_DOUBT]) * len(columns), np.uint8).copy()
                codes[judged] = SUSPECT_CODE
                doubt[name] = array("B", codes.tobytes())
        return replace(columns, doubt=doubt)

    def _judged(
        self, meter: str, name: str, its: Bounds, at_s: Floats, value: Floats, places: NDArray[np.int64]
    ) -> Flags:
        """Which rows are suspect; `places` are those that hold a good value, in order of time."""
        suspect = np.zeros(len(value), np.bool_)
        told = value[places]
        beyond = (told < its.least) | (told > its.greatest)
        suspect[places[beyond]] = True
        if its.register:
            inside = places[~beyond]
            found = _runs(its, at_s[inside], value[inside], self._last.get((meter, name)))
            suspect[inside[found.suspect]] = True
            if found.last is not None:
                self._last[meter, name] = found.last
        return suspect


def _asked(columns: Columns, name: str) -> Flags:
    """Which rows hold a value of a quantity that nothing speaks against yet."""
    quality = np.frombuffer(columns.quality, np.uint8)
    if name in columns.doubt:
        codes = np.frombuffer(columns.doubt[name], np.uint8)
        quality = np.where(codes == NO_DOUBT, quality, codes)
    flags: Flags = (quality == GOOD_CODE) & ~np.isnan(np.frombuffer(columns.values[name], np.float64))
    return flags


def _runs(its: Bounds, at_s: Floats, value: Floats, last: Told | None) -> _Judged:
    """Judge a register in order of time, from the last good reading before it."""
    suspect = np.zeros(len(value), np.bool_)
    if not len(value):
        return _Judged(suspect, last)
    change, distance_s = np.diff(value), np.diff(at_s)
    believable = (change >= 0) & (change <= its.slack + its.fastest_per_s * distance_s)
    first = Told(float(at_s[0]), float(value[0]))
    if believable.all() and (last is None or last.at_s > first.at_s or _follows(its, last, first)):
        return _Judged(suspect, Told(float(at_s[-1]), float(value[-1])))  # nearly all history
    good = last if last is not None and last.at_s <= first.at_s else None
    doubted: list[tuple[int, Told]] = []
    for place, told in enumerate(map(Told, at_s.tolist(), value.tolist())):
        if good is None or _follows(its, good, told):
            good, doubted = told, []
            continue
        if doubted and not _follows(its, doubted[-1][1], told):
            doubted = []
        doubted.append((place, told))
        suspect[place] = True
        if len(doubted) == IN_A_ROW:
            suspect[[place for place, _ in doubted]] = False
            good, doubted = told, []
    return _Judged(suspect, good)


def _follows(its: Bounds, before: Told, after: Told) -> bool:
    return could_follow(before, after, its.slack, its.fastest_per_s)
