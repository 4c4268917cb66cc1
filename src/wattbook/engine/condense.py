"""One row an interval instead of every reading: registers as they last were, gauges as their last, mean, least or most.

What a batch touches is remembered with the position; when an interval is over, its row is computed from the book. So a
crash loses nothing, a late reading or a correction makes the row anew, and no sum is kept anywhere.
`at` of a row is the end of its interval. Intervals begin anew at every local midnight.
"""

from __future__ import annotations

import json
import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

from wattbook.model import Columns, Kind, Span, quantity
from wattbook.model.batch import GOOD_CODE, SUSPECT_CODE, from_ms
from wattbook.store import BookReader
from wattbook.store.steps import Step, cut

_DAY_MS = 86_400_000
_AROUND_STEPS = 10_000  # edges that are looked up at once before an instant and after it, within two days
_SETTLE_MS = 5_000  # after an interval's end: answers on slow lines, and the book's own group commit
_Aggregate = Callable[[Sequence[float]], float]


def _last(values: Sequence[float]) -> float:
    return values[-1]


_OF: Mapping[str, _Aggregate] = {"last": _last, "mean": fmean, "min": min, "max": max}


@dataclass(slots=True)
class Intervals:
    """Which intervals of which meters are open, and how far rows were sent. `text` is kept as the bookmark."""

    every: Step
    zone: ZoneInfo
    sent: dict[tuple[str, str], int] = field(default_factory=dict)  # (site, meter) -> end of the last interval sent
    open: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # -> starts of intervals, rising
    _edges: tuple[int, ...] = ()

    @classmethod
    def remember(cls, every_s: float, zone: ZoneInfo, text: str) -> Intervals:
        """As it was when `text` was kept; "" = nothing was touched yet."""
        state: dict[str, Any] = json.loads(text) if text else {}
        step = Step(round(every_s), "s") if every_s * 1000 < _DAY_MS else Step(1, "d")
        sent = {_key(name): end for name, end in state.get("s", {}).items()}
        open_ = {_key(name): starts for name, starts in state.get("o", {}).items()}
        found = cls(step, zone, sent, open_)
        before = cls(_step_kept(state, step), zone)
        if before.every != step:  # the settings have changed since: as its intervals are now
            spans = {key: map(before.span_of, starts) for key, starts in open_.items()}
            found.open = {key: found._starts_over(its) for key, its in spans.items()}
        return found

    @property
    def text(self) -> str:
        """What to keep."""
        sent = {"/".join(key): end for key, end in self.sent.items()}
        open_ = {"/".join(key): starts for key, starts in self.open.items() if starts}
        state = {"s": sent, "o": open_, "e": self.every.count, "u": self.every.unit}
        return json.dumps(state, separators=(",", ":"))

    def touch(self, columns: Columns) -> Sequence[int]:
        """Readings have come into intervals. Return the starts of those that were not open, rising."""
        starts = self.open.setdefault((columns.site, columns.meter), [])
        new = {self.span_of(at_ms)[0] for at_ms in columns.at_ms}
        new.difference_update(starts)
        if new:
            starts[:] = sorted(new.union(starts))
        return sorted(new)

    def close(self, site: str, meter: str, starts: Set[int]) -> None:
        """Intervals that were touched have no row to come."""
        self.open[site, meter] = [start for start in self.open[site, meter] if start not in starts]

    def over(self, now_ms: int) -> Iterable[tuple[str, str, list[int]]]:
        """Take out and yield, as (site, meter, starts), what is over by this time, or was left for a later one."""
        for (site, meter), starts in self.open.items():
            done = [start for start in starts if self.span_of(start)[1] + _SETTLE_MS <= now_ms]
            if done:
                starts[:] = sorted(set(starts).difference(done))
                yield site, meter, done

    def span_of(self, at_ms: int) -> tuple[int, int]:
        """Start and end of the interval of an instant of the era."""
        place = bisect_right(self._edges, at_ms)
        if not 0 < place < len(self._edges):
            around_ms = 2 * _DAY_MS
            if self.every.unit == "s":  # two days of seconds are more than one table of edges holds
                around_ms = min(around_ms, _AROUND_STEPS * self.every.count * 1000)
            span = Span(from_ms(at_ms - around_ms), from_ms(at_ms + around_ms))
            self._edges = cut(span, self.every, self.zone)[1:-1]  # both ends of the span are no edges
            place = bisect_right(self._edges, at_ms)
        return self._edges[place - 1], self._edges[place]

    def _starts_over(self, spans: Iterable[tuple[int, int]]) -> list[int]:
        """The starts of all intervals that overlap some spans of other ones, rising."""
        starts: set[int] = set()
        for at_ms, end_ms in spans:
            while at_ms < end_ms:
                start, at_ms = self.span_of(at_ms)
                starts.add(start)
        return sorted(starts)


def _step_kept(state: Mapping[str, Any], now: Step) -> Step:
    """The intervals of a state. An old one has no unit: a count of 1 that is not that of now was a day."""
    count = state.get("e", now.count)
    unit = now.unit if count == now.count else "d" if count == 1 else "s"
    return Step(count, state.get("u", unit))


def rows_of(
    reader: BookReader, intervals: Intervals, site: str, meter: str, starts: Sequence[int], aggregate: str
) -> Columns:
    """One row for each interval that has a reading, `at` its end. Blocks; raises BookError."""
    rows: list[tuple[int, _Row]] = []
    for together in runs(sorted(starts), _DAY_MS):  # a late reading is not read together with all since then
        blocks = list(reader.columns(meter, _span(intervals, together), site=site))
        ends = {start: intervals.span_of(start)[1] for start in together}
        rows += [(end, row) for start, end in ends.items() if (row := _row(blocks, start, end, aggregate))]
    names = dict.fromkeys(name for _, row in rows for name in row)
    return Columns(
        site,
        meter,
        array("q", (end for end, _ in rows)),
        array("q", bytes(8 * len(rows))),
        {name: array("d", (row.get(name, _NOTHING)[0] for _, row in rows)) for name in names},
        array("B", (_quality(row) for _, row in rows)),
        _doubts(names, [row for _, row in rows]),
    )


def begun_by(
    reader: BookReader, intervals: Intervals, site: str, meter: str, starts: Sequence[int], after: str
) -> Set[int]:
    """Those of some intervals of a meter that had a reading up to a position. Blocks; raises BookError."""
    replaced, last = reader.replaced(after), int(after or 0)
    found: set[int] = set()
    for together in runs(starts, _DAY_MS):
        for block in reader.columns(meter, _span(intervals, together), site=site):
            its = zip(block.at_ms, block.seq, strict=True)
            found.update(intervals.span_of(at_ms)[0] for at_ms, seq in its if replaced.get(seq, seq) <= last)
    return found.intersection(starts)


def _span(intervals: Intervals, starts: Sequence[int]) -> Span:
    return Span(from_ms(starts[0]), from_ms(intervals.span_of(starts[-1])[1]))


def runs(instants: Sequence[int], apart_ms: int) -> Iterator[Sequence[int]]:
    """Rising instants, cut where one is further than this from the one before."""
    first = 0
    for place in range(1, len(instants) + 1):
        if place == len(instants) or instants[place] - instants[place - 1] > apart_ms:
            yield instants[first:place]
            first = place


def _key(name: str) -> tuple[str, str]:
    site, _, meter = name.partition("/")
    return site, meter


_NOTHING = (math.nan, GOOD_CODE)
_Row = Mapping[str, tuple[float, int]]  # quantity -> value, QUALITY_CODES


def _row(blocks: Iterable[Columns], start_ms: int, end_ms: int, aggregate: str) -> _Row:
    values: dict[str, list[tuple[float, int]]] = {}
    for block in blocks:
        first, behind = _between(block.at_ms, start_ms, end_ms)
        for name, cells in block.values.items():
            codes = block.codes(name)
            values.setdefault(name, []).extend(
                (cells[row], codes[row]) for row in range(first, behind) if cells[row] == cells[row]
            )
    return {name: _one(name, its, aggregate) for name, its in values.items() if its}


def _between(at_ms: Sequence[int], start_ms: int, end_ms: int) -> tuple[int, int]:
    """The rows of rising instants from a start to an end, which is not included."""
    return bisect_right(at_ms, start_ms - 1), bisect_right(at_ms, end_ms - 1)


def _one(name: str, values: Sequence[tuple[float, int]], aggregate: str) -> tuple[float, int]:
    """The value of a quantity in an interval: of its good ones, else of those in doubt."""
    good = [value for value, code in values if code == GOOD_CODE]
    of = _OF["last" if quantity(name).kind is Kind.REGISTER else aggregate]
    return (of(good), GOOD_CODE) if good else (of([value for value, _ in values]), SUSPECT_CODE)


def _quality(row: _Row) -> int:
    return max(min(code for _, code in row.values()), GOOD_CODE)


def _doubts(names: Iterable[str], rows: Sequence[_Row]) -> Mapping[str, array[int]]:
    codes = {name: array("B", (row.get(name, (0, _quality(row)))[1] for row in rows)) for name in names}
    return {name: column for name, column in codes.items() if list(column) != [_quality(row) for row in rows]}
