"""A meter's life laid over what it told: pure, on the knots of a register, the rows of a gauge, and answers by era."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from wattbook.model.series import Series
from wattbook.store.history import DECIMALS, ESTIMATED, MEASURED, MISSING, SPREAD, Knots, Rows, gaps_of
from wattbook.store.life import Break

if TYPE_CHECKING:
    from wattbook.store.table import Flags, Floats, Integers

_Part = tuple["Integers", "Floats", "Flags"]  # instants, values, gaps between them


def overlaid(knots: Knots, breaks: Sequence[Break], period_ms: int) -> Knots:
    """A register that counts on over its breaks, which are in order and at different instants.

    Between the readings around one it grew by (before - last) + (first - after). Where one of the two is not known,
    that part adds nothing and the stretch is `estimated`. A reading at the very instant is the first one after it.
    """
    if not breaks or not len(knots.at_ms):
        return knots
    found: list[_Part] = []
    estimated: list[Flags] = []
    lift = 0.0  # what is added to the readings of a part, so that it goes on from the one before
    passed: list[Break] = []  # the breaks since that one
    for part, brk in zip(_parts(knots, breaks, period_ms), [*breaks, None], strict=True):
        at, value, gap = part
        if len(at):
            if found:
                at_before, before, _ = found[-1]
                lift = float(before[-1]) + _grown(float(before[-1]) - lift, passed, float(value[0])) - float(value[0])
                gap = np.append(_gap_between(knots, int(at_before[-1]), int(at[0]), period_ms), gap)
                estimated.append(np.array([not all(each.known for each in passed)]))
            found.append((at, value + lift, gap))
            estimated.append(np.zeros(len(at) - 1, np.bool_))
            passed = []
        if brk is not None:
            passed.append(brk)
    ats, values, gaps = zip(*found, strict=True)
    return Knots(np.concatenate(ats), np.concatenate(values), np.concatenate(gaps), np.concatenate(estimated))


def _parts(knots: Knots, breaks: Sequence[Break], period_ms: int) -> Iterator[_Part]:
    """The knots between neighbouring breaks, with what is known of the register at the breaks themselves."""
    gap = gaps_of(knots.at_ms, period_ms) if knots.gap is None else knots.gap
    instants = np.array([each.at_ms for each in breaks], np.int64)
    places = knots.at_ms.searchsorted(instants, side="left")
    told = knots.at_ms[np.minimum(places, len(knots.at_ms) - 1)] == instants
    cuts = [0, *places.tolist(), len(knots.at_ms)]
    for number, (begin, end) in enumerate(pairwise(cuts)):
        part = knots.at_ms[begin:end], knots.value[begin:end], gap[begin : max(begin, end - 1)]
        if number:
            opens = breaks[number - 1]
            if opens.dated and opens.after is not None and not told[number - 1]:
                part = _with_first(part, opens.at_ms, opens.after, period_ms)
        if number < len(breaks):
            closes = breaks[number]
            if closes.dated and closes.before is not None and closes.after is None and not told[number]:
                part = _with_last(part, closes.at_ms, closes.before, period_ms)
        yield part


def _with_first(part: _Part, at_ms: int, value: float, period_ms: int) -> _Part:
    at = np.append(np.int64(at_ms), part[0])
    return at, np.append(value, part[1]), np.append(gaps_of(at[:2], period_ms), part[2])


def _with_last(part: _Part, at_ms: int, value: float, period_ms: int) -> _Part:
    at = np.append(part[0], np.int64(at_ms))
    return at, np.append(part[1], value), np.append(part[2], gaps_of(at[-2:], period_ms))


def _grown(last: float, passed: Sequence[Break], first: float) -> float:
    """What a register grew by between two readings that breaks lie between."""
    known = [last, *(each for brk in passed for each in (brk.before, brk.after)), first]
    ends = zip(known[::2], known[1::2], strict=True)
    return sum(end - start for start, end in ends if start is not None and end is not None)


def _gap_between(knots: Knots, at_ms: int, next_ms: int, period_ms: int) -> Flags:
    """Whether the stretch between two knots is a gap: as the readings say, where both are readings."""
    place = int(knots.at_ms.searchsorted(at_ms))
    if knots.gap is not None and knots.at_ms[place : place + 2].tolist() == [at_ms, next_ms]:
        return knots.gap[place : place + 1]
    return gaps_of([at_ms, next_ms], period_ms)


def of_steps(parts: Sequence[tuple[Integers, Series]], edges: Integers) -> Series:
    """The energy of steps, from that of their parts: edges cut at the boundaries of eras, and what lies between them.

    What is not known of a step makes it `spread`, as where the book begins within one.
    """
    value = np.concatenate([np.frombuffer(series.values, np.float64) for _, series in parts])
    codes = np.concatenate([np.frombuffer(series.quality, np.uint8) for _, series in parts])
    starts = np.concatenate([its[:-1] for its, _ in parts])
    step = edges.searchsorted(starts, side="right") - 1
    known = codes != MISSING
    count = len(edges) - 1
    energy = np.bincount(step, np.where(known, value, 0.0), count).round(DECIMALS)
    quality = np.full(count, MEASURED, np.uint8)
    for code in (SPREAD, ESTIMATED):
        quality[np.bincount(step, codes == code, count) > 0] = code
    some, all_of_it = np.bincount(step, known, count) > 0, np.bincount(step, ~known, count) == 0
    quality[~all_of_it & (quality == MEASURED)] = SPREAD
    quality[~some], energy[~some] = MISSING, np.nan
    columns = array("q", edges[:-1].tobytes()), array("d", energy.tobytes()), array("B", quality.tobytes())
    return Series(*columns, parts[0][1].qualities)


def times(series: Series, factor: float) -> Series:
    """The same, multiplied."""
    if factor == 1.0:
        return series
    return replace(series, values=array("d", (np.frombuffer(series.values, np.float64) * factor).tobytes()))


def rows_times(rows: Rows, factor: float) -> Rows:
    """Rows of a gauge, multiplied; a negative factor makes the least the most."""
    if factor == 1.0:
        return rows
    least, most = (rows.least, rows.most) if factor > 0 else (rows.most, rows.least)
    return replace(rows, least=least * factor, most=most * factor, total=rows.total * factor, last=rows.last * factor)
