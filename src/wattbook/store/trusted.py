"""What the book last believed of a meter's registers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from wattbook.model import Kind
from wattbook.model.batch import AFTER_ALL_MS
from wattbook.model.vocabulary import known_kind
from wattbook.store.rows import Names, samples_beside

_LOOKED_AT_MAX = 5_000  # readings, back from the newest: seven hours at 5 s in which a register was doubted
_LATELY_MS = 2 * 86_400_000  # before the end of sealed time
_SHAPES = "SELECT DISTINCT shape FROM (SELECT shape FROM hot WHERE meter = ? ORDER BY at DESC LIMIT ?)"
_SEALED_LATELY = (
    "SELECT DISTINCT name FROM frame JOIN piece ON piece.frame = frame.id JOIN quantity ON quantity.id = piece.quantity"
    " WHERE frame.meter = ? AND frame.from_at > (SELECT max(from_at) FROM frame WHERE meter = ?) - ?"
)
_SEALED = (
    "SELECT name, ends FROM quantity JOIN piece ON piece.quantity = quantity.id"
    " WHERE piece.meter = ? AND quantity.name = ? AND ends IS NOT NULL ORDER BY from_at DESC LIMIT 1"
)


def last_registers(connection: sqlite3.Connection, names: Names, meter_id: int) -> Mapping[str, tuple[int, float]]:
    """The last good reading of each register: quantity -> instant in ms since 1970 UTC, value."""
    found = {}
    for name in registers(connection, names, meter_id):
        good = samples_beside(
            connection, names, meter_id, name, AFTER_ALL_MS, before=True, count=1, looked_at_max=_LOOKED_AT_MAX
        )
        if good:
            found[name] = good[0].at_ms, good[0].value
        elif sealed := _last_sealed(connection, meter_id, name):
            found[name] = sealed
    return found


def registers(connection: sqlite3.Connection, names: Names, meter_id: int) -> list[str]:
    """The registers that a meter told lately; some are told once a day, among many readings without."""
    shapes = connection.execute(_SHAPES, (meter_id, _LOOKED_AT_MAX)).fetchall()
    told = {name for (shape,) in shapes for name, _ in names.shape(connection, shape)[0]}
    told |= {name for (name,) in connection.execute(_SEALED_LATELY, (meter_id, meter_id, _LATELY_MS))}
    return sorted(name for name in told if known_kind(name) is Kind.REGISTER)


def _last_sealed(connection: sqlite3.Connection, meter_id: int, name: str) -> tuple[int, float] | None:
    row = connection.execute(_SEALED, (meter_id, name)).fetchone()
    if row is None:
        return None
    from wattbook.store.frames import ENDS_STRUCT  # numpy takes 17 MB: rarely is the last good reading sealed

    _, _, last_at, _, last, _, _ = ENDS_STRUCT.unpack(row[1])
    return last_at, last
