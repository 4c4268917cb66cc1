"""Readings and events -> rows of one open transaction: identities, numbers, shapes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import msgspec

from wattbook.model import BookError, Event, Kept, Reading, Readings
from wattbook.model.batch import BEFORE_ALL_MS, QUALITY_CODES, to_ms
from wattbook.store.journal import Position
from wattbook.store.packing import Packer, Shape, decode_cells, divisors, parse_shape, shape_text
from wattbook.store.rows import cell_values
from wattbook.store.sealed_readings import Known, SealedReadings

if TYPE_CHECKING:
    from wattbook.store.bulk import Packed
    from wattbook.store.forget import Forgetting
    from wattbook.store.seal import Sealing

GRAIN_MS = 10  # instants are kept to 10 ms
_TAKEN_MAX = 1000  # neighbours looked at for a free instant: 10 s of a line that polls without a pause
_NUMBERS_RESERVED = 1_000  # at once, so that not every commit writes the page of the counter; a crash may skip them
_POSITIONS_AT_ONCE = 8  # in one statement
_STAMPED_MAX = 100_000  # runs of numbers: 10 MB; a clock that is set later than that much traffic stays as it was
_BULK_MIN = 100  # readings; for fewer, calls of numpy cost as much as they save
_TOGETHER = 100  # rows in one statement; more gain nothing
_ROWS_HELD_MAX = 1000  # rows handed to SQLite at once: enough to spread the cost of a call, few to hold twice

# A float of Unix seconds is good to 0.2 µs; without this a whole millisecond may be cut to the one before.
_HALF_A_MICROSECOND = 0.0005  # in ms
_encode_doubt = msgspec.msgpack.Encoder().encode

_INSERT = "INSERT INTO hot (seq, meter, at, shape, quality, doubt, cells) VALUES (?, ?, ?, ?, ?, ?, ?)"
# Of many rows in one statement: sqlite3 lets go of the interpreter at each statement, and to get it back from a busy
# thread takes a switch interval. FAIL, or SQLite would copy each page for undoing the statement alone; what fails here
# is a bug, and undoes the transaction.
_INSERT_TOGETHER = f"{_INSERT.replace('INTO', 'OR FAIL INTO', 1)}{', (?, ?, ?, ?, ?, ?, ?)' * (_TOGETHER - 1)}"
_Row = tuple[int, int, int, int, int, bytes | None, bytes]
_Body = tuple[int, int, bytes | None, bytes]  # shape, quality, doubt, cells


@dataclass(slots=True)
class _Meter:
    id: int
    packer: Packer
    last_ms: int  # nothing of this meter is later, so a later reading cannot be a double


@dataclass(frozen=True, slots=True)
class _Late:
    """A reading that is not later than all of its meter, and its place among those handed in."""

    place: int
    reading: Reading
    meter: _Meter
    at_ms: int
    body: _Body


class Pen:
    """Writes into the transaction its caller opened. After a rollback the caller must call `forget`."""

    def __init__(self, connection: sqlite3.Connection, *, site: str, seq_next: int) -> None:
        self._connection = connection
        self._site = site
        self.seq_next = seq_next
        self._seq_opened = seq_next
        self._seq_reserved = seq_next  # what the book says; a crash skips to it
        self._meters: dict[tuple[str, str], _Meter] = {}
        self._shape_ids: dict[Shape, int] = {}
        self._shapes: dict[int, Shape] = {}
        self._rows: list[_Row] = []
        self._sealed = SealedReadings(connection)
        self._stamped: list[list[int]] = []  # first and last numbers of runs that our own clock dated

    def forget(self) -> None:
        """Drop what a rolled-back transaction may have taught. Numbers go on: none is ever used twice."""
        self._seq_reserved = self._seq_opened
        self._meters.clear()
        self._shape_ids.clear()
        self._shapes.clear()
        self._rows.clear()

    def append(self, readings: Sequence[Reading], *, fresh: bool) -> Kept:
        """Write readings; `fresh` ones are never doubles and move to a free instant.

        Raises BookError before anything is written when one of them cannot be.
        """
        if isinstance(readings, Readings) and not fresh and len(readings) >= _BULK_MIN:
            return self._append_bulk(readings)
        rows, meters = self._rows, self._meters
        mark, seq = len(rows), self.seq_next
        seqs: list[int] = []
        late: list[_Late] = []
        try:
            for reading in readings:
                meter = meters.get((reading.site, reading.meter)) or self._learn_meter(reading)
                at_ms = int(reading.at.timestamp() * 1000 + _HALF_A_MICROSECOND)
                body = self._body(meter, reading)
                if at_ms > meter.last_ms:
                    meter.last_ms = at_ms
                    rows.append((seq, meter.id, at_ms, *body))
                    seqs.append(seq)
                    seq += 1
                else:
                    late.append(_Late(len(seqs), reading, meter, at_ms, body))
                    seqs.append(0)
        except BookError:
            del rows[mark:]
            raise
        self.seq_next = seq
        if len(rows) >= _ROWS_HELD_MAX:
            self.flush()
        kept = self._append_late(late, seqs, fresh=fresh) if late else Kept(tuple(seqs), new=len(seqs))
        if fresh:
            self._remember_stamped(seqs)
        return kept

    def _append_bulk(self, readings: Readings) -> Kept:
        """Write what was sent to us as columns; what is late, of a new form or doubted goes one by one behind it.

        Of one meter the numbers rise as they would for the readings one by one, and of two of one instant the same
        stays: what is behind takes along all of its meter that follows.
        """
        from wattbook.store.bulk import pack_readings

        mark, first = len(self._rows), self.seq_next
        meters = self._meters_of(readings)
        packed = pack_readings(readings, [meter.packer for meter in meters])
        instants = [int(at_s * 1000 + _HALF_A_MICROSECOND) for at_s in readings.at_s()]
        seqs, odd = self._append_packed(meters, instants, packed)
        if not odd:
            if len(self._rows) >= _ROWS_HELD_MAX:
                self.flush()
            return Kept(tuple(seqs), new=len(seqs))
        try:
            kept = self.append([readings[place] for place in odd], fresh=False)
        except BookError:
            del self._rows[mark:]
            self.seq_next = first
            raise
        for place, seq in zip(odd, kept.seqs, strict=True):
            seqs[place] = seq
        return Kept(tuple(seqs), len(seqs) - kept.same - kept.conflicts, kept.same, kept.conflicts)

    def _meters_of(self, readings: Readings) -> list[_Meter]:
        known = self._meters.get
        identities = zip(readings.site, readings.meter, strict=True)
        return [known(who) or self._learn_meter(readings[place]) for place, who in enumerate(identities)]

    def _append_packed(
        self, meters: Sequence[_Meter], instants: Sequence[int], packed: Packed
    ) -> tuple[list[int], list[int]]:
        """Return the number of each reading, and the places of those that could not be written so."""
        first, plain = self.seq_next, _later_until(meters, instants, packed.cells)  # nearly always all
        self.seq_next += plain
        seqs = [*range(first, self.seq_next), *[0] * (len(meters) - plain)]
        ids = [meter.id for meter in meters]
        columns = ids, instants, packed.shape_ids, packed.qualities, repeat(None), packed.cells
        # Only whole rows: up to there, all have cells.
        self._rows.extend(zip(range(first, self.seq_next), *columns, strict=False))
        odd, behind = list[int](), set[int]()  # places, meters
        for place in range(plain, len(meters)):
            meter, at_ms, cells = meters[place], instants[place], packed.cells[place]
            if cells is None and at_ms > meter.last_ms:
                behind.add(meter.id)
            if cells is None or at_ms <= meter.last_ms or meter.id in behind:
                odd.append(place)
                continue
            meter.last_ms = at_ms
            seqs[place] = self._next_seq()
            body = packed.shape_ids[place], packed.qualities[place], None, cells
            self._rows.append((seqs[place], meter.id, at_ms, *body))
        return seqs, odd

    def _remember_stamped(self, seqs: Sequence[int]) -> None:
        """Know which numbers our own clock dated: only they are moved when it turns out to have been wrong."""
        stamped = self._stamped
        for seq in seqs:
            if stamped and stamped[-1][1] == seq - 1:
                stamped[-1][1] = seq
            elif len(stamped) < _STAMPED_MAX:
                stamped.append([seq, seq])

    def _append_late(self, late: Sequence[_Late], seqs: list[int], *, fresh: bool) -> Kept:
        """Write readings that are not later than all of their meter, so may be doubles."""
        self.flush()  # so that the table knows the rows before these
        same = conflicts = 0
        for each in late:
            meter, at_ms = each.meter, each.at_ms
            if fresh:
                at_ms = self._free_instant(meter.id, at_ms)
                meter.last_ms = max(meter.last_ms, at_ms)
            elif found := self._find(meter.id, at_ms):
                seqs[each.place] = found.seq
                if found.is_same(each.reading.values):
                    same += 1
                else:
                    conflicts += 1
                continue
            seqs[each.place] = self._next_seq()
            self._connection.execute(_INSERT, (seqs[each.place], meter.id, at_ms, *each.body))
        return Kept(tuple(seqs), new=len(seqs) - same - conflicts, same=same, conflicts=conflicts)

    def append_event(self, event: Event) -> int:
        """Write an event; return its number."""
        seq = self._next_seq()
        body = msgspec.json.encode(dict(event.body)).decode()
        self._connection.execute(
            "INSERT INTO event (seq, at, kind, subject, actor, body) VALUES (?, ?, ?, ?, ?, ?)",
            (seq, to_ms(event.at), event.kind, event.subject, event.actor, body),
        )
        return seq

    def correct(self, readings: Sequence[Reading], event: Event) -> int:
        """Write readings in the place of those of their identities, with new numbers; return the event's number.

        In sealed time they are hot rows until their span is sealed again; whoever reads takes them first. Under
        `instead_of` the event tells the numbers of those replaced, in the readings' order; 0 = there was none. So a
        follower knows whether it had them.
        """
        self.flush()
        replaced: list[int] = []
        for reading in readings:
            meter = self._meters.get((reading.site, reading.meter)) or self._learn_meter(reading)
            at_ms = to_ms(reading.at)
            body = self._body(meter, reading)
            found = self._find(meter.id, at_ms)
            replaced.append(found.seq if found else 0)
            self._connection.execute("DELETE FROM hot WHERE meter = ? AND at = ?", (meter.id, at_ms))
            self._connection.execute(_INSERT, (self._next_seq(), meter.id, at_ms, *body))
            meter.last_ms = max(meter.last_ms, at_ms)
        return self.append_event(replace(event, body={**event.body, "instead_of": replaced}) if replaced else event)

    def seal(self, sealing: Sealing, now: datetime) -> bool:
        """Put a frame into the place of what lies in its span; False = something there has changed meanwhile."""
        from wattbook.store.seal import swap

        self.flush()
        count = swap(self._connection, sealing, self.seq_next, now)
        if count is None:
            return False
        self.seq_next += count
        return True

    def forget_readings(self, forgetting: Forgetting, now: datetime) -> bool:
        """Write what is left of a sealed day; False = it has changed meanwhile."""
        from wattbook.store.forget import swap_forgotten

        self.flush()
        return swap_forgotten(self._connection, forgetting, now)

    def redate(self, *, before: datetime, by: timedelta, at: datetime) -> int:
        """Move what this run's own clock dated before `before` by `by`, with new numbers; return how many.

        Readings that came with an instant of their own stay where they are.
        The event "book.redated" keeps what undoes it: the new numbers `first`..`last` in the old order, the step,
        and the old instants of those that had to give way to another reading.
        """
        self.flush()
        select = "SELECT seq, meter, at FROM hot WHERE seq BETWEEN ? AND ? AND at < ? ORDER BY seq"
        rows = [
            row
            for first, last in self._stamped
            for row in self._connection.execute(select, (first, last, to_ms(before))).fetchall()
        ]
        self._stamped.clear()
        if not rows:
            return 0
        step_ms = by // timedelta(milliseconds=1)
        gave_way: dict[str, int] = {}
        first = self.seq_next
        for old_seq, meter_id, old_ms in rows:
            seq = self._next_seq()
            new_ms = self._free_instant(meter_id, old_ms + step_ms)
            if new_ms != old_ms + step_ms:
                gave_way[str(seq)] = old_ms
            self._connection.execute("UPDATE hot SET seq = ?, at = ? WHERE seq = ?", (seq, new_ms, old_seq))
        body = {"by_ms": step_ms, "first": first, "last": self.seq_next - 1, "gave_way": gave_way}
        self.append_event(Event("book.redated", "", at, body))
        self._meters.clear()  # their latest instants have moved
        return len(rows)

    def acknowledge(self, positions: Mapping[str, Position]) -> None:
        """Write followers' positions."""
        rows = [(follower, position.after, position.bookmark) for follower, position in positions.items()]
        for start in range(0, len(rows), _POSITIONS_AT_ONCE):
            part = rows[start : start + _POSITIONS_AT_ONCE]
            marks = ", ".join(["(?, ?, ?)"] * len(part))
            self._connection.execute(  # one statement: half the time of one for each
                f"INSERT INTO position (follower, after, bookmark) VALUES {marks}"  # noqa: S608 - only marks
                " ON CONFLICT (follower) DO UPDATE SET after = excluded.after, bookmark = excluded.bookmark",
                [field for row in part for field in row],
            )

    def finish(self) -> None:
        """Write what is still held before the commit, and reserve numbers for it and some after it."""
        self.flush()
        if self.seq_next > self._seq_reserved:
            self._seq_reserved = self.seq_next + _NUMBERS_RESERVED
            self._connection.execute("UPDATE book SET seq_next = ?", (self._seq_reserved,))

    def flush(self) -> None:
        """Hand the rows held to SQLite."""
        rows = self._rows
        for _ in range(len(rows) // _TOGETHER):
            self._connection.execute(_INSERT_TOGETHER, tuple(chain.from_iterable(rows[:_TOGETHER])))
            del rows[:_TOGETHER]
        if rows:
            self._connection.executemany(_INSERT, rows)
            rows.clear()

    def _next_seq(self) -> int:
        self.seq_next += 1
        return self.seq_next - 1

    def _body(self, meter: _Meter, reading: Reading) -> _Body:
        try:
            form, cells = meter.packer.pack(reading.values)
        except BookError as error:
            raise BookError(f"{reading.meter}: {error}") from error
        if not form.shape_id:
            form.shape_id = self._shape_id(form.shape)
        quality = QUALITY_CODES[reading.quality]
        return form.shape_id, quality, _doubt(reading) if reading.doubt else None, cells

    def _learn_meter(self, reading: Reading) -> _Meter:
        """The book's entry of this meter, made when it is new, with its last instant and shape."""
        if reading.site and reading.site == self._site:
            own = self._learn_meter(Reading(reading.meter, reading.at, {}))
            self._meters[(reading.site, reading.meter)] = own
            return own
        if known := self._meters.get((reading.site, reading.meter)):
            return known
        identity = (reading.site, reading.meter)
        self._connection.execute("INSERT INTO meter (site, name) VALUES (?, ?) ON CONFLICT DO NOTHING", identity)
        (meter_id,) = self._connection.execute("SELECT id FROM meter WHERE site = ? AND name = ?", identity).fetchone()
        last = self._connection.execute(
            "SELECT at, shape FROM hot WHERE meter = ? ORDER BY at DESC LIMIT 1", (meter_id,)
        ).fetchone()
        sealed_until = self._connection.execute(  # frames of a meter do not overlap, so one step in the index
            "SELECT to_at FROM frame WHERE meter = ? ORDER BY from_at DESC LIMIT 1", (meter_id,)
        ).fetchone()
        last_ms, packer = (last[0], Packer(self._shape(last[1]))) if last else (BEFORE_ALL_MS, Packer())
        meter = _Meter(meter_id, packer, max(last_ms, sealed_until[0] - 1) if sealed_until else last_ms)
        self._meters[identity] = meter
        return meter

    def _shape_id(self, shape: Shape) -> int:
        if found := self._shape_ids.get(shape):
            return found
        text = shape_text(shape)
        self._connection.execute("INSERT INTO shape (cells) VALUES (?) ON CONFLICT DO NOTHING", (text,))
        (shape_id,) = self._connection.execute("SELECT id FROM shape WHERE cells = ?", (text,)).fetchone()
        self._shape_ids[shape] = shape_id
        return int(shape_id)

    def _shape(self, shape_id: int) -> Shape:
        if shape_id not in self._shapes:
            (text,) = self._connection.execute("SELECT cells FROM shape WHERE id = ?", (shape_id,)).fetchone()
            self._shapes[shape_id] = parse_shape(text)
        return self._shapes[shape_id]

    def _find(self, meter_id: int, at_ms: int) -> Known | None:
        """The reading that has this identity."""
        row = self._connection.execute(
            "SELECT seq, shape, cells FROM hot WHERE meter = ? AND at = ?", (meter_id, at_ms)
        ).fetchone()
        if row is None:
            return self._sealed.reading(meter_id, at_ms)
        shape = self._shape(row[1])
        return Known(row[0], dict(cell_values(shape, divisors(shape), decode_cells(row[2]))))

    def _free_instant(self, meter_id: int, at_ms: int) -> int:
        """The first of at_ms, at_ms + 10 ms, … that no reading of the meter has."""
        taken: Sequence[Any] = self._connection.execute(
            "SELECT at FROM hot WHERE meter = ? AND at >= ? ORDER BY at LIMIT ?", (meter_id, at_ms, _TAKEN_MAX)
        ).fetchall()
        instants = {row[0] for row in taken}
        for candidate_ms in range(at_ms, at_ms + GRAIN_MS * _TAKEN_MAX, GRAIN_MS):
            if candidate_ms not in instants and self._sealed.reading(meter_id, candidate_ms) is None:
                return candidate_ms
        (last_ms,) = self._connection.execute("SELECT max(at) FROM hot WHERE meter = ?", (meter_id,)).fetchone()
        return int(last_ms) + GRAIN_MS


def _later_until(meters: Sequence[_Meter], instants: Sequence[int], cells: Sequence[bytes | None]) -> int:
    """How many of these, from the first on, are packed and later than all of their meter; those become the latest."""
    for place, (meter, at_ms, packed) in enumerate(zip(meters, instants, cells, strict=True)):
        if packed is None or at_ms <= meter.last_ms:
            return place
        meter.last_ms = at_ms
    return len(meters)


def _doubt(reading: Reading) -> bytes | None:
    places = {
        place: QUALITY_CODES[reading.doubt[name]] for place, name in enumerate(reading.values) if name in reading.doubt
    }
    return _encode_doubt(places) if places else None
