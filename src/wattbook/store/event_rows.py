"""Events of the book by what they are about, and which readings they say were written anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wattbook.model import Event
from wattbook.model.batch import from_ms

_COLUMNS = "SELECT seq, at, kind, subject, actor, body FROM event"
_LOOKED_MAX = 20_000  # events in which one page of changes is looked for: some 20 ms
_BODY_SIZE_MAX = 4_000  # letters: a correction of a year tells the number of every reading in it
_BEHIND_MAX = 10_000  # readings that one correction writes before the event that tells of it
_UNTOLD = -1
_NEVER = 2**62  # above every number
_CORRECTS = "(instr(body, '\"instead_of\"') OR instr(body, '\"was\"') OR instr(body, '\"undoes\"'))"
_FLOOR = """SELECT coalesce(min(seq), 0), count(*)
FROM (SELECT seq FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ?)"""
_CHANGES = """SELECT seq, at, kind, subject, actor, CASE WHEN length(body) <= ? THEN body ELSE '{}' END
FROM event WHERE seq >= ? AND seq < ? AND actor <> 'wattbook' ORDER BY seq DESC LIMIT ?"""
_decode_body = msgspec.json.Decoder(dict[str, Any]).decode


def events_about(connection: sqlite3.Connection, subject: str, kinds: Sequence[str], after: int = 0) -> list[Event]:
    """The events of these kinds about a meter or a sink behind a number, in the order of their numbers."""
    marks = ", ".join("?" * len(kinds))
    query = f"{_COLUMNS} WHERE subject = ? AND kind IN ({marks}) AND seq > ? ORDER BY seq"
    return _events(connection, query, subject, *kinds, after)


def newest_of(
    connection: sqlite3.Connection, kinds: Sequence[str], limit: int, before: int | None, subject: str | None = None
) -> list[Event]:
    """The newest events of these kinds with a number under `before`, the newest first; of one subject or of all."""
    marks = ", ".join("?" * len(kinds))
    under, bound = (" AND seq < ?", [before]) if before is not None else ("", [])
    about, named = (" AND subject = ?", [subject]) if subject is not None else ("", [])
    query = f"{_COLUMNS} WHERE kind IN ({marks}){under}{about} ORDER BY seq DESC LIMIT ?"
    return _events(connection, query, *kinds, *bound, *named, limit)


def changes(connection: sqlite3.Connection, limit: int, before: int) -> tuple[list[Event], int | None]:
    """What people and programs did, the newest first, and the number under which to look on; None = that was all.

    Looks at a bounded number of events, so there may be fewer than `limit` though older ones follow. A long body is
    left out.
    """
    floor, looked = connection.execute(_FLOOR, (before, _LOOKED_MAX)).fetchone()
    found = _events(connection, _CHANGES, _BODY_SIZE_MAX, floor, before, limit)
    if len(found) == limit:
        return found, found[-1].seq
    return found, floor if looked == _LOOKED_MAX else None


def corrected(connection: sqlite3.Connection, after: int, last: int | None) -> Mapping[int, int]:
    """Which readings numbered above `after` up to `last` take the place of others: number -> number of the other.

    0 = an older wattbook did not tell which. The others may have been replacements themselves.
    """
    found: dict[int, int] = {}
    last = _NEVER if last is None else last + _BEHIND_MAX
    for event in _events(connection, f"{_COLUMNS} WHERE seq > ? AND seq <= ? AND {_CORRECTS}", after, last):
        replaced = event.body.get("instead_of")
        if replaced is None:
            replaced = [_UNTOLD] * _rewritten(connection, event)
        first = event.seq - len(replaced)  # a correction is numbered without a gap, and its event is the last of it
        found.update((seq, max(old, 0)) for seq, old in enumerate(replaced, first) if old)
    return found


def origin(replaced: Mapping[int, int], seq: int) -> int:
    """The number of the first of those that took each other's place, as far as it is told."""
    while seq in replaced:
        seq = replaced[seq]
    return seq


def newest(later: Mapping[int, int], seq: int) -> int:
    """The number of the last of those that took each other's place."""
    while seq in later:
        seq = later[seq]
    return seq


def _rewritten(connection: sqlite3.Connection, event: Event) -> int:
    """How many readings an event of an older wattbook wrote anew; undoing one did that as well."""
    if "undoes" in event.body:
        undone = _events(connection, f"{_COLUMNS} WHERE seq = ?", event.body["undoes"])
        return sum(map(_told, undone))
    return _told(event)


def _told(event: Event) -> int:
    was = event.body.get("was")  # other kinds of events tell of a state that was
    return len(was) if isinstance(was, list) else 0


def _events(connection: sqlite3.Connection, query: str, *arguments: object) -> list[Event]:
    return [
        Event(kind, subject, from_ms(at_ms), _decode_body(body), actor, seq)
        for seq, at_ms, kind, subject, actor, body in connection.execute(query, arguments)
    ]
