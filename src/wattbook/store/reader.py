"""Reading the book beside its writer, from any process or thread: each transaction is short and sees one moment."""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from wattbook.model import Batch, BookError, Reading, Span
from wattbook.model.batch import to_ms
from wattbook.model.clock import STEP_MIN
from wattbook.model.nearest import did_you_mean
from wattbook.store import history, rows
from wattbook.store.connection import connect_reader
from wattbook.store.history import Point
from wattbook.store.opening import check_version
from wattbook.store.rows import Names, Sample
from wattbook.store.steps import Step, boundaries

Aggregate = Literal["mean", "min", "max", "last"]
_READERS_MAX = 4  # connections at once: two cores keep no more busy
_READER_WAIT_S = 30.0  # for a free one; every transaction is far under 1 s
_PAGE = 10_000  # readings in one transaction: some 20 ms
_PERIOD_FROM = 101  # readings whose distances tell a meter's period
_LOOKED_AT_MAX = 5_000  # readings without the quantity passed over beside a span


class UnknownMeter(BookError):
    """The book has no reading of a meter of this name."""


class BookReader:
    """Read-only. Raises BookError when there is no book, or one of a newer wattbook."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names = Names.none()
        self._idle: queue.LifoQueue[sqlite3.Connection | None] = queue.LifoQueue()
        for _ in range(_READERS_MAX):
            self._idle.put(None)  # opened when first needed
        self._closed = False

    def read(self, after: str, limit: int) -> Batch:
        """Return up to `limit` readings and events after a position; "" = from the beginning."""
        seq = _seq_of(after)
        with self._snapshot() as connection:
            columns, events, upto = rows.entries_after(connection, self._names, seq, limit)
        return Batch(columns, events, str(upto) if upto else after)

    def latest(self, meters: Sequence[str] | None = None, *, now: datetime, site: str = "") -> list[Reading]:
        """Return the latest reading of each of these meters, or of all; without those that have none.

        One dated after `now`, by a clock that was ahead and set back, does not hide those that came after it.
        """
        by_ms = to_ms(now + STEP_MIN)
        with self._snapshot() as connection:
            known = connection.execute("SELECT name, id FROM meter WHERE site = ? ORDER BY name", (site,)).fetchall()
            ids = dict(known)
            wanted = [ids[name] for name in meters if name in ids] if meters is not None else ids.values()
            found = [rows.latest_reading(connection, self._names, meter_id, by_ms) for meter_id in wanted]
        return [reading for reading in found if reading is not None]

    def meters(self, *, site: str = "") -> list[str]:
        """Return the names of all meters of a site that ever had a reading."""
        with self._snapshot() as connection:
            known = connection.execute("SELECT name FROM meter WHERE site = ? ORDER BY name", (site,)).fetchall()
        return [name for (name,) in known]

    def range(self, meter: str, quantity: str, span: Span, *, site: str = "") -> Iterator[Point]:
        """Yield the values as they were read, in order of time."""
        for sample in self._samples(self._meter_id(meter, site), quantity, to_ms(span.start), to_ms(span.end)):
            yield history.point(sample)

    def energy(
        self,
        meter: str,
        quantity: str,
        span: Span,
        every: Step,
        zone: ZoneInfo,
        *,
        period: timedelta | None = None,
        site: str = "",
    ) -> list[Point]:
        """Return what a register grew by in each step, in its base unit (design, rule 4).

        A step that the book knows nothing about has the value None and is `missing`. `period` is how often the meter
        is read; None = the median distance of its readings.
        """
        meter_id = self._meter_id(meter, site)
        edges = boundaries(span, every, zone)
        period_ms = period // timedelta(milliseconds=1) if period else self._period_ms(meter_id, to_ms(span.end))
        samples = self._samples_around(meter_id, quantity, to_ms(span.start), to_ms(span.end))
        return list(history.energy_of_steps(samples, [to_ms(edge) for edge in edges], period_ms))

    def aggregate(
        self,
        meter: str,
        quantity: str,
        span: Span,
        every: Step,
        zone: ZoneInfo,
        aggregate: Aggregate = "mean",
        *,
        site: str = "",
    ) -> list[Point]:
        """Return one value for each step that has any: of its good values, else of its suspect ones."""
        if aggregate not in get_args(Aggregate):
            known = ", ".join(get_args(Aggregate))
            raise BookError(
                f'no aggregate is called "{aggregate}"{did_you_mean(aggregate, get_args(Aggregate))}; one of: {known}'
            )
        meter_id = self._meter_id(meter, site)
        edges = [to_ms(edge) for edge in boundaries(span, every, zone)]
        samples = self._samples(meter_id, quantity, edges[0], edges[-1])
        return list(history.gauge_of_steps(samples, edges, aggregate))

    def close(self) -> None:
        """Close idle connections; one in use is closed when its reader is done."""
        self._closed = True
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return
            if connection is not None:
                connection.close()

    def __enter__(self) -> BookReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection in a read transaction."""
        if self._closed:
            raise BookError(f"{self.path}: the book is closed")
        try:
            connection = self._idle.get(timeout=_READER_WAIT_S)
        except queue.Empty:
            raise BookError(f"{self.path}: too many read the book at once; ask again later", retry=True) from None
        try:
            if connection is None:
                connection = self._connect()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            if connection is not None:
                connection.close()
                connection = None
            raise BookError(f"{self.path}: the book cannot be read: {error}", retry=True) from error
        finally:
            if self._closed and connection is not None:
                connection.close()
                connection = None
            if not self._closed:
                self._idle.put(connection)

    def _connect(self) -> sqlite3.Connection:
        if not self.path.exists():
            raise BookError(f"{self.path}: there is no book yet; `wattbook run` makes it")
        connection = connect_reader(self.path)
        try:
            check_version(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _meter_id(self, meter: str, site: str) -> int:
        with self._snapshot() as connection:
            row = connection.execute("SELECT id FROM meter WHERE site = ? AND name = ?", (site, meter)).fetchone()
        if row is None:
            raise UnknownMeter(f'the book has no reading of "{meter}"{did_you_mean(meter, self.meters(site=site))}')
        return int(row[0])

    def _samples(self, meter_id: int, quantity: str, start_ms: int, end_ms: int) -> Iterator[Sample]:
        next_ms: int | None = start_ms
        while next_ms is not None:  # ends: every page moves on
            with self._snapshot() as connection:
                page, next_ms = rows.samples_between(
                    connection, self._names, meter_id, quantity, next_ms, end_ms, _PAGE
                )
            yield from page

    def _samples_around(self, meter_id: int, quantity: str, start_ms: int, end_ms: int) -> Iterator[Sample]:
        """The samples of a span, and those beside it that decide the register at its ends."""

        def beside(at_ms: int, *, before: bool) -> list[Sample]:
            with self._snapshot() as connection:
                return rows.samples_beside(
                    connection,
                    self._names,
                    meter_id,
                    quantity,
                    at_ms,
                    before=before,
                    count=history.NEIGHBOURS,
                    looked_at_max=_LOOKED_AT_MAX,
                )

        yield from beside(start_ms, before=True)
        yield from self._samples(meter_id, quantity, start_ms, end_ms)
        yield from beside(end_ms, before=False)

    def _period_ms(self, meter_id: int, end_ms: int) -> int:
        with self._snapshot() as connection:
            found = connection.execute(
                "SELECT at FROM hot WHERE meter = ? AND at < ? ORDER BY at DESC LIMIT ?",
                (meter_id, end_ms, _PERIOD_FROM),
            ).fetchall()
        return history.median_distance_ms([at_ms for (at_ms,) in reversed(found)])


def _seq_of(after: str) -> int:
    if after and not (after.isascii() and after.isdigit()):
        raise BookError(f'"{after}" is no position of this book')
    return int(after or 0)
