"""Reading the book beside its writer, from any process or thread: each transaction is short and sees one moment."""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from wattbook.model import Batch, BookError, Columns, Event, Reading, Span
from wattbook.model.batch import from_ms, to_ms
from wattbook.model.clock import STEP_MIN
from wattbook.model.nearest import did_you_mean
from wattbook.model.series import Series
from wattbook.store import life, rows, trusted
from wattbook.store.connection import connect_reader
from wattbook.store.event_rows import changes, corrected, events_about, newest, newest_of, origin
from wattbook.store.journal import Position
from wattbook.store.opening import check_version
from wattbook.store.rows import Names
from wattbook.store.steps import Step, boundaries

Aggregate = Literal["mean", "min", "max", "last"]
_READERS_MAX = 4  # connections at once: two cores keep no more busy
_SEQ_DIGITS_MAX = 18  # of a number that SQLite keeps
_READER_WAIT_S = 30.0  # for a free one; every transaction is far under 1 s


class UnknownMeter(BookError):
    """The book has no reading of a meter of this name."""


class BookReader:
    """Read-only. Raises BookError when there is no book, or one of a newer wattbook."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = Names.none()
        self._idle: queue.LifoQueue[sqlite3.Connection | None] = queue.LifoQueue()
        for _ in range(_READERS_MAX):
            self._idle.put(None)  # opened when first needed
        self._closed = False
        self._told: dict[tuple[str, str], tuple[int, frozenset[str]]] = {}  # meter -> up to which number; what it told

    def read(self, after: str, limit: int) -> Batch:
        """Return up to `limit` readings and events after a position; "" = from the beginning."""
        seq = _seq_of(after)
        with self.snapshot() as connection:
            columns, events, upto = rows.entries_after(connection, self.names, seq, limit)
        return Batch(columns, events, str(upto) if upto else after)

    def latest(self, meters: Sequence[str] | None = None, *, now: datetime, site: str = "") -> list[Reading]:
        """Return the latest reading of each of these meters, or of all; without those that have none.

        One dated after `now`, by a clock that was ahead and set back, does not hide those that came after it.
        """
        by_ms = to_ms(now + STEP_MIN)
        with self.snapshot() as connection:
            known = connection.execute("SELECT name, id FROM meter WHERE site = ? ORDER BY name", (site,)).fetchall()
            ids = dict(known)
            wanted = [ids[name] for name in meters if name in ids] if meters is not None else ids.values()
            found = [rows.latest_reading(connection, self.names, meter_id, by_ms) for meter_id in wanted]
        return [reading for reading in found if reading is not None]

    def meters(self, *, site: str = "") -> list[str]:
        """Return the names of all meters of a site that ever had a reading."""
        with self.snapshot() as connection:
            known = connection.execute("SELECT name FROM meter WHERE site = ? ORDER BY name", (site,)).fetchall()
        return [name for (name,) in known]

    def range(self, meter: str, quantity: str, span: Span, *, site: str = "", limit: int | None = None) -> Series:
        """Return the values as they were read, in order of time; of more than `limit` the first ones."""
        from wattbook.store import questions  # numpy takes 17 MB: only whoever asks needs it

        meter_id = self.meter_id(meter, site=site)
        with self.snapshot() as connection:
            return questions.values(connection, self.names, meter_id, quantity, span, limit)

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
    ) -> Series:
        """Return what a register grew by in each step, in its base unit (design, rule 4).

        A step that the book knows nothing about has the value NaN and is `missing`. `period` is how often the meter
        is read; None = the median distance of its readings.
        """
        from wattbook.store import questions

        meter_id = self.meter_id(meter, site=site)
        period_ms = period // timedelta(milliseconds=1) if period else None
        edges = boundaries(span, every, zone)
        with self.snapshot() as connection:
            return questions.energy(connection, self.names, meter_id, quantity, edges, period_ms)

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
    ) -> Series:
        """Return one value for each step that has any: of its good values, else of its suspect ones."""
        if aggregate not in get_args(Aggregate):
            known = ", ".join(get_args(Aggregate))
            raise BookError(
                f'no aggregate is called "{aggregate}"{did_you_mean(aggregate, get_args(Aggregate))}; one of: {known}'
            )
        from wattbook.store import questions

        meter_id = self.meter_id(meter, site=site)
        edges = boundaries(span, every, zone)
        with self.snapshot() as connection:
            return questions.aggregate(connection, self.names, meter_id, quantity, edges, aggregate)

    def columns(self, meter: str, span: Span, *, site: str = "") -> Iterator[Columns]:
        """Yield whole readings of a meter in order of time, a day at most at once; no empty ones."""
        from wattbook.store import questions

        meter_id = self.meter_id(meter, site=site)
        at_ms: int | None = to_ms(span.start)
        while at_ms is not None:  # ends: every turn moves on by a block, or to the next reading
            with self.snapshot() as connection:
                columns, at_ms = questions.block(connection, self.names, meter_id, at_ms, to_ms(span.end))
            if columns is not None:
                yield columns

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
    def snapshot(self) -> Iterator[sqlite3.Connection]:
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
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:  # a page is damaged, or what a row holds
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

    def sealed_quantities(self, *, site: str = "") -> Mapping[str, Sequence[str]]:
        """Return what is sealed: meter -> quantities."""
        seek = (  # one step in the index for each pair, not one for each piece
            "SELECT name FROM quantity WHERE EXISTS"
            " (SELECT 1 FROM piece WHERE piece.meter = ? AND piece.quantity = quantity.id)"
        )
        with self.snapshot() as connection:
            meters = connection.execute("SELECT name, id FROM meter WHERE site = ? ORDER BY name", (site,)).fetchall()
            return {name: [each for (each,) in connection.execute(seek, (meter_id,))] for name, meter_id in meters}

    def hot_quantities(self, meter: str, *, site: str = "") -> frozenset[str]:
        """Return what a meter told since its last sealed day, one at a time or together; nothing of an unknown one.

        Only readings that are new since the last call are looked at; what has been sealed since then stays in it.
        """
        upto, told = self._told.get((site, meter), (0, frozenset[str]()))
        own = "(SELECT id FROM meter WHERE site = ? AND name = ?)"
        with self.snapshot() as connection:
            (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM hot").fetchone()
            shapes = connection.execute(
                f"SELECT DISTINCT shape FROM hot WHERE meter = {own} AND seq > ?",  # noqa: S608 - nobody's text
                (site, meter, upto),
            ).fetchall()
            told |= {name for (shape,) in shapes for name, _ in self.names.shape(connection, shape)[0]}
        self._told[site, meter] = newest, told
        return told

    def last_registers(self, meter: str) -> Mapping[str, tuple[datetime, float]]:
        """Return the last good reading of each register, as the meter tells it: quantity -> instant, value."""
        meter_id = self.meter_id(meter)
        with self.snapshot() as connection:
            found = trusted.last_registers(connection, self.names, meter_id)
        return {name: (from_ms(at_ms), value) for name, (at_ms, value) in found.items()}

    def life_events(self, meter: str) -> Sequence[Event]:
        """Return all that was entered about a meter's life and its readings, in the order of their numbers."""
        with self.snapshot() as connection:
            return life.events_of(connection, meter)

    def moves(self, meter: str) -> Sequence[tuple[datetime, str]]:
        """Return when a meter was moved, and to which location."""
        return life.lived(self.life_events(meter)).locations()

    def breaks(self, meter: str) -> Mapping[str, datetime]:
        """Return when each register last began to count on from another value."""
        lived = life.lived(self.life_events(meter))
        names = {name for event in lived.events for name in event.body.get("registers", ())}
        return {name: from_ms(breaks[-1].at_ms) for name in names if (breaks := lived.breaks(name))}

    def events(self, after: str, limit: int) -> Batch:
        """Return up to `limit` events after a position, without readings; "" = from the beginning."""
        seq = _seq_of(after)
        with self.snapshot() as connection:
            found = rows.events_after(connection, seq, limit)
        return Batch((), found, str(found[-1].seq) if found else after)

    def events_about(self, subject: str, kinds: Sequence[str], *, after: int = 0) -> Sequence[Event]:
        """Return the events of these kinds about something behind a number, in the order of their numbers."""
        with self.snapshot() as connection:
            return events_about(connection, subject, kinds, after)

    def newest_events(
        self, kinds: Sequence[str], limit: int, *, before: int | None = None, subject: str | None = None
    ) -> Sequence[Event]:
        """Return up to `limit` events of these kinds, the newest first; under `before`, of one subject, if given."""
        with self.snapshot() as connection:
            return newest_of(connection, kinds, limit, before, subject)

    def changes(self, limit: int, *, before: int) -> tuple[Sequence[Event], int | None]:
        """Return what people and programs did under a number, the newest first, and the number to look on under."""
        with self.snapshot() as connection:
            return changes(connection, limit, before)

    def position(self, follower: str) -> Position | None:
        """Return a follower's position as it was last committed; None = it has none."""
        with self.snapshot() as connection:
            row = connection.execute("SELECT after, bookmark FROM position WHERE follower = ?", (follower,)).fetchone()
        return Position(*row) if row else None

    def end(self, *, back: int = 0) -> str:
        """Return the position behind everything that is in the book now, or so many entries before it."""
        with self.snapshot() as connection:
            return str(max(rows.last_number(connection) - back, 0) or "")

    def before(self, at: datetime) -> str:
        """Return a position before every reading of an instant or a later one."""
        with self.snapshot() as connection:
            return str(rows.first_number_since(connection, to_ms(at)) - 1 or "")

    def behind(self, after: str) -> int:
        """Return how many entries were written after a position, at most: some may have been replaced since."""
        with self.snapshot() as connection:
            return max(rows.last_number(connection) - _seq_of(after), 0)

    def corrections(self, batch: Batch, after: str) -> frozenset[int]:
        """Return the numbers of readings of a batch that take the place of others which came up to a position."""
        numbers = [seq for columns in batch.columns for seq in (columns.seq[0], columns.seq[-1])]
        if not numbers:
            return frozenset()
        start = _seq_of(after)
        with self.snapshot() as connection:
            replaced = corrected(connection, min(start, min(numbers) - 1), max(numbers))
        return frozenset(seq for seq in replaced if origin(replaced, seq) <= start)

    def replaced(self, after: str) -> Mapping[int, int]:
        """Return which readings behind a position take the place of others: number -> number of the first of those."""
        with self.snapshot() as connection:
            found = corrected(connection, _seq_of(after), None)
        return {seq: origin(found, seq) for seq in found}

    def vanished(self, batch: Batch, after: str) -> Sequence[Columns]:
        """Return what readings are now that would stand in a batch, had they not been written anew behind it.

        `after`: where the batch began. Whoever cannot take corrections gets them nowhere else. Most batches have none.
        """
        start, upto = _seq_of(after), _seq_of(batch.upto)
        here = {seq for columns in batch.columns for seq in columns.seq}.union(event.seq for event in batch.events)
        if len(here) == upto - start:
            return ()
        with self.snapshot() as connection:
            replaced = corrected(connection, start, None)
            later = {old: seq for seq, old in replaced.items()}
            gone = [seq for seq in later if start < seq <= upto and seq not in here and later[seq] > upto]
            wanted = {newest(later, seq) for seq in gone if origin(replaced, seq) > start}
            return rows.numbered(connection, self.names, wanted)

    def oldest_hot(self) -> datetime | None:
        """Return an instant not after the oldest reading that is not sealed; None = there is none."""
        with self.snapshot() as connection:
            ids = connection.execute("SELECT id FROM meter").fetchall()
            oldest = "SELECT min(at) FROM hot WHERE meter = ?"
            found = [connection.execute(oldest, meter_id).fetchone()[0] for meter_id in ids]
        return min((from_ms(at_ms) for at_ms in found if at_ms is not None), default=None)

    def meter_id(self, meter: str, *, site: str = "") -> int:
        """The number of a meter. Raises UnknownMeter."""
        with self.snapshot() as connection:
            row = connection.execute("SELECT id FROM meter WHERE site = ? AND name = ?", (site, meter)).fetchone()
        if row is None:
            raise UnknownMeter(f'the book has no reading of "{meter}"{did_you_mean(meter, self.meters(site=site))}')
        return int(row[0])


def _seq_of(after: str) -> int:
    if after and not (after.isascii() and after.isdigit() and len(after) <= _SEQ_DIGITS_MAX):
        raise BookError(f'"{after}" is no position of this book')
    return int(after or 0)
