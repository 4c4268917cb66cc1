"""What many readings of one meter say about which source feeds the house, at once.

A module of its own: numpy takes 17 MB, which a daemon that only takes a reading now and then does not need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from wattbook.engine.supply import CURRENTS, LIVE_V, VOLTAGES, Evidence, SupplyRule
from wattbook.model.batch import GOOD_CODE, NO_DOUBT, Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray


def evidences(rule: SupplyRule, columns: Columns) -> Iterator[tuple[int, Evidence]]:
    """What the readings of one meter say, with their numbers in the journal: `rule.evidence` in a tenth of the time."""
    if columns.meter in rule.generator:
        told, known = _told_in(columns, CURRENTS)
        feeds = told > rule.generator_current
    elif columns.meter in rule.utility:
        told, known = _told_in(columns, VOLTAGES)
        measured = _present_in(columns, VOLTAGES)
        feeds = ~measured | (told >= LIVE_V)
        known |= ~measured & _told_in(columns, tuple(columns.values))[1]
    else:
        return
    for row in np.flatnonzero(known).tolist():
        yield columns.seq[row], Evidence(columns.at_ms[row], columns.meter, bool(feeds[row]))


def _told_in(columns: Columns, names: Iterable[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The greatest good value of these quantities in each row, and whether there is one."""
    told = np.full(len(columns), -np.inf)
    known = np.zeros(len(columns), np.bool_)
    codes = np.frombuffer(columns.quality, np.uint8)
    for name in columns.values.keys() & set(names):
        cells = np.frombuffer(columns.values[name], np.float64)
        own = np.frombuffer(columns.doubt[name], np.uint8) if name in columns.doubt else codes
        good = (np.where(own == NO_DOUBT, codes, own) == GOOD_CODE) & ~np.isnan(cells)
        told, known = np.where(good, np.maximum(told, cells), told), known | good
    return told, known


def _present_in(columns: Columns, names: Iterable[str]) -> NDArray[np.bool_]:
    """Whether a row has any of these quantities, good or not."""
    present = np.zeros(len(columns), np.bool_)
    for name in columns.values.keys() & set(names):
        present |= ~np.isnan(np.frombuffer(columns.values[name], np.float64))
    return present
