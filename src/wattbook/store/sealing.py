"""Carry out what is to be sealed, and what comes in bulk: prepared beside the writer, swapped in by it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from wattbook.model import BookError, Columns, Kept, Reading
from wattbook.store import seal, sealed
from wattbook.store.forget import Forgetting, frames_to_forget, prepare_forget
from wattbook.store.frames import Damaged
from wattbook.store.reader import BookReader
from wattbook.store.seal import Due, Sealing
from wattbook.store.table import Table, table_of_columns, without_twins

Swap = Callable[[Sealing], Future[bool]]

_TRIES_MAX = 5  # of a span in which something changes again and again: it is tried anew at the next pass
_AHEAD_MAX = 4  # frames prepared while the writer is busy: some 4 MB


@dataclass(frozen=True, slots=True)
class Sealed:
    """What became of what was due."""

    frames: int
    damaged: tuple[str, ...] = ()  # in words: frames that cannot be read, so cannot be sealed again


def seal_due(reader: BookReader, swap: Swap, zone: ZoneInfo, now: datetime, *, late: bool) -> Sealed:
    """Seal what is due. Raises BookError, with `retry` when the disk is full."""
    with reader.snapshot() as connection:
        spans = list(seal.due(connection, zone, now, late=late))
    written, damaged = 0, []
    for span in spans:
        try:
            written += _seal(reader, swap, span)
        except BookError as error:  # it stays as it is; what came to it since stays hot and is read from there
            if not isinstance(error, Damaged) and not isinstance(error.__cause__, msgspec.MsgspecError):
                raise
            damaged.append(str(error))
    return Sealed(written, tuple(damaged))


def _seal(reader: BookReader, swap: Swap, span: Due) -> bool:
    for _ in range(_TRIES_MAX):
        with reader.snapshot() as connection:
            sealing = seal.prepare(connection, reader.names, span)
        if sealing is None:
            return False
        if swap(sealing).result():
            return True
    return False


def forget(
    reader: BookReader,
    swap: Callable[[Forgetting], Future[bool]],
    meter: str,
    quantities: Sequence[str],
    before: datetime,
    *,
    site: str,
) -> int:
    """Forget the readings of these quantities of days that were over by `before`; return how many days have less.

    A damaged day stays as it is: its quarters cannot be made.
    """
    meter_id = reader.meter_id(meter, site=site)
    with reader.snapshot() as connection:
        due = frames_to_forget(connection, meter_id, quantities, before)
    written = 0
    for frame_id in due:
        with reader.snapshot() as connection:
            forgetting = sealed.readable(partial(prepare_forget, connection, frame_id, quantities))
        if forgetting is not None:  # one that changes meanwhile is due the next time
            written += swap(forgetting).result()
    return written


def import_columns(
    reader: BookReader, swap: Swap, keep: Callable[[Sequence[Reading]], Kept], columns: Columns, zone: ZoneInfo
) -> Kept:
    """Write the readings of one meter, day by day. Its newest one stays hot, as always."""

    def keep_beside(rows: Table) -> Kept:
        return keep(list(rows.to_columns(columns.site, columns.meter).readings())) if len(rows) else Kept((), new=0)

    if not len(columns):
        return Kept((), new=0)
    newest = max(range(len(columns)), key=columns.at_ms.__getitem__)
    told = keep(list(columns.cut(slice(newest, newest + 1)).readings()))
    rows, same, conflicts = without_twins(table_of_columns(columns))
    new, same, conflicts = told.new, told.same + same, told.conflicts + conflicts
    meter_id = reader.meter_id(columns.meter, site=columns.site)
    rows = rows.take(slice(0, len(rows) - 1))  # all but the newest
    waiting: deque[tuple[Future[bool], Due, Table]] = deque()
    for span, part in _days(reader, meter_id, rows, zone):
        with reader.snapshot() as connection:
            sealing, imported = seal.prepare_import(connection, reader.names, span, part)
        for each in (imported, keep_beside(imported.beside)):
            new, same, conflicts = new + each.new, same + each.same, conflicts + each.conflicts
        if sealing is not None:
            waiting.append((swap(sealing), span, part))
        if len(waiting) >= _AHEAD_MAX:
            _settle(reader, swap, keep_beside, waiting.popleft())
    while waiting:
        _settle(reader, swap, keep_beside, waiting.popleft())
    return Kept((), new=new, same=same, conflicts=conflicts)


def _days(reader: BookReader, meter_id: int, rows: Table, zone: ZoneInfo) -> Iterator[tuple[Due, Table]]:
    place = 0
    while place < len(rows):
        with reader.snapshot() as connection:
            span = seal.free_day(connection, meter_id, int(rows.at_ms[place]), zone)
        end = int(np.searchsorted(rows.at_ms, span.to_at))
        yield span, rows.take(slice(place, end))
        place = end


def _settle(
    reader: BookReader, swap: Swap, keep_beside: Callable[[Table], Kept], waited: tuple[Future[bool], Due, Table]
) -> None:
    """Wait for a frame; where something in its span has changed meanwhile, make it anew."""
    future, span, part = waited
    for _ in range(_TRIES_MAX):
        if future.result():
            return
        with reader.snapshot() as connection:
            sealing, imported = seal.prepare_import(connection, reader.names, span, part)
        if sealing is None:
            keep_beside(imported.beside)  # something was forgotten meanwhile
            return
        future = swap(sealing)
    raise BookError(f"the book changes too often around {span.from_at}; import again", retry=True)
