"""Events of the book by what they are about, and which readings they say were written anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from wattbook.model import Event
from wattbook.model.batch import from_ms, to_ms

_COLUMNS = "SELECT seq, at, kind, subject, actor, body FROM event"
_BEHIND_MAX = 10_000  # readings that one correction writes before the event that tells of it
_decode_body = msgspec.json.Decoder(dict[str, Any]).decode


def events_about(connection: sqlite3.Connection, subject: str, kinds: Sequence[str]) -> list[Event]:
    """The events of these kinds about a meter or a sink, in the order of their numbers."""
    marks = ", ".join("?" * len(kinds))
    return _events(connection, f"{_COLUMNS} WHERE subject = ? AND kind IN ({marks}) ORDER BY seq", subject, *kinds)


def corrected(connection: sqlite3.Connection, first: int, last: int) -> Mapping[str, frozenset[int]]:
    """Which readings numbered `first` to `last` take the place of others: meter -> instants (ms)."""
    found: dict[str, set[int]] = {}
    for event in _events(connection, f"{_COLUMNS} WHERE seq BETWEEN ? AND ?", first, last + _BEHIND_MAX):
        for instant in _instants(connection, event):
            found.setdefault(event.subject, set()).add(instant)
    return {meter: frozenset(instants) for meter, instants in found.items()}


def _instants(connection: sqlite3.Connection, event: Event) -> Iterator[int]:
    """The instants of readings that an event wrote anew; undoing one does that as well."""
    if "undoes" in event.body:
        undone = _events(connection, f"{_COLUMNS} WHERE seq = ?", event.body["undoes"])
        rows = [row for each in undone for row in each.body.get("was", ())]
    else:
        rows = event.body.get("was", ())
    for row in rows:
        yield to_ms(datetime.fromisoformat(row["at"]))


def _events(connection: sqlite3.Connection, query: str, *arguments: object) -> list[Event]:
    return [
        Event(kind, subject, from_ms(at_ms), _decode_body(body), actor, seq)
        for seq, at_ms, kind, subject, actor, body in connection.execute(query, arguments)
    ]
