"""Sealed summaries and hot rows of one gauge -> the rows that answer a question, with little opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from wattbook.model.batch import SUSPECT_CODE
from wattbook.store import frames, sealed
from wattbook.store.history import Rows
from wattbook.store.packing import divisor

if TYPE_CHECKING:
    from wattbook.store.table import Integers

_SUMMARY = (
    "SELECT from_at, n, good, exponent, ends, least, most, total FROM piece"
    " WHERE meter = ? AND quantity = ? AND from_at > ? AND from_at < ? ORDER BY from_at"
)


def rows_of_gauge(
    connection: sqlite3.Connection,
    meter_id: int,
    quantity: str,
    edges: Integers,
    hot: Rows,
    hot_at: Integers,
    *,
    grids: bool,
) -> Rows:
    """The rows for the steps between edges. `hot_at`: instants of all hot rows of the meter, which replace sealed ones.

    `grids`: whether quarters of an hour will do; they do not tell which value was the last.
    """
    from_ms, to_ms = int(edges[0]), int(edges[-1])
    of = meter_id, sealed.quantity_id(connection, quantity)
    summaries = connection.execute(_SUMMARY, (*of, from_ms - sealed.LENGTH_MAX_MS, to_ms)).fetchall()
    parts = [_rows_of(connection, of, quantity, summary, edges, hot_at, grids) for summary in summaries]
    told = Rows.joined([*(part for part in parts if part is not None), hot])
    return told.where(np.argsort(told.at_ms, kind="stable"))


def _rows_of(
    connection: sqlite3.Connection,
    of: tuple[int, int],
    quantity: str,
    summary: Sequence[Any],
    edges: Integers,
    hot_at: Integers,
    grids: bool,
) -> Rows | None:
    from_at, n, good, exponent, packed, *told = summary
    first_at = from_at
    if packed:
        to_at, first_at, last_at, _, last, _, _ = frames.ENDS_STRUCT.unpack(packed)
    if n == good and not _any_between(hot_at, from_at, to_at - 1):
        inner = edges[edges.searchsorted(first_at, side="right") : edges.searchsorted(last_at, side="right")]
        if not len(inner):
            return _whole(first_at, good, last, [cell / divisor(exponent) for cell in told])
        if grids and not (inner % frames.GRID_MS).any():
            quarters = _by_quarters(connection, of, from_at, first_at, exponent)
            if quarters is not None:
                return quarters
    # Of readings that were forgotten, or are damaged, the quarters are left.
    opened = _opened(connection, of[0], quantity, from_at, hot_at)
    return opened or _by_quarters(connection, of, from_at, first_at, exponent)


def _any_between(instants: Integers, from_ms: int, to_ms: int) -> bool:
    return bool(np.searchsorted(instants, to_ms, side="right") > np.searchsorted(instants, from_ms, side="left"))


def _whole(at_ms: int, count: int, last: float, told: Sequence[float]) -> Rows:
    least, most, total = (np.array([each], np.float64) for each in told)
    none = np.zeros(1, np.bool_)
    return Rows(np.array([at_ms]), least, most, total, np.array([count]), np.array([last]), none)


def _by_quarters(
    connection: sqlite3.Connection, of: tuple[int, int], from_at: int, first_at: int, exponent: int | None
) -> Rows | None:
    """A piece by its quarters of an hour, each dated at its start, the first of them at the first value, so that an
    edge before that does not leave it out; None = it has none that can be read.
    """
    select = "SELECT grid FROM piece WHERE meter = ? AND quantity = ? AND from_at = ?"
    (grid,) = connection.execute(select, (*of, from_at)).fetchone()
    if grid is None:
        return None
    try:
        at, count, least, most, total = frames.gauge_grid(grid, from_at, exponent)
    except frames.Damaged as error:
        sealed.tell(sealed.damaged_grid(connection, of[0], from_at, error))
        return None
    divided_by = divisor(exponent)
    last = np.full(len(at), np.nan)
    at = np.maximum(at, first_at)
    return Rows(at, least / divided_by, most / divided_by, total / divided_by, count, last, np.zeros(len(at), np.bool_))


def _opened(
    connection: sqlite3.Connection, meter_id: int, quantity: str, from_at: int, hot_at: Integers
) -> Rows | None:
    head = sealed.head_at(connection, meter_id, from_at)
    assert head is not None, "a piece has a frame"
    samples = sealed.readable(partial(sealed.open_samples, connection, head, quantity))
    if samples is None:
        return None
    at, value, codes = samples
    kept = ~np.isin(at, hot_at)
    return Rows.of_samples(at[kept], value[kept], codes[kept] == SUSPECT_CODE)
