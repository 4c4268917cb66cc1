"""Sealed summaries and hot rows of one register -> the knots that answer a question, with little opened.

A piece that no question looks inside is its first and last reading. One that is cut at quarters of an hour gives its
grid. Only what holds a gap or runs backwards where somebody looks, or has hot rows in its time, is opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from wattbook.model.batch import GOOD_CODE
from wattbook.store import frames, rows, sealed
from wattbook.store.history import NEIGHBOURS, Knots
from wattbook.store.packing import divisor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wattbook.store.table import Cells, Flags, Floats, Integers

    Ends = NDArray[np.void]  # frames.ENDS

_OF = "FROM piece WHERE meter = ? AND quantity = ? AND ends IS NOT NULL AND "
NOWHERE: Integers = np.zeros(0, np.int64)
_Grid = tuple["Cells", int]  # and what the cells are divided by


class _Way(IntEnum):
    """How a piece is looked at."""

    ENDS = 0  # by its first and last reading
    GRID = 1  # by its quarters of an hour
    OPEN = 2  # by every reading


@dataclass(frozen=True, slots=True, eq=False)
class HotSamples:
    """What is not sealed around a span: instants of the meter's rows, and the quantity's good samples."""

    all_at: Integers  # of whole readings: what they replace in sealed time is void
    at_ms: Integers
    value: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """The pieces of one register that a question is about, in order of time."""

    connection: sqlite3.Connection
    meter: int
    quantity: int
    name: str
    period_ms: int
    from_at: Integers
    ends: Ends

    def __len__(self) -> int:
        return len(self.from_at)

    def gaps(self, distances_ms: Integers) -> Flags:
        """Whether each distance between readings is a gap."""
        gaps: Flags = distances_ms > 2 * self.period_ms if self.period_ms else np.zeros(len(distances_ms), np.bool_)
        return gaps


def knots_of_register(
    connection: sqlite3.Connection,
    meter: int,
    name: str,
    edges: Integers,
    period_ms: int,
    hot: HotSamples,
    breaks_at: Integers = NOWHERE,
) -> Knots:
    """The knots for energy between edges: from the last readings before the first edge to the first after the last.

    `breaks_at`: where the register goes on from another value, so that the readings around are asked for.
    """
    quantity = sealed.quantity_id(connection, name)
    found = _ends_around(connection, (meter, quantity), int(edges[0]), int(edges[-1])) if quantity else []
    if not found:
        return Knots(hot.at_ms, hot.value)
    from_at, ends = zip(*found, strict=True)
    pieces = _Pieces(
        connection,
        meter,
        quantity,
        name,
        period_ms,
        np.array(from_at, np.int64),
        np.frombuffer(b"".join(ends), frames.ENDS),
    )
    among = rows.instants_of(connection, meter, from_at[0], int(pieces.ends["to_at"][-1]))
    hot = replace(hot, all_at=np.union1d(hot.all_at, np.array(among, np.int64)))
    ways, grids = _ways(pieces, edges, hot, breaks_at)
    return _joined(pieces, list(_segments(pieces, ways, grids)), hot)


def _ends_around(
    connection: sqlite3.Connection, of: tuple[int, int], from_ms: int, to_ms: int
) -> list[tuple[int, bytes]]:
    """Start and ends of the pieces that overlap the span, and of the nearest ones with a good value on either side.

    As many as samples are needed there: of a meter that is read once a day a piece holds one.
    """
    found = connection.execute(
        f"SELECT from_at, ends {_OF} from_at > ? AND from_at < ? ORDER BY from_at",
        (*of, from_ms - sealed.LENGTH_MAX_MS, to_ms),
    ).fetchall()
    begins = found[0][0] if found else from_ms
    nearest = f"SELECT from_at, ends {_OF} from_at < ? ORDER BY from_at DESC LIMIT ?"
    before = connection.execute(nearest, (*of, begins, NEIGHBOURS)).fetchall()
    nearest = f"SELECT from_at, ends {_OF} from_at >= ? ORDER BY from_at LIMIT ?"
    return before[::-1] + found + connection.execute(nearest, (*of, to_ms, NEIGHBOURS)).fetchall()


def _ways(
    pieces: _Pieces, edges: Integers, hot: HotSamples, breaks_at: Integers
) -> tuple[Sequence[int], Mapping[int, _Grid]]:
    """How each piece is looked at, and the grids, by place, of those looked at that way."""
    looked_into = _looked_into(pieces, edges)
    opened = _must_open(pieces, hot) | (looked_into & pieces.gaps(pieces.ends["gap"]))
    opened |= _looked_into(pieces, edges[edges % frames.GRID_MS != 0])
    if len(breaks_at):
        opened |= _broken(pieces, breaks_at)
    ways = np.where(opened, _Way.OPEN, np.where(looked_into, _Way.GRID, _Way.ENDS))
    grids = _grids(pieces, np.flatnonzero(ways == _Way.GRID))
    for place in np.flatnonzero(ways == _Way.GRID).tolist():
        if place not in grids:
            ways[place] = _Way.OPEN
    return ways.tolist(), grids


def _looked_into(pieces: _Pieces, edges: Integers) -> Flags:
    """Whether an edge lies after the first reading of a piece and before its last."""
    after_first = edges.searchsorted(pieces.ends["first_at"], side="right")
    before_last = edges.searchsorted(pieces.ends["last_at"], side="left")
    flags: Flags = before_last > after_first
    return flags


def _broken(pieces: _Pieces, breaks_at: Integers) -> Flags:
    """Whether a piece has the last reading before a break or the first one from it on."""
    flags = np.zeros(len(pieces), np.bool_)
    after = pieces.ends["last_at"].searchsorted(breaks_at, side="left")
    there = after < len(pieces)
    flags[after[there]] = True
    within = there & (pieces.ends["first_at"][np.minimum(after, len(pieces) - 1)] < breaks_at)
    before = after[~within] - 1
    flags[before[before >= 0]] = True
    return flags


def _must_open(pieces: _Pieces, hot: HotSamples) -> Flags:
    """Whether a piece's register falls, in it or at its borders, or hot rows lie in its time."""
    ends = pieces.ends
    opened: Flags = ends["falls"] > 0
    falls = ends["first"][1:] < ends["last"][:-1]  # an outlier may be at the end of either
    opened[1:] |= falls
    opened[:-1] |= falls
    if len(hot.at_ms):
        _open_beside(opened, ends, hot)
    if len(hot.all_at) and hot.all_at[0] < ends["to_at"][-1]:
        opened |= hot.all_at.searchsorted(ends["to_at"]) > hot.all_at.searchsorted(pieces.from_at)
    return opened


def _open_beside(opened: Flags, ends: Ends, hot: HotSamples) -> None:
    """Mark the pieces between which and the hot sample beside them the register falls."""
    before = ends["last_at"].searchsorted(hot.at_ms) - 1
    falls = (before >= 0) & (hot.value < ends["last"][before])
    opened[before[falls]] = True
    after = ends["first_at"].searchsorted(hot.at_ms)
    falls = (after < len(ends)) & (ends["first"][np.minimum(after, len(ends) - 1)] < hot.value)
    opened[after[falls]] = True


def _grids(pieces: _Pieces, places: Integers) -> Mapping[int, _Grid]:
    """The register at every quarter of an hour of these pieces, of those that have a grid."""
    if not len(places):
        return {}
    wanted = dict(zip(pieces.from_at[places].tolist(), places.tolist(), strict=True))
    stored = pieces.connection.execute(
        "SELECT from_at, exponent, grid FROM piece"
        " WHERE meter = ? AND quantity = ? AND from_at BETWEEN ? AND ? AND grid IS NOT NULL",
        (pieces.meter, pieces.quantity, int(pieces.from_at[places[0]]), int(pieces.from_at[places[-1]])),
    )
    found: dict[int, _Grid] = {}
    for from_at, exponent, grid in stored:
        if from_at in wanted and (cells := _quarters(pieces, from_at, grid)) is not None:
            found[wanted[from_at]] = cells, divisor(exponent)
    return found


def _quarters(pieces: _Pieces, from_at: int, grid: bytes) -> Cells | None:
    try:
        return frames.register_grid(grid)
    except frames.Damaged as error:
        sealed.tell(sealed.damaged_grid(pieces.connection, pieces.meter, from_at, error))
        return None


_Segment = tuple["Integers", "Floats", "Flags"]  # instants, values, gaps between them


def _segments(pieces: _Pieces, ways: Sequence[int], grids: Mapping[int, _Grid]) -> Iterator[_Segment]:
    """Yield knots, run by run of pieces that are looked at in the same way."""
    begin = 0
    for place in range(1, len(ways) + 1):
        if place < len(ways) and ways[place] == ways[begin] != _Way.OPEN:
            continue
        match ways[begin]:
            case _Way.ENDS:
                yield _by_ends(pieces, slice(begin, place))
            case _Way.GRID:
                yield _by_grids(pieces, slice(begin, place), [grids[each] for each in range(begin, place)])
            case _:
                yield _by_readings(pieces, begin)
        begin = place


def _by_ends(pieces: _Pieces, which: slice) -> _Segment:
    """The first and last readings of neighbouring pieces."""
    ends = pieces.ends[which]
    at = np.column_stack((ends["first_at"], ends["last_at"])).ravel()
    value = np.column_stack((ends["first"], ends["last"])).ravel()
    distances = np.diff(at)
    distances[::2] = ends["gap"]  # within a piece
    gap = pieces.gaps(distances)
    twice = np.append(at[1:] == at[:-1], False)  # a piece of one reading
    return (at[~twice], value[~twice], gap[~twice[:-1]]) if twice.any() else (at, value, gap)


def _by_grids(pieces: _Pieces, which: slice, grids: Sequence[_Grid]) -> _Segment:
    """Neighbouring pieces by their ends and quarters of an hour; none of them holds a gap."""
    ends, from_at = pieces.ends[which], pieces.from_at[which]
    quarters = [
        frames.grid_edges(begins, to_at) for begins, to_at in zip(from_at.tolist(), ends["to_at"].tolist(), strict=True)
    ]
    piece = np.repeat(np.arange(len(ends)), [len(each) for each in quarters])
    cells, divided_by = zip(*grids, strict=True)
    at_quarters, values = np.concatenate(quarters), np.concatenate(cells) / np.array(divided_by)[piece]
    within = (at_quarters > ends["first_at"][piece]) & (at_quarters < ends["last_at"][piece])
    at = np.concatenate((ends["first_at"], ends["last_at"], at_quarters[within]))
    value = np.concatenate((ends["first"], ends["last"], values[within]))
    last = np.zeros(len(at), np.bool_)
    last[len(ends) : 2 * len(ends)] = True
    order = np.argsort(at, kind="stable")
    at, last = at[order], last[order][:-1]
    return at, value[order], last & pieces.gaps(np.diff(at))


def _by_readings(pieces: _Pieces, place: int) -> _Segment:
    """Every good reading of a piece."""
    head = sealed.head_at(pieces.connection, pieces.meter, int(pieces.from_at[place]))
    assert head is not None, "a piece has a frame"
    samples = sealed.readable(partial(sealed.open_samples, pieces.connection, head, pieces.name))
    if samples is None:
        return _by_what_is_left(pieces, place)
    at, value, codes = samples
    good = codes == GOOD_CODE
    return at[good], value[good], pieces.gaps(np.diff(at[good]))


def _by_what_is_left(pieces: _Pieces, place: int) -> _Segment:
    """A piece whose readings were forgotten: nothing tells what lies between its quarters, so all of it is a gap."""
    which = slice(place, place + 1)
    grid = _grids(pieces, np.array([place])).get(place)
    at, value, gap = _by_ends(pieces, which) if grid is None else _by_grids(pieces, which, [grid])
    return at, value, np.ones(len(gap), np.bool_)


def _joined(pieces: _Pieces, segments: Sequence[_Segment], hot: HotSamples) -> Knots:
    """Sealed and hot knots in one order; hot ones never lie between the knots of a piece that was not opened."""
    ats, values, gaps = zip(*segments, strict=True)
    at, value = np.concatenate(ats), np.concatenate(values)
    gap = np.concatenate([np.append(each, False) for each in gaps])[:-1]
    joints = np.cumsum([len(each) for each in ats])[:-1] - 1
    gap[joints] = pieces.gaps(at[joints + 1] - at[joints])
    if not len(hot.all_at):
        return Knots(at, value, gap)
    if hot.all_at[0] > at[-1]:  # what most questions find: what is not sealed yet
        between = pieces.gaps(np.diff(np.concatenate((at[-1:], hot.at_ms))))
        return Knots(np.concatenate((at, hot.at_ms)), np.concatenate((value, hot.value)), np.append(gap, between))
    return _among(pieces, Knots(at, value, gap), hot)


def _among(pieces: _Pieces, knots: Knots, hot: HotSamples) -> Knots:
    """Sealed knots with hot ones among them."""
    at, value, gap = knots.at_ms, knots.value, knots.gap
    assert gap is not None
    kept = ~np.isin(at, hot.all_at)
    if not kept.all():  # replaced ones: only in opened pieces, where neighbours are readings
        places = np.flatnonzero(kept)
        at, value = at[kept], value[kept]
        gap = np.where(np.diff(places) == 1, gap[places[:-1]], pieces.gaps(np.diff(at)))
    both = np.concatenate((at, hot.at_ms))
    order = np.argsort(both, kind="stable")
    was = np.concatenate((np.arange(len(at)), np.full(len(hot.at_ms), -1)))[order]
    untouched = (was[1:] == was[:-1] + 1) & (was[:-1] >= 0)  # nothing hot came between
    both = both[order]
    gaps = pieces.gaps(np.diff(both))
    if len(gap):
        gaps = np.where(untouched, gap[np.clip(was[:-1], 0, len(gap) - 1)], gaps)
    return Knots(both, np.concatenate((value, hot.value))[order], gaps)
