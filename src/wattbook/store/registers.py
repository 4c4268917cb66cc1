"""Sealed summaries and hot rows of one register -> the knots that answer a question, with little opened.

A piece that no question looks inside is its first and last reading. One that is cut at quarters of an hour gives its
grid. Only what holds a gap or runs backwards where somebody looks, or has hot rows in its time, is opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wattbook.store import frames, sealed
from wattbook.store.history import Knots

if TYPE_CHECKING:
    from wattbook.store.table import Flags, Floats, Integers

_SUMMARY = (
    "SELECT from_at, to_at, first_at, last_at, first, last, exponent, gap, falls FROM piece INDEXED BY piece_span"
    " WHERE meter = ? AND quantity = ? AND good > 0 AND "
)
_GOOD = 0


@dataclass(frozen=True, slots=True, eq=False)
class HotSamples:
    """What is not sealed around a span: all instants of the meter's rows, and the quantity's good samples."""

    all_at: Integers  # of whole readings: what they replace in sealed time is void
    at_ms: Integers
    value: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Summaries:
    from_at: Integers
    to_at: Integers
    first_at: Integers
    last_at: Integers
    first: Floats
    last: Floats
    gap: Integers
    falls: Flags

    def __len__(self) -> int:
        return len(self.from_at)


def knots_of_register(
    connection: sqlite3.Connection,
    meter_id: int,
    quantity: str,
    edges: Integers,
    period_ms: int,
    hot: HotSamples,
) -> Knots:
    """The knots for energy between edges: from the last reading before the first edge to the first after the last."""
    summaries = _summaries(connection, meter_id, quantity, int(edges[0]), int(edges[-1]))
    if not len(summaries):
        return Knots(hot.at_ms, hot.value)
    looked_into = _looked_into(summaries, edges)
    opened = _must_open(summaries, hot, looked_into & (summaries.gap > 2 * period_ms if period_ms else False))
    cut = looked_into & ~opened
    segments = list(_segments(connection, meter_id, quantity, summaries, edges, opened, cut, period_ms))
    return _joined(segments, hot, period_ms)


def _summaries(connection: sqlite3.Connection, meter_id: int, quantity: str, from_ms: int, to_ms: int) -> _Summaries:
    """The pieces that overlap the span, and the nearest one with a good value on either side."""
    of = (meter_id, quantity)
    rows = connection.execute(
        _SUMMARY + "from_at > ? AND from_at < ? ORDER BY from_at", (*of, from_ms - sealed.LENGTH_MAX_MS, to_ms)
    ).fetchall()
    if not rows or rows[0][2] >= from_ms:
        begins = rows[0][0] if rows else from_ms
        rows = (
            connection.execute(_SUMMARY + "from_at < ? ORDER BY from_at DESC LIMIT 1", (*of, begins)).fetchall() + rows
        )
    if not rows or rows[-1][3] < to_ms:
        rows += connection.execute(_SUMMARY + "from_at >= ? ORDER BY from_at LIMIT 1", (*of, to_ms)).fetchall()
    if not rows:
        none, floats = np.zeros(0, np.int64), np.zeros(0)
        return _Summaries(none, none, none, none, floats, floats, none, none.astype(np.bool_))
    from_at, to_at, first_at, last_at, first, last, exponents, gap, falls = zip(*rows, strict=True)
    divided_by = np.array([1 if exponent is None else 10**-exponent for exponent in exponents])
    return _Summaries(
        np.array(from_at),
        np.array(to_at),
        np.array(first_at),
        np.array(last_at),
        np.array(first) / divided_by,
        np.array(last) / divided_by,
        np.array(gap),
        np.array(falls) > 0,
    )


def _looked_into(summaries: _Summaries, edges: Integers) -> Flags:
    """Whether an edge lies after the first reading of a piece and before its last."""
    after_first = np.searchsorted(edges, summaries.first_at, side="right")
    before_last = np.searchsorted(edges, summaries.last_at, side="left")
    flags: Flags = before_last > after_first
    return flags


def _must_open(summaries: _Summaries, hot: HotSamples, holes: Flags) -> Flags:
    opened = summaries.falls | holes
    if len(summaries) > 1:
        falls = summaries.first[1:] < summaries.last[:-1]  # between two pieces: an outlier may be at the end of either
        opened[1:] |= falls
        opened[:-1] |= falls
    if len(hot.all_at):
        within = np.searchsorted(hot.all_at, summaries.to_at) > np.searchsorted(hot.all_at, summaries.from_at)
        opened |= within
    return opened


_Segment = tuple["Integers", "Floats", "Flags"]


def _segments(
    connection: sqlite3.Connection,
    meter_id: int,
    quantity: str,
    summaries: _Summaries,
    edges: Integers,
    opened: Flags,
    cut: Flags,
    period_ms: int,
) -> Iterator[_Segment]:
    """Yield instants, values and the gaps between them, piece by piece; neighbours that nobody looks into at once."""
    special = np.flatnonzero(opened | cut)
    begin = 0
    for place in [*special.tolist(), len(summaries)]:
        if place > begin:
            yield _ends(summaries, slice(begin, place), period_ms)
        if place < len(summaries):
            from_at, to_at = int(summaries.from_at[place]), int(summaries.to_at[place])
            if cut[place] and (grid := _grid(connection, meter_id, quantity, summaries, place, edges)):
                yield grid
            else:
                yield _opened(connection, meter_id, quantity, from_at, to_at, period_ms)
        begin = place + 1


def _ends(summaries: _Summaries, which: slice, period_ms: int) -> _Segment:
    """The first and last readings of neighbouring pieces."""
    first_at, last_at = summaries.first_at[which], summaries.last_at[which]
    at = np.column_stack((first_at, last_at)).ravel()
    value = np.column_stack((summaries.first[which], summaries.last[which])).ravel()
    within = summaries.gap[which]
    between = np.append(first_at[1:] - last_at[:-1], 0)
    gap = np.column_stack((within, between)).ravel()[:-1] > 2 * period_ms if period_ms else np.zeros(len(at) - 1, bool)
    single = np.append(at[1:] == at[:-1], False)  # a piece with one reading
    return (at[~single], value[~single], gap[~single[:-1]]) if single.any() else (at, value, gap)


def _grid(
    connection: sqlite3.Connection, meter_id: int, quantity: str, summaries: _Summaries, place: int, edges: Integers
) -> _Segment | None:
    """A piece with its register at every quarter of an hour; None = that does not answer, it must be opened."""
    from_at, to_at = int(summaries.from_at[place]), int(summaries.to_at[place])
    first_at, last_at = summaries.first_at[place], summaries.last_at[place]
    inner = edges[np.searchsorted(edges, first_at, side="right") : np.searchsorted(edges, last_at, side="left")]
    if (inner % frames.GRID_MS).any():
        return None
    exponent, grid = connection.execute(
        "SELECT exponent, grid FROM piece WHERE meter = ? AND quantity = ? AND from_at = ?",
        (meter_id, quantity, from_at),
    ).fetchone()
    if grid is None:
        return None
    at = frames.grid_edges(from_at, to_at)
    within = slice(np.searchsorted(at, first_at, side="right"), np.searchsorted(at, last_at, side="left"))
    cells = frames.register_grid(grid)[within]
    value = cells if exponent is None else cells / 10**-exponent
    return (
        np.concatenate(([first_at], at[within], [last_at])),
        np.concatenate(([summaries.first[place]], value, [summaries.last[place]])),
        np.zeros(len(cells) + 1, np.bool_),
    )


def _opened(
    connection: sqlite3.Connection, meter_id: int, quantity: str, from_at: int, to_at: int, period_ms: int
) -> _Segment:
    """Every good reading of a piece."""
    head = sealed.head_at(connection, meter_id, from_at)
    assert head is not None, "a piece has a frame"
    samples = sealed.open_samples(connection, head, quantity)
    assert samples is not None
    at, value, codes = samples
    good = codes == _GOOD
    at, value = at[good], value[good]
    return at, value, np.diff(at) > 2 * period_ms if period_ms else np.zeros(len(at) - 1, np.bool_)


def _joined(segments: Sequence[_Segment], hot: HotSamples, period_ms: int) -> Knots:
    """Sealed and hot knots in one order; hot ones never lie between the knots of a piece that was not opened."""
    at = np.concatenate([segment[0] for segment in segments])
    value = np.concatenate([segment[1] for segment in segments])
    gap = np.concatenate([np.append(segment[2], False) for segment in segments])[:-1]  # the joints come below
    joints = np.cumsum([len(segment[0]) for segment in segments])[:-1] - 1
    if period_ms:
        gap[joints] = at[joints + 1] - at[joints] > 2 * period_ms
    if not len(hot.all_at):
        return Knots(at, value, gap)
    return _with_hot(at, value, gap, hot, period_ms)


def _with_hot(at: Integers, value: Floats, gap: Flags, hot: HotSamples, period_ms: int) -> Knots:
    kept = ~np.isin(at, hot.all_at)  # replaced ones
    if not kept.all():  # only in opened pieces, where neighbours are readings
        places = np.flatnonzero(kept)
        at, value = at[kept], value[kept]
        known = np.diff(places) == 1
        gap = np.where(known, gap[places[:-1]], np.diff(at) > 2 * period_ms if period_ms else False)
    both = np.concatenate((at, hot.at_ms))
    order = np.argsort(both, kind="stable")
    place_of = np.full(len(both), -1)
    place_of[: len(at)] = np.arange(len(at))
    old = place_of[order]
    neighbours = (old[1:] == old[:-1] + 1) & (old[:-1] >= 0)  # nothing hot came between
    both = both[order]
    distances = np.diff(both) > 2 * period_ms if period_ms else np.zeros(len(both) - 1, np.bool_)
    if len(gap):
        distances = np.where(neighbours, gap[np.clip(old[:-1], 0, len(gap) - 1)], distances)
    return Knots(both, np.concatenate((value, hot.value))[order], distances)
