"""Questions about one meter, answered in one snapshot from sealed and hot time together.

Loaded only when somebody asks: numpy takes 17 MB.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from wattbook.model import Columns, Span
from wattbook.model.batch import SUSPECT_CODE, to_ms
from wattbook.model.series import Series
from wattbook.store import rows, sealed
from wattbook.store.gauges import rows_of_gauge
from wattbook.store.history import NEIGHBOURS, Rows, energy_of_steps, gauge_of_steps, median_distance_ms
from wattbook.store.life import Life, life_of, within
from wattbook.store.overlay import of_steps, overlaid, rows_times, times
from wattbook.store.registers import HotSamples, knots_of_register
from wattbook.store.rows import Names, Sample
from wattbook.store.table import merged

if TYPE_CHECKING:
    from wattbook.store.table import Codes, Floats, Integers

    _Samples = tuple[Integers, Floats, Codes]  # instants, values, qualities

_PERIOD_FROM = 101  # readings whose distances tell a meter's period
_LOOKED_AT_MAX = 5_000  # readings looked at beside a span, for one that is not suspect
_BLOCK_MS = 86_400_000


def energy(
    connection: sqlite3.Connection,
    names: Names,
    meter_id: int,
    quantity: str,
    edges_ms: Sequence[int],
    period_ms: int | None,
) -> Series:
    """The energy of each step between edges. `period_ms` None = the median distance of the meter's readings."""
    if period_ms is None:
        period_ms = _period_ms(connection, meter_id, edges_ms[-1])
    life = life_of(connection, *names.meter(connection, meter_id))
    edges = np.asarray(edges_ms, np.int64)
    eras = list(within(life.eras(quantity), edges_ms[0], edges_ms[-1]))
    if len(eras) <= 1:
        told_as, factor = (eras[0].told_as, eras[0].factor) if eras else (quantity, 1.0)
        return times(_energy_told(connection, names, meter_id, told_as, edges, period_ms, life), factor)
    parts = []
    for era in eras:
        its = edges[edges.searchsorted(era.from_ms, side="right") : edges.searchsorted(era.to_ms, side="left")]
        its = np.concatenate(([era.from_ms], its, [era.to_ms]))
        energy = _energy_told(connection, names, meter_id, era.told_as, its, period_ms, life)
        parts.append((its, times(energy, era.factor)))
    return of_steps(parts, edges)


def _energy_told(
    connection: sqlite3.Connection,
    names: Names,
    meter_id: int,
    quantity: str,
    edges: Integers,
    period_ms: int,
    life: Life,
) -> Series:
    """What a register of the meter itself grew by in each step."""
    hot = _hot_around(connection, names, meter_id, quantity, int(edges[0]), int(edges[-1]))
    breaks = life.breaks(quantity)
    breaks_at = np.array([each.at_ms for each in breaks], np.int64)
    knots = knots_of_register(connection, meter_id, quantity, edges, period_ms, hot, breaks_at)
    return energy_of_steps(overlaid(knots, breaks, period_ms), edges, period_ms)


def aggregate(
    connection: sqlite3.Connection,
    names: Names,
    meter_id: int,
    quantity: str,
    edges_ms: Sequence[int],
    aggregate: Literal["mean", "min", "max", "last"],
) -> Series:
    """One value of a gauge for each step that has any."""
    edges = np.asarray(edges_ms, np.int64)
    life = life_of(connection, *names.meter(connection, meter_id))
    parts = []
    for era in within(life.eras(quantity), edges_ms[0], edges_ms[-1]):
        its = edges[(edges > era.from_ms) & (edges < era.to_ms)]
        its = np.concatenate(([era.from_ms], its, [era.to_ms]))
        told = _rows_told(connection, names, meter_id, era.told_as, its, grids=aggregate != "last")
        parts.append(rows_times(told, era.factor))
    return gauge_of_steps(Rows.joined(parts), edges, aggregate) if parts else Series.empty()


def _rows_told(
    connection: sqlite3.Connection, names: Names, meter_id: int, quantity: str, edges: Integers, *, grids: bool
) -> Rows:
    """What a gauge of the meter itself told from the first edge before the last."""
    from_ms, to_ms = int(edges[0]), int(edges[-1])
    at, value, codes = _arrays(rows.samples_of(connection, names, meter_id, quantity, from_ms, to_ms))
    hot_at = np.array(rows.instants_of(connection, meter_id, from_ms, to_ms), np.int64)
    hot = Rows.of_samples(at, value, codes == SUSPECT_CODE)
    told = rows_of_gauge(connection, meter_id, quantity, edges, hot, hot_at, grids=grids)
    return told.where((told.at_ms >= from_ms) & (told.at_ms < to_ms))


def values(
    connection: sqlite3.Connection, names: Names, meter_id: int, quantity: str, span: Span, limit: int | None
) -> Series:
    """The values of a span as they were read, times the ratio of that time; of more than `limit` the first ones."""
    life = life_of(connection, *names.meter(connection, meter_id))
    parts: list[_Samples] = []
    for era in within(life.eras(quantity), to_ms(span.start), to_ms(span.end)):
        told = _values_told(connection, names, meter_id, era.told_as, era.from_ms, era.to_ms, limit)
        parts += [(at, value * era.factor, codes) for at, value, codes in told]
    return _in_order(parts, limit)


def _values_told(
    connection: sqlite3.Connection,
    names: Names,
    meter_id: int,
    quantity: str,
    from_ms: int,
    to: int,
    limit: int | None,
) -> list[_Samples]:
    """What the meter itself told."""
    parts = []
    found = 0
    hot_at = np.array(rows.instants_of(connection, meter_id, from_ms, to), np.int64)
    for head in sealed.heads_between(connection, meter_id, from_ms, to):
        samples = sealed.readable(partial(sealed.open_samples, connection, head, quantity))
        if samples is None:
            continue
        at, value, codes = samples
        inside = slice(at.searchsorted(from_ms), at.searchsorted(to))
        kept = inside if not len(hot_at) else np.flatnonzero(~np.isin(at[inside], hot_at)) + inside.start
        parts.append((at[kept], value[kept], codes[kept]))
        found += len(parts[-1][0])
        if limit is not None and found >= limit:
            to = min(to, head.to_at)
            break
    parts.append(_arrays(rows.samples_of(connection, names, meter_id, quantity, from_ms, to)))
    return parts


def _in_order(parts: Sequence[_Samples], limit: int | None) -> Series:
    if not parts:
        return Series.empty()
    at, value, codes = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not (at[1:] > at[:-1]).all():
        order = np.argsort(at, kind="stable")
        at, value, codes = at[order], value[order], codes[order]
    return Series(
        array("q", at[:limit].tobytes()), array("d", value[:limit].tobytes()), array("B", codes[:limit].tobytes())
    )


def block(
    connection: sqlite3.Connection, names: Names, meter_id: int, from_ms: int, to_ms: int
) -> tuple[Columns | None, int | None]:
    """Whole readings from an instant on, of a day at most, and where to go on; None = at the end."""
    first = _first_at(connection, meter_id, from_ms)
    if first is None or first >= to_ms:
        return None, None
    end = min(to_ms, max(first, from_ms) + _BLOCK_MS)
    heads = sealed.heads_between(connection, meter_id, first, end)
    if heads and heads[0].from_at > first:
        end = min(end, heads[0].from_at)  # hot rows up to the frame; it is opened once, as a block of its own
        heads = []
    elif heads:
        end, heads = min(to_ms, heads[0].to_at), heads[:1]
    opened = (sealed.readable(partial(sealed.left_of, connection, head)) for head in heads)
    tables = [table for table in opened if table is not None]
    table = merged([*tables, rows.hot_table(connection, names, meter_id, first, end)])
    table = table.take(slice(table.at_ms.searchsorted(first), table.at_ms.searchsorted(end)))
    columns = table.to_columns(*names.meter(connection, meter_id)) if len(table) else None
    return columns, end if end < to_ms else None


def _first_at(connection: sqlite3.Connection, meter_id: int, from_ms: int) -> int | None:
    """Where the first reading from an instant on may be: an instant not after it; None = there is none."""
    (hot,) = connection.execute("SELECT min(at) FROM hot WHERE meter = ? AND at >= ?", (meter_id, from_ms)).fetchone()
    within = sealed.head_at(connection, meter_id, from_ms)
    if within is not None:
        return from_ms
    (begins,) = connection.execute(
        "SELECT min(from_at) FROM frame WHERE meter = ? AND from_at >= ?", (meter_id, from_ms)
    ).fetchone()
    known = [instant for instant in (hot, begins) if instant is not None]
    return min(known) if known else None


def _hot_around(
    connection: sqlite3.Connection, names: Names, meter_id: int, quantity: str, from_ms: int, to_ms: int
) -> HotSamples:
    """The hot samples of a span, and those beside it that decide the register at its ends."""

    def beside(at_ms: int, *, before: bool) -> list[Sample]:
        return rows.samples_beside(
            connection,
            names,
            meter_id,
            quantity,
            at_ms,
            before=before,
            count=NEIGHBOURS,
            looked_at_max=_LOOKED_AT_MAX,
        )

    around = [
        *beside(from_ms, before=True),
        *rows.samples_of(connection, names, meter_id, quantity, from_ms, to_ms),
        *beside(to_ms, before=False),
    ]
    at, value, codes = _arrays(around)
    good = codes != SUSPECT_CODE
    return HotSamples(at, at[good], value[good])


def _arrays(samples: Sequence[Sample]) -> tuple[Integers, Floats, Codes]:
    return (
        np.array([sample.at_ms for sample in samples], np.int64),
        np.array([sample.value for sample in samples], np.float64),
        np.array([sample.quality for sample in samples], np.uint8),
    )


def _period_ms(connection: sqlite3.Connection, meter_id: int, before_ms: int) -> int:
    """The median distance of the meter's last readings before an instant; 0 when there are not two."""
    found = connection.execute(
        "SELECT at FROM hot WHERE meter = ? AND at < ? ORDER BY at DESC LIMIT ?", (meter_id, before_ms, _PERIOD_FROM)
    ).fetchall()
    newest = np.unique(np.array([at_ms for (at_ms,) in found], np.int64))
    frames = connection.execute(
        "SELECT id FROM frame WHERE meter = ? AND from_at < ? AND codec <> 0 ORDER BY from_at DESC",
        (meter_id, before_ms),
    )
    for (frame_id,) in frames:  # ends: each frame has a reading, and PERIOD_FROM are enough
        head = sealed.head_of(connection, frame_id)
        if len(newest) == _PERIOD_FROM and head.to_at <= newest[0]:
            break
        its = sealed.readable(partial(sealed.open_instants, connection, head))
        if its is not None:
            last = np.sort(its[its < before_ms])[-_PERIOD_FROM:]  # a frame has each instant once
            newest = np.unique(np.concatenate((newest, last)))[-_PERIOD_FROM:]
    return median_distance_ms(newest.tolist())
