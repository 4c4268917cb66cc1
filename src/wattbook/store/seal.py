"""Seal a span of one meter: everything in it (hot, sealed before, late, corrected) becomes one frame.

What costs time is done on a snapshot, outside the writer's transaction; the swap is short, and happens only when
nothing in the span has changed meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from wattbook.model.batch import from_ms, to_ms
from wattbook.model.era import ERA_MS
from wattbook.store import frames, sealed
from wattbook.store.chain import add_link
from wattbook.store.frames import FIELDS, Frame
from wattbook.store.rows import Names, hot_table
from wattbook.store.sealed import Head
from wattbook.store.steps import midnight_ms
from wattbook.store.table import Table, empty_table, merged, same_values

if TYPE_CHECKING:
    from wattbook.store.table import Integers

HOUR_MS = 3_600_000
_HOUR_MIN = 120  # readings, below which an hour stays hot until its day is over: a frame would be larger
_AT_ONCE_MAX = 4_000  # hot rows swapped in one transaction: some 10 ms
_SETTLED_MS = 300_000  # after the end of an hour or day: late readings of that time need no second sealing
_NEW = 0  # the number of a row that gets one when it is written
_INSERT_FRAME = (
    "INSERT INTO frame (meter, from_at, to_at, n, seq_first, seq_last, revision, codec, crc, at, seq, quality)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_PIECE = (
    f"INSERT INTO piece (frame, meter, quantity, from_at, crc, {', '.join(FIELDS)})"  # noqa: S608 - our own names
    f" VALUES (?, ?, ?, ?, ?, {', '.join('?' * len(FIELDS))})"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A span of one meter that is to be sealed."""

    meter: int
    from_at: int
    to_at: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What lay in a span when it was looked at; the swap happens only if it still does."""

    hot_count: int
    hot_last: int
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sealing:
    """A frame ready to take the place of what lies in its span."""

    meter: int
    frame: Frame
    seq: Integers  # the numbers of its rows; those that are new to the book are numbered _NEW
    hot_until: int  # hot rows from the span's start to here are in it
    found: _Found
    day: bool  # a whole day, which the chain remembers


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of columns that were handed in for one span."""

    new: int
    same: int
    conflicts: int
    beside: Table = field(default_factory=empty_table)  # not counted yet: to be appended, as they must not be sealed


def due(connection: sqlite3.Connection, zone: ZoneInfo, now: datetime, *, late: bool) -> Iterator[Due]:
    """Yield the spans to be sealed at this time, of each meter from the oldest on.

    `late`: also the days that are sealed and to which readings have come since.
    """
    now_ms = to_ms(now) - _SETTLED_MS
    for (meter_id,) in connection.execute("SELECT id FROM meter ORDER BY id").fetchall():
        yield from _hot_due(connection, meter_id, zone, now_ms, late)
    hours = connection.execute(
        "SELECT meter, from_at, to_at FROM frame WHERE to_at - from_at <= 3600000 AND from_at < ? ORDER BY from_at",
        (now_ms,),
    ).fetchall()
    seen: set[Due] = set()
    for meter_id, from_at, to_at in hours:
        day = free_day(connection, meter_id, from_at, zone)
        if day.to_at <= now_ms and day not in seen and day != Due(meter_id, from_at, to_at):
            seen.add(day)
            yield day


def _hot_due(connection: sqlite3.Connection, meter_id: int, zone: ZoneInfo, now_ms: int, late: bool) -> Iterator[Due]:
    """The spans that hold hot rows; the newest reading of a meter stays hot, so that it is found at once."""
    newest = connection.execute("SELECT max(at) FROM hot WHERE meter = ?", (meter_id,)).fetchone()[0]
    from_at = ERA_MS.start  # what was told of earlier stays hot: it has no day
    while True:  # ends: each turn moves on by a span
        first = connection.execute("SELECT min(at) FROM hot WHERE meter = ? AND at >= ?", (meter_id, from_at))
        at_ms: int | None = first.fetchone()[0]
        if at_ms is None or at_ms >= newest or at_ms > now_ms:
            return
        span = _span_at(connection, meter_id, at_ms, zone, now_ms)
        if span.to_at <= now_ms and _worth_it(connection, span, newest, late):
            if _is_much(connection, span, newest):
                yield from _hours(span)  # else the writer would be busy for long with one swap
            yield span
        from_at = span.to_at


def _span_at(connection: sqlite3.Connection, meter_id: int, at_ms: int, zone: ZoneInfo, now_ms: int) -> Due:
    """The span that an instant is sealed with: its local day, or while that lasts its hour."""
    day = free_day(connection, meter_id, at_ms, zone)
    if day.to_at <= now_ms:
        return day
    head = sealed.head_at(connection, meter_id, at_ms)
    if head is not None:
        return _span_of(head)
    begins = at_ms // HOUR_MS * HOUR_MS
    return Due(meter_id, max(begins, day.from_at), min(begins + HOUR_MS, day.to_at))


def free_day(connection: sqlite3.Connection, meter_id: int, at_ms: int, zone: ZoneInfo) -> Due:
    """The local day of an instant; or the day's frame it lies in; or what other days' frames leave of it.

    Frames of other days lie across it when the site's zone was changed.
    """
    day = from_ms(at_ms).astimezone(zone).date()
    if midnight_ms(day + timedelta(days=1), zone) <= at_ms:  # the clocks went back over midnight, into an hour of the
        day += timedelta(days=1)  # day before: it is of the one that had begun (Newfoundland until 2011)
    from_at, to_at = midnight_ms(day, zone), midnight_ms(day + timedelta(days=1), zone)
    for head in sealed.heads_between(connection, meter_id, from_at, to_at):
        if head.to_at - head.from_at <= HOUR_MS and from_at <= head.from_at and head.to_at <= to_at:
            continue  # an hour of this day
        if head.from_at <= at_ms < head.to_at:
            return _span_of(head)
        if head.to_at <= at_ms:
            from_at = max(from_at, head.to_at)
        else:
            to_at = min(to_at, head.from_at)
    return Due(meter_id, from_at, to_at)


def _worth_it(connection: sqlite3.Connection, span: Due, newest: int, late: bool) -> bool:
    """Whether to seal now: an hour of few readings waits for its day, a sealed day for more that come late."""
    if span.to_at - span.from_at > HOUR_MS:
        head = sealed.head_at(connection, span.meter, span.from_at)
        return late or head is None or _span_of(head) != span
    return _hot_count(connection, span, newest, _HOUR_MIN) == _HOUR_MIN


def _hot_count(connection: sqlite3.Connection, span: Due, newest: int, most: int) -> int:
    """How many hot rows a span has, counted up to a number."""
    (count,) = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM hot WHERE meter = ? AND at >= ? AND at < ? LIMIT ?)",
        (span.meter, span.from_at, min(span.to_at, newest), most),
    ).fetchone()
    return int(count)


def _is_much(connection: sqlite3.Connection, span: Due, newest: int) -> bool:
    """Whether a day that was never sealed has many hot rows: a backlog, or a month that was sent at once."""
    heads = sealed.heads_between(connection, span.meter, span.from_at, span.to_at)
    if any(head.to_at - head.from_at > HOUR_MS for head in heads):
        return False
    return _hot_count(connection, span, newest, _AT_ONCE_MAX) == _AT_ONCE_MAX


def _hours(day: Due) -> Iterator[Due]:
    """The hours of a day."""
    begins = day.from_at // HOUR_MS * HOUR_MS
    for from_at in range(begins, day.to_at, HOUR_MS):
        yield Due(day.meter, max(from_at, day.from_at), min(from_at + HOUR_MS, day.to_at))


def prepare(connection: sqlite3.Connection, names: Names, span: Due) -> Sealing | None:
    """Make the frame of a span from a snapshot of the book; None = there is nothing to be done.

    Raises Damaged when a frame in the span cannot be read: it stays as it is.
    """
    if _has_forgotten(connection, span):  # what came since stays hot
        return None
    known, found, hot_until = _gather(connection, names, span)
    if not len(known) or (not found.hot_count and [_span_of(head) for head in found.heads] == [span]):
        return None
    return _sealing(span, known, found, hot_until)


def prepare_import(
    connection: sqlite3.Connection, names: Names, span: Due, rows: Table
) -> tuple[Sealing | None, Imported]:
    """Make the frame of a span with these rows, all in it, added to what the book has; what it has stays."""
    if _has_forgotten(connection, span):
        return None, _compared(connection, names, span, rows)
    known, found, hot_until = _gather(connection, names, span)
    rows = Table(rows.at_ms, np.full(len(rows), _NEW, np.int64), rows.quality, rows.columns)
    twice = np.isin(rows.at_ms, known.at_ms)
    if not twice.any():
        table = merged([known, rows])
        return _sealing(span, table, found, hot_until), Imported(len(rows), 0, 0)
    mine, theirs = rows.take(twice), known.take(np.isin(known.at_ms, rows.at_ms))
    same = int(same_values(mine, theirs).sum())
    table = merged([known, rows.take(~twice)])
    told = Imported(len(rows) - len(mine), same, len(mine) - same)
    return (_sealing(span, table, found, hot_until) if told.new else None), told


def _compared(connection: sqlite3.Connection, names: Names, span: Due, rows: Table) -> Imported:
    """Compare rows with a day of which something was forgotten. It stays as it is, and what is new comes beside it."""
    (head,) = sealed.heads_between(connection, span.meter, span.from_at, span.to_at)
    if head.codec == frames.FORGOTTEN:  # nothing tells which it had
        return Imported(0, 0, len(rows))
    hot = hot_table(connection, names, span.meter, span.from_at, span.to_at)  # late or corrected: append compares those
    known = sealed.open_table(connection, head)
    known = known.take(~np.isin(known.at_ms, hot.at_ms))
    twice = np.isin(rows.at_ms, known.at_ms)
    mine, theirs = rows.take(twice), known.take(np.isin(known.at_ms, rows.at_ms))
    forgotten = sealed.forgotten_in(connection, head)
    mine = replace(mine, columns={name: its for name, its in mine.columns.items() if name not in forgotten})
    same = int(same_values(mine, theirs).sum())
    return Imported(0, same, len(mine) - same, rows.take(~twice))


def _sealing(span: Due, table: Table, found: _Found, hot_until: int) -> Sealing:
    frame = frames.make_frame(table, span.from_at, span.to_at)
    return Sealing(span.meter, frame, table.seq, hot_until, found, span.to_at - span.from_at > HOUR_MS)


def _has_forgotten(connection: sqlite3.Connection, span: Due) -> bool:
    """Whether readings of this span were forgotten: what is left of them must stay as it is."""
    row = connection.execute(
        "SELECT 1 FROM piece JOIN frame ON frame.id = piece.frame"
        " WHERE frame.meter = ? AND frame.from_at >= ? AND frame.from_at < ? AND piece.codec = 0 LIMIT 1",
        (span.meter, span.from_at, span.to_at),
    ).fetchone()
    return row is not None


def _gather(connection: sqlite3.Connection, names: Names, span: Due) -> tuple[Table, _Found, int]:
    """All that the book has in a span, but the meter's newest reading; and up to where hot rows are among it."""
    newest = connection.execute("SELECT max(at) FROM hot WHERE meter = ?", (span.meter,)).fetchone()[0]
    hot_until = span.to_at if newest is None else min(span.to_at, newest)
    hot = hot_table(connection, names, span.meter, span.from_at, hot_until)
    heads = sealed.heads_between(connection, span.meter, span.from_at, span.to_at)
    assert all(span.from_at <= head.from_at and head.to_at <= span.to_at for head in heads), "frames lie within spans"
    table = merged([*(sealed.open_table(connection, head) for head in heads), hot])
    return table, _Found(len(hot), int(hot.seq.max(initial=0)), tuple(heads)), hot_until


def swap(connection: sqlite3.Connection, sealing: Sealing, seq_next: int, now: datetime) -> int | None:
    """Put a frame into the place of what lies in its span, in the open transaction of the writer.

    Return how many numbers from `seq_next` on it took; None = something in the span has changed, nothing was done.
    """
    if _look(connection, sealing) != sealing.found:
        return None
    new = sealing.seq == _NEW
    count = int(new.sum())
    seq = sealing.seq
    if count:
        seq = seq.copy()
        seq[new] = np.arange(seq_next, seq_next + count)
    frame, meter = sealing.frame, sealing.meter
    span = Due(meter, frame.from_at, frame.to_at)
    revision = 1 + max((head.revision for head in sealing.found.heads if _span_of(head) == span), default=0)
    seq_first, seq_last = int(seq.min()), int(seq.max())
    numbers = frames.seq_blob(seq)
    crc = frames.frame_crc(frame, seq_first, seq_last, numbers, revision)
    for head in sealing.found.heads:
        connection.execute("DELETE FROM piece WHERE frame = ?", (head.id,))
        connection.execute("DELETE FROM frame WHERE id = ?", (head.id,))
    connection.execute(
        "DELETE FROM hot WHERE meter = ? AND at >= ? AND at < ?", (meter, frame.from_at, sealing.hot_until)
    )
    connection.execute(
        _INSERT_FRAME,
        (
            meter,
            frame.from_at,
            frame.to_at,
            frame.n,
            seq_first,
            seq_last,
            revision,
            frame.codec,
            crc,
            frame.at,
            numbers,
            frame.quality,
        ),
    )
    sealed_id = _last_id(connection)
    connection.executemany(
        _INSERT_PIECE,
        [
            (sealed_id, meter, _quantity_id(connection, name), frame.from_at, piece.crc(name), *piece.fields())
            for name, piece in frame.pieces
        ],
    )
    if sealing.day:
        add_link(connection, sealed_id, meter, frame.from_at, frame.to_at, revision, to_ms(now))
    return count


def _quantity_id(connection: sqlite3.Connection, name: str) -> int:
    """The number of a quantity, given to it when it is new."""
    found = sealed.quantity_id(connection, name)
    if not found:
        connection.execute("INSERT INTO quantity (name) VALUES (?)", (name,))
    return found or _last_id(connection)


def _last_id(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT last_insert_rowid()").fetchone()[0])


def _look(connection: sqlite3.Connection, sealing: Sealing) -> _Found:
    meter, frame = sealing.meter, sealing.frame
    count, last = connection.execute(
        "SELECT count(*), max(seq) FROM hot WHERE meter = ? AND at >= ? AND at < ?",
        (meter, frame.from_at, sealing.hot_until),
    ).fetchone()
    return _Found(count, last or 0, tuple(sealed.heads_between(connection, meter, frame.from_at, frame.to_at)))


def _span_of(head: Head) -> Due:
    return Due(head.meter, head.from_at, head.to_at)
