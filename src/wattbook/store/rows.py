"""Rows of the book -> columns and points: the one place where what is stored becomes readings again.

Everything that reads (the journal, the latest values, history) comes through here, so sealed frames are served
together with hot rows from here too, and nobody above can tell which.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from wattbook.model import BookError, Columns, Event, Reading
from wattbook.model.batch import ABSENT, AFTER_ALL_MS, BEFORE_ALL_MS, GOOD_CODE, NO_DOUBT, QUALITY_OF, from_ms, to_ms
from wattbook.store.packing import Shape, decode_cells, decode_doubt, divisors, parse_shape

if TYPE_CHECKING:
    from wattbook.store.table import Table

_AT_ONCE = 2_000  # entries looked at for some numbers among them: as many as one correction
_BESIDE = (  # rows that tell a quantity, as it is quoted in their shapes; only the shapes of rows come to are read
    "SELECT at, shape, quality, doubt, hot.cells FROM hot CROSS JOIN shape ON shape.id = hot.shape"
    " WHERE instr(shape.cells, ?) AND meter = ?"
)
_LATEST = "SELECT at, shape, quality, doubt, cells FROM hot WHERE meter = ? AND at <= ? ORDER BY at DESC LIMIT 1"
_EVENTS = "SELECT seq, at, kind, subject, actor, body FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
_decode_body = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one quantity."""

    at_ms: int
    value: float
    quality: int  # QUALITY_CODES


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers in rows stand for. Shapes and meters are only ever added, so it may be kept."""

    shapes: dict[int, tuple[Shape, tuple[int | None, ...]]]
    meters: dict[int, tuple[str, str]]  # id -> site, name

    @classmethod
    def none(cls) -> Names:
        return cls({}, {})

    def shape(self, connection: sqlite3.Connection, shape_id: int) -> tuple[Shape, tuple[int | None, ...]]:
        """The shape and the divisors of its cells."""
        known = self.shapes.get(shape_id)
        if known is None:
            shape = parse_shape(_one(connection, "SELECT cells FROM shape WHERE id = ?", shape_id)[0])
            known = self.shapes[shape_id] = shape, divisors(shape)
        return known

    def meter(self, connection: sqlite3.Connection, meter_id: int) -> tuple[str, str]:
        """The site and name of a meter."""
        known = self.meters.get(meter_id)
        if known is None:
            site, name = _one(connection, "SELECT site, name FROM meter WHERE id = ?", meter_id)
            known = self.meters[meter_id] = site, name
        return known


def _one(connection: sqlite3.Connection, query: str, row_id: int) -> Sequence[Any]:
    row = connection.execute(query, (row_id,)).fetchone()
    if row is None:
        raise BookError(
            f"the book is damaged: nothing is numbered {row_id} where {query.split('FROM ')[1][:5]} says so"
        )
    return tuple(row)


def cell_values(
    shape: Shape, divided_by: Sequence[int | None], cells: Sequence[int | float]
) -> Iterator[tuple[str, float]]:
    """Yield (quantity, value)."""
    for (name, _), divisor, cell in zip(shape, divided_by, cells, strict=True):
        yield name, cell if divisor is None else cell / divisor


def entries_after(
    connection: sqlite3.Connection, names: Names, seq: int, limit: int
) -> tuple[tuple[Columns, ...], tuple[Event, ...], int]:
    """The next `limit` readings and events after a number, hot and sealed alike, and the last number among them."""
    rows = connection.execute(
        "SELECT seq, meter, at, shape, quality, doubt, cells FROM hot WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
    ).fetchall()
    events = connection.execute(_EVENTS, (seq, limit)).fetchall()
    tables, sealed_upto = _sealed_after(connection, seq, limit)
    numbers = [row[0] for row in rows] + [row[0] for row in events]
    for _, table in tables:
        numbers += table.seq.tolist()
    if sealed_upto is not None:  # there is more in sealed time, and nothing may be passed over
        numbers = [number for number in numbers if number <= sealed_upto]
        if not numbers:  # what lies there is damaged, all of it
            return entries_after(connection, names, sealed_upto, limit)
    if not numbers:
        return (), (), seq
    numbers.sort()
    upto = numbers[min(limit, len(numbers)) - 1]
    hot: dict[int, list[Sequence[Any]]] = {}
    for row in rows:
        if row[0] <= upto:
            hot.setdefault(row[1], []).append(row)
    behind = _behind(connection, names, tables, hot, upto) if tables else []
    fresh = [_gathered(connection, names, meter_id, its) for meter_id, its in hot.items()]
    return tuple(behind + fresh), tuple(_event(row) for row in events if row[0] <= upto), upto


def numbered(connection: sqlite3.Connection, names: Names, numbers: Set[int]) -> Sequence[Columns]:
    """The readings of these numbers, hot and sealed alike."""
    found: list[Columns] = []
    left = sorted(numbers)
    while left:  # a correction is numbered without a gap, so a few turns get all
        columns, _, upto = entries_after(connection, names, left[0] - 1, _AT_ONCE)
        for each in columns:
            rows = [row for row, seq in enumerate(each.seq) if seq in numbers and left[0] <= seq <= upto]
            found += [each.cut(slice(row, row + 1)) for row in rows]
        left = [number for number in left[1:] if number > upto]
    return found


def last_number(connection: sqlite3.Connection) -> int:
    """The number of the newest entry; 0 = there is none."""
    (number,) = connection.execute(
        "SELECT max((SELECT coalesce(max(seq), 0) FROM hot), (SELECT coalesce(max(seq), 0) FROM event),"
        " (SELECT coalesce(max(seq_last), 0) FROM frame))"
    ).fetchone()
    return int(number)


def first_number_since(connection: sqlite3.Connection, at_ms: int) -> int:
    """A number that no reading of this instant or a later one is below."""
    (number,) = connection.execute(
        "SELECT min((SELECT coalesce(min(seq), ?1) FROM hot WHERE at >= ?2),"
        " (SELECT coalesce(min(seq_first), ?1) FROM frame WHERE to_at > ?2))",
        (last_number(connection) + 1, at_ms),
    ).fetchone()
    return int(number)


def events_after(connection: sqlite3.Connection, seq: int, limit: int) -> tuple[Event, ...]:
    """The next `limit` events after a number."""
    return tuple(map(_event, connection.execute(_EVENTS, (seq, limit))))


def _gathered(connection: sqlite3.Connection, names: Names, meter_id: int, rows: Sequence[Sequence[Any]]) -> Columns:
    gathering = _Gathered(*names.meter(connection, meter_id))
    for seq, _, at_ms, shape_id, quality, doubt, cells in rows:
        gathering.add(seq, at_ms, quality, doubt, names.shape(connection, shape_id), cells)
    return gathering.columns()


def _behind(
    connection: sqlite3.Connection,
    names: Names,
    tables: Sequence[tuple[int, Table]],
    hot: dict[int, list[Sequence[Any]]],
    upto: int,
) -> list[Columns]:
    """Sealed rows up to a number, each meter's in the order of their numbers; its hot rows are taken out of `hot`."""
    from wattbook.store.table import merged, table_of_hot

    by_meter: dict[int, list[Table]] = {}
    for meter_id, table in tables:
        by_meter.setdefault(meter_id, []).append(table.take(table.seq <= upto))
    found = []
    for meter_id, its in by_meter.items():
        rows = [(row[0], *row[2:]) for row in hot.pop(meter_id, [])]
        shapes = {row[2]: names.shape(connection, row[2])[0] for row in rows}
        table = merged([*its, table_of_hot(rows, shapes)])  # a correction that is hot replaces what it corrects
        if len(table):
            found.append(table.take(table.seq.argsort()).to_columns(*names.meter(connection, meter_id)))
    return found


def _sealed_after(
    connection: sqlite3.Connection, seq: int, limit: int
) -> tuple[Sequence[tuple[int, Table]], int | None]:
    """Meter and rows of sealed time with the next numbers, and the last of them; None = all. Most are past all."""
    if connection.execute("SELECT 1 FROM frame WHERE seq_last > ? LIMIT 1", (seq,)).fetchone() is None:
        return (), None
    from wattbook.store.sealed import tables_after  # numpy takes 17 MB: only whoever is behind needs it

    return tables_after(connection, seq, limit)


def _event(row: Sequence[Any]) -> Event:
    seq, at_ms, kind, subject, actor, body = row
    return Event(kind, subject, from_ms(at_ms), _decode_body(body), actor, seq)


def latest_reading(connection: sqlite3.Connection, names: Names, meter_id: int, by_ms: int) -> Reading | None:
    """The meter's latest reading; None = it has none.

    One after `by_ms` was dated by a clock that was ahead: it counts only when there is no other.
    """
    newest = _latest_hot(connection, names, meter_id, AFTER_ALL_MS)  # of all: it stays hot when its day is sealed
    if newest is None or to_ms(newest.at) <= by_ms:
        return newest
    hot = _latest_hot(connection, names, meter_id, by_ms)
    after_ms = to_ms(hot.at) if hot else BEFORE_ALL_MS
    return _latest_sealed(connection, names, meter_id, after_ms, by_ms) or hot or newest


def _latest_hot(connection: sqlite3.Connection, names: Names, meter_id: int, by_ms: int) -> Reading | None:
    row = connection.execute(_LATEST, (meter_id, by_ms)).fetchone()
    if row is None:
        return None
    at_ms, shape_id, quality, doubt, cells = row
    shape, divided_by = names.shape(connection, shape_id)
    site, name = names.meter(connection, meter_id)
    return Reading(
        meter=name,
        at=from_ms(at_ms),
        values=dict(cell_values(shape, divided_by, decode_cells(cells))),
        quality=QUALITY_OF[quality],
        doubt={shape[place][0]: QUALITY_OF[code] for place, code in decode_doubt(doubt).items()} if doubt else {},
        site=site,
    )


def _latest_sealed(
    connection: sqlite3.Connection, names: Names, meter_id: int, after_ms: int, by_ms: int
) -> Reading | None:
    """The latest sealed reading up to `by_ms`, if it is later than `after_ms`."""
    last = connection.execute(
        "SELECT to_at FROM frame WHERE meter = ? AND from_at <= ? ORDER BY from_at DESC LIMIT 1", (meter_id, by_ms)
    ).fetchone()
    if last is None or last[0] <= after_ms:
        return None
    from wattbook.store.sealed import last_row  # numpy takes 17 MB: a meter whose clock was never ahead needs it not

    table = last_row(connection, meter_id, after_ms, by_ms)
    return None if table is None else next(iter(table.to_columns(*names.meter(connection, meter_id)).readings()))


def hot_table(connection: sqlite3.Connection, names: Names, meter_id: int, from_ms: int, to_ms: int) -> Table:
    """The hot rows of a meter from `from_ms` before `to_ms`."""
    from wattbook.store.table import table_of_hot

    found = connection.execute(
        "SELECT seq, at, shape, quality, doubt, cells FROM hot WHERE meter = ? AND at >= ? AND at < ? ORDER BY at",
        (meter_id, from_ms, to_ms),
    ).fetchall()
    return table_of_hot(found, {row[2]: names.shape(connection, row[2])[0] for row in found})


def samples_of(
    connection: sqlite3.Connection, names: Names, meter_id: int, quantity: str, from_ms: int, to_ms: int
) -> list[Sample]:
    """The hot samples of one quantity from `from_ms` before `to_ms`, in order of time."""
    rows = connection.execute(
        "SELECT at, shape, quality, doubt, cells FROM hot WHERE meter = ? AND at >= ? AND at < ? ORDER BY at",
        (meter_id, from_ms, to_ms),
    )
    return list(_samples(connection, names, quantity, rows))


def instants_of(connection: sqlite3.Connection, meter_id: int, from_ms: int, to_ms: int) -> list[int]:
    """The instants of all hot rows of a meter from `from_ms` before `to_ms`."""
    rows = connection.execute(
        "SELECT at FROM hot WHERE meter = ? AND at >= ? AND at < ? ORDER BY at", (meter_id, from_ms, to_ms)
    )
    return [at_ms for (at_ms,) in rows]


def samples_beside(
    connection: sqlite3.Connection,
    names: Names,
    meter_id: int,
    quantity: str,
    at_ms: int,
    *,
    before: bool,
    count: int,
    looked_at_max: int,
) -> list[Sample]:
    """Up to `count` good hot samples just before `at_ms`, or from it on; in order of time.

    Readings without the quantity are passed over, and suspect ones, but `looked_at_max` at most are looked at.
    """
    side = "at < ? ORDER BY at DESC" if before else "at >= ? ORDER BY at"
    cursor = connection.execute(f"{_BESIDE} AND {side} LIMIT ?", (f'"{quantity}"', meter_id, at_ms, looked_at_max))
    found = []
    for sample in _samples(connection, names, quantity, cursor):
        if sample.quality == GOOD_CODE:
            found.append(sample)
        if len(found) == count:
            break
    return found[::-1] if before else found


def _samples(connection: sqlite3.Connection, names: Names, quantity: str, rows: Any) -> Iterator[Sample]:
    places: dict[int, tuple[int, int | None]] = {}  # shape -> place of the quantity, -1 = not in it; divisor
    for at_ms, shape_id, quality, doubt, cells in rows:
        known = places.get(shape_id)
        if known is None:
            known = places[shape_id] = _place(*names.shape(connection, shape_id), quantity)
        place, divisor = known
        if place >= 0:
            cell = decode_cells(cells)[place]
            code = decode_doubt(doubt).get(place, quality) if doubt else quality
            yield Sample(at_ms, cell if divisor is None else cell / divisor, code)


def _place(shape: Shape, divided_by: Sequence[int | None], quantity: str) -> tuple[int, int | None]:
    for place, (name, _) in enumerate(shape):
        if name == quantity:
            return place, divided_by[place]
    return -1, None


class _Gathered:
    """Rows of one meter growing into columns."""

    def __init__(self, site: str, meter: str) -> None:
        self._site, self._meter = site, meter
        self._at_ms, self._seq, self._quality = array("q"), array("q"), array("B")
        self._values: dict[str, array[float]] = {}
        self._doubt: dict[str, array[int]] = {}

    def add(
        self,
        seq: int,
        at_ms: int,
        quality: int,
        doubt: bytes | None,
        shaped: tuple[Shape, tuple[int | None, ...]],
        cells: bytes,
    ) -> None:
        shape, divided_by = shaped
        row = len(self._seq)
        for name, value in cell_values(shape, divided_by, decode_cells(cells)):
            column = self._values.get(name)
            if column is None:
                column = self._values[name] = array("d")
            if len(column) < row:  # earlier rows lacked it
                column.extend([ABSENT] * (row - len(column)))
            column.append(value)
        if doubt:
            for place, code in decode_doubt(doubt).items():
                codes = self._doubt.setdefault(shape[place][0], array("B"))
                codes.extend([NO_DOUBT] * (row - len(codes)))
                codes.append(code)
        self._seq.append(seq)
        self._at_ms.append(at_ms)
        self._quality.append(quality)

    def columns(self) -> Columns:
        rows = len(self._seq)
        for column in self._values.values():
            column.extend([ABSENT] * (rows - len(column)))
        for codes in self._doubt.values():
            codes.extend([NO_DOUBT] * (rows - len(codes)))
        return Columns(self._site, self._meter, self._at_ms, self._seq, self._values, self._quality, self._doubt)
