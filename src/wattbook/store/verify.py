"""Look through a whole book: SQLite's own check, every checksum, every frame opened, and the chain of sealed days."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from wattbook.model import BookError
from wattbook.model.batch import from_ms
from wattbook.store import sealed, torn
from wattbook.store.chain import leaf_of, link_after
from wattbook.store.frames import Damaged
from wattbook.store.reader import BookReader
from wattbook.store.repair import damage
from wattbook.store.seal import HOUR_MS
from wattbook.store.steps import midnight_ms

_CHECK_S = 30.0  # of SQLite's own check: it keeps one reader open, and the log grows meanwhile
_LINKS = 10_000  # in one transaction: some 30 ms

Progress = Callable[[int, int], None]  # frames looked at, and how many there are


@dataclass(frozen=True, slots=True)
class Link:
    """One sealing of a day of a meter."""

    id: int
    meter: str
    from_at: datetime
    to_at: datetime
    revision: int
    at: datetime  # when it was sealed
    leaf: bytes
    link: bytes


@dataclass(slots=True)
class Verified:
    """What was found."""

    frames: int = 0
    readings: int = 0  # sealed ones
    readings_hot: int = 0  # not sealed yet
    links: int = 0
    head: bytes = b""  # the last link: whoever notes it can prove later that nothing before it was changed
    damages: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.damages


def verify(
    reader: BookReader,
    zone: tzinfo = UTC,
    *,
    check_s: float = _CHECK_S,
    progress: Progress = lambda done, total: None,
) -> Verified:
    """Look through everything, in short transactions beside a running daemon; damages name meter and day of `zone`.

    What cannot be read is a damage too, and the rest is looked at all the same. `check_s`: SQLite's own check sees
    what it comes to in this time; a copy that nobody writes has all the time. Raises BookError without a book.
    """
    found = Verified()
    try:
        with reader.snapshot() as connection:
            words = damage(connection, within_s=check_s, look=lambda: progress(0, 1))
    except BookError as error:
        if not isinstance(error.__cause__, sqlite3.DatabaseError):
            raise  # no book, or none that this wattbook knows
        words = str(error)
    progress(0, 1)  # what is raised within SQLite's check ends the check alone
    _count_hot(reader, found)
    if words:
        found.damages.append(f"SQLite's check: {words}")
    _look_at_rows(reader, found)
    heads = _heads(reader, found)
    for done, (frame_id, name, from_at) in enumerate(heads, start=1):
        place = f"{from_ms(from_at).astimezone(zone):%Y-%m-%d}"
        try:
            with reader.snapshot() as connection:
                wrong = _wrong_with(connection, frame_id, found)
        except BookError as error:  # a page of it is torn
            wrong = f"{name or 'a lost meter'}, frame of {from_ms(from_at):%Y-%m-%d %H:%M} UTC: {error}"
        if wrong:
            found.damages.append(f"{place}: {wrong}")
        progress(done, len(heads))
    try:
        _look_at_chain(reader, found)
    except BookError as error:
        found.damages.append(f"the chain after link {found.links}: {error}")
    return found


def _count_hot(reader: BookReader, found: Verified) -> None:
    try:
        with reader.snapshot() as connection:
            (found.readings_hot,) = connection.execute("SELECT count(*) FROM hot").fetchone()
    except BookError as error:
        found.damages.append(f"the readings that are not sealed yet: {error}")


def _look_at_rows(reader: BookReader, found: Verified) -> None:
    """Whether what is not sealed can be read: readings and their shapes, and events."""
    try:
        with reader.snapshot() as connection:
            lengths, lost = torn.shapes(connection)
        found.damages += [f"shape {shape_id} cannot be read, so no reading that has it" for shape_id in lost]
        for table, what in (("hot", "readings"), ("event", "events")):
            lost = []
            seq: int | None = 0
            while seq is not None:  # ends: each turn moves on
                with reader.snapshot() as connection:
                    more, seq = torn.torn_after(connection, table, seq, lengths)
                lost += more
            if lost:
                found.damages.append(f"{what} that cannot be read: {len(lost)}, the first is number {lost[0]}")
    except BookError as error:
        found.damages.append(f"what is not sealed yet: {error}")


def _heads(reader: BookReader, found: Verified) -> Sequence[tuple[int, str | None, int]]:
    """Id, meter and beginning of all frames, as far as they can be listed, at once or else meter by meter."""
    select = "SELECT frame.id, name, from_at FROM frame LEFT JOIN meter ON meter.id = frame.meter"
    try:
        with reader.snapshot() as connection:
            return connection.execute(f"{select} ORDER BY from_at").fetchall()
    except BookError as error:
        found.damages.append(f"the list of frames: {error}")
    heads: list[tuple[int, str | None, int]] = []
    for meter_id, name in _meters(reader, found):
        try:
            with reader.snapshot() as connection:
                rows = connection.execute("SELECT id, from_at FROM frame WHERE meter = ? ORDER BY from_at", (meter_id,))
                heads.extend((frame_id, name, from_at) for frame_id, from_at in rows)
        except BookError as error:
            found.damages.append(f"{name}: not all of its frames can be listed: {error}")
    return heads


def _meters(reader: BookReader, found: Verified) -> Sequence[tuple[int, str]]:
    try:
        with reader.snapshot() as connection:
            return connection.execute("SELECT id, name FROM meter ORDER BY id").fetchall()
    except BookError as error:
        found.damages.append(f"the list of meters: {error}")
        return []


def _wrong_with(connection: sqlite3.Connection, frame_id: int, found: Verified) -> str:
    """What is wrong with a frame, and where it lies; "" = nothing, or it was sealed again meanwhile."""
    if connection.execute("SELECT 1 FROM frame WHERE id = ?", (frame_id,)).fetchone() is None:
        return ""
    head = sealed.head_of(connection, frame_id)
    found.frames += 1
    found.readings += head.n
    try:
        sealed.open_table(connection, head)
        _look_at_pieces(connection, head)
    except Damaged as error:
        return str(error)
    link = connection.execute(
        "SELECT leaf FROM chain WHERE meter = ? AND from_at = ? AND to_at = ? AND revision = ?"
        " ORDER BY id DESC LIMIT 1",
        (head.meter, head.from_at, head.to_at, head.revision),
    ).fetchone()
    if link is None and head.to_at - head.from_at > HOUR_MS:
        return str(sealed.damaged(head, "the chain has no link for it"))
    if link is not None and link[0] != leaf_of(connection, frame_id):
        return str(sealed.damaged(head, "it is not what the chain says was sealed"))
    return ""


def _look_at_pieces(connection: sqlite3.Connection, head: sealed.Head) -> None:
    """Checksums of grids, and of what was forgotten, which opening a frame does not look at."""
    for _, name, crc, piece in sealed.pieces_of(connection, head.id):
        try:
            piece.check_grid()
        except Damaged as error:
            raise sealed.damaged(head, f"{name}: {error}") from error
        sealed.check(head, name, crc, piece)


def _look_at_chain(reader: BookReader, found: Verified) -> None:
    before, last_id = b"", 0
    while True:  # ends: each turn moves on
        with reader.snapshot() as connection:
            rows = connection.execute(
                "SELECT id, leaf, link FROM chain WHERE id > ? ORDER BY id LIMIT ?", (last_id, _LINKS)
            ).fetchall()
        if not rows:
            break
        for link_id, leaf, link in rows:
            if link_id != last_id + 1:
                found.damages.append(f"the chain lacks links {last_id + 1} to {link_id - 1}")
            elif link != link_after(before, leaf):
                found.damages.append(f"the chain is broken at link {link_id}")
            before, last_id = link, link_id
            found.links += 1
    found.head = before


def links_of_day(reader: BookReader, day: date, zone: ZoneInfo) -> Sequence[Link]:
    """All sealings of a local day, of every meter and revision, in the order of sealing."""
    from_at, to_at = midnight_ms(day, zone), midnight_ms(day + timedelta(days=1), zone)
    with reader.snapshot() as connection:
        return list(_links(connection, from_at, to_at))


def _links(connection: sqlite3.Connection, from_at: int, to_at: int) -> Iterator[Link]:
    rows = connection.execute(
        "SELECT chain.id, name, from_at, to_at, revision, at, leaf, link FROM chain"
        " LEFT JOIN meter ON meter.id = chain.meter WHERE from_at < ? AND to_at > ? ORDER BY chain.id",
        (to_at, from_at),
    )
    for link_id, name, begins, ends, revision, at, leaf, link in rows:
        yield Link(link_id, name or "lost", from_ms(begins), from_ms(ends), revision, from_ms(at), leaf, link)


def head_of_chain(reader: BookReader) -> bytes:
    """The last link; b"" when nothing was sealed yet."""
    with reader.snapshot() as connection:
        row = connection.execute("SELECT link FROM chain ORDER BY id DESC LIMIT 1").fetchone()
    return bytes(row[0]) if row else b""


def require_whole(found: Verified) -> None:
    """Raise BookError with the first damage when there is any."""
    if found.damages:
        more = f" (and {len(found.damages) - 1} more)" if len(found.damages) > 1 else ""
        raise BookError(f"damaged: {found.damages[0]}{more}")
