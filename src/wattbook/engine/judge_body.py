"""A whole body of readings at a glance: nearly always all of it is believable, and then no reading is looked at alone.

The same rules as engine/plausible.py has for a reading: within the bounds, and registers that go on from the last good
one no faster than can be. Where one value is not so, nothing is said and nothing is learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wattbook.engine.plausible import MeterJudge, Trusted
from wattbook.model import Quality, Readings
from wattbook.model.exact import EXACT_MAX
from wattbook.model.readings import Alike

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Turn:
    """How one register went on."""

    trusted: Sequence[Trusted]  # of each meter
    at_s: Sequence[float]  # their last readings
    value: Sequence[float]


def believes(readings: Readings, judges: Mapping[str, MeterJudge]) -> bool:
    """Whether all of a body is believed, and its registers taken; False = look at each reading."""
    if any(readings.doubt) or any(readings.site) or readings.quality.count(Quality.GOOD) < len(readings):
        return False
    forms = readings.alike()
    if any(form.table is None for form in forms) or not judges.keys() >= (meters := set(readings.meter)):
        return False
    at_s, turns, met = np.array(readings.at_s()), list[_Turn](), 0
    for form in forms:
        whole = len(form.places) == len(readings)
        its = readings.meter if whole else [readings.meter[place] for place in form.places]
        numbers = {meter: number for number, meter in enumerate(dict.fromkeys(its))}
        met += len(numbers)
        whose = np.array([numbers[meter] for meter in its])
        theirs_s = at_s if whole else at_s[form.places]
        found = _turns(form, whose, theirs_s, [judges[meter].trusted(form.names) for meter in numbers])
        if found is None:
            return False
        turns += found
    if met > len(meters):  # one that speaks in two forms: its registers may go on from one to the other
        return False
    for turn in turns:
        for trusted, at, value in zip(turn.trusted, turn.at_s, turn.value, strict=True):
            trusted.trust(at, value)
    return True


def _turns(form: Alike, whose: Places, at_s: Floats, trusted: Sequence[Sequence[Trusted]]) -> list[_Turn] | None:
    """How the registers of one form go on; None = not everything is believable. `whose`: the meter of each row."""
    told = np.frombuffer(form.table or b"").reshape(len(whose), -1)
    if not (np.abs(told) < EXACT_MAX).all():  # NaN is not less either; from there on floats are not what was told
        return None
    order = np.argsort(whose, kind="stable")
    whose, at_s, told = whose[order], at_s[order], told[order]
    starts = np.flatnonzero(np.diff(whose, prepend=-1))
    ends = np.append(starts[1:], len(whose)) - 1
    turns = []
    for value, its in zip(told.T, zip(*trusted, strict=True), strict=True):
        least, greatest = np.array([each.least for each in its]), np.array([each.greatest for each in its])
        if not ((least[whose] <= value) & (value <= greatest[whose])).all():
            return None
        if its[0].register:
            if not _go_on(its, whose, starts, at_s, value):
                return None
            turns.append(_Turn(its, at_s[ends].tolist(), value[ends].tolist()))
    return turns


def _go_on(its: Sequence[Trusted], whose: Places, starts: Places, at_s: Floats, value: Floats) -> bool:
    """Whether a register goes on from row to row of each meter, and from the last good reading before them."""
    before = np.array([(each.at_s, each.value, each.slack, each.per_s) for each in its])
    since_s, change = np.diff(at_s, prepend=0.0), np.diff(value, prepend=0.0)
    since_s[starts] = at_s[starts] - before[:, 0]
    change[starts] = value[starts] - before[:, 1]
    slack, per_s = before[whose, 2:].T
    fits = (since_s >= 0) & (change >= 0) & (change <= slack + per_s * since_s)
    fits[starts] |= np.isnan(before[:, 0])  # of which nothing is known yet
    return bool(fits.all())
