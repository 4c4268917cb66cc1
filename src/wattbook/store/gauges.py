"""Sealed summaries and hot rows of one gauge -> the rows that answer a question, with little opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wattbook.store import frames, sealed
from wattbook.store.history import Rows

if TYPE_CHECKING:
    from wattbook.store.table import Codes, Floats, Integers

_SUMMARY = (
    "SELECT from_at, to_at, n, good, exponent, first_at, last_at, least, most, total, last FROM piece"
    " WHERE meter = ? AND quantity = ? AND from_at > ? AND from_at < ? AND to_at > ? ORDER BY from_at"
)
_SUSPECT = 1


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
    summaries = connection.execute(
        _SUMMARY, (meter_id, quantity, from_ms - sealed.LENGTH_MAX_MS, to_ms, from_ms)
    ).fetchall()
    parts = [_rows_of(connection, meter_id, quantity, summary, edges, hot_at, grids) for summary in summaries]
    return _in_order([part for part in parts if part is not None], hot)


def _rows_of(
    connection: sqlite3.Connection,
    meter_id: int,
    quantity: str,
    summary: Sequence[Any],
    edges: Integers,
    hot_at: Integers,
    grids: bool,
) -> Rows | None:
    from_at, to_at, n, good, exponent, first_at, last_at, *told = summary
    if n == good and not _any_between(hot_at, from_at, to_at - 1):
        inner = edges[np.searchsorted(edges, first_at, side="right") : np.searchsorted(edges, last_at, side="right")]
        if not len(inner):
            return _whole(first_at, good, exponent, told)
        if grids and not (inner % frames.GRID_MS).any():
            (grid,) = connection.execute(
                "SELECT grid FROM piece WHERE meter = ? AND quantity = ? AND from_at = ?", (meter_id, quantity, from_at)
            ).fetchone()
            if grid is not None:
                return _by_quarters(grid, from_at, exponent)
    return _opened(connection, meter_id, quantity, from_at, hot_at)


def _any_between(instants: Integers, from_ms: int, to_ms: int) -> bool:
    return bool(np.searchsorted(instants, to_ms, side="right") > np.searchsorted(instants, from_ms, side="left"))


def _whole(at_ms: int, count: int, exponent: int | None, told: Sequence[float]) -> Rows:
    divided_by = 1 if exponent is None else 10**-exponent
    least, most, total, last = (np.array([each / divided_by]) for each in told)
    return Rows(np.array([at_ms]), least, most, total, np.array([count]), last, np.zeros(1, np.bool_))


def _by_quarters(grid: bytes, from_at: int, exponent: int | None) -> Rows:
    divided_by = 1 if exponent is None else 10**-exponent
    at, count, least, most, total = frames.gauge_grid(grid, from_at, exponent)
    last = np.full(len(at), np.nan)
    return Rows(at, least / divided_by, most / divided_by, total / divided_by, count, last, np.zeros(len(at), np.bool_))


def _opened(
    connection: sqlite3.Connection, meter_id: int, quantity: str, from_at: int, hot_at: Integers
) -> Rows | None:
    head = sealed.head_at(connection, meter_id, from_at)
    assert head is not None, "a piece has a frame"
    samples = sealed.open_samples(connection, head, quantity)
    if samples is None:
        return None
    at, value, codes = samples
    kept = ~np.isin(at, hot_at)
    return Rows.of_samples(at[kept], value[kept], codes[kept] == _SUSPECT)


def _in_order(parts: Sequence[Rows], hot: Rows) -> Rows:
    if not parts:
        return hot
    columns = zip(*[_columns(part) for part in [*parts, hot]], strict=True)
    joined = [np.concatenate(column) for column in columns]
    order = np.argsort(joined[0], kind="stable")
    return Rows(*(column[order] for column in joined))


def _columns(rows: Rows) -> tuple[Integers, Floats, Floats, Floats, Integers, Floats, Codes]:
    return rows.at_ms, rows.least, rows.most, rows.total, rows.count, rows.last, rows.suspect  # type: ignore[return-value]
