"""Readings of sealed time found by their identity: one that comes again is told from one that is new."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wattbook.model import BookError

if TYPE_CHECKING:
    from wattbook.store.sealed import Head
    from wattbook.store.table import Table


@dataclass(frozen=True, slots=True)
class Known:
    """A reading that the book has."""

    seq: int
    values: Mapping[str, float]
    forgotten: Set[str] = frozenset()  # quantities whose values are not kept any more: they may have been any

    def is_same(self, values: Mapping[str, float]) -> bool:
        """Whether a reading of its identity tells what this one tells."""
        return self.values == {name: value for name, value in values.items() if name not in self.forgotten}


class SealedReadings:
    """Readings of sealed time by identity; the frame looked at last stays open, as late readings come in runs."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._head: Head | None = None
        self._rows: Mapping[int, int] = {}  # instant -> row
        self._table: Table | None = None
        self._forgotten: Set[str] = frozenset()  # of that frame

    def reading(self, meter_id: int, at_ms: int) -> Known | None:
        """The reading that has this identity."""
        covered = self._connection.execute(
            "SELECT to_at FROM frame WHERE meter = ? AND from_at <= ? ORDER BY from_at DESC LIMIT 1", (meter_id, at_ms)
        ).fetchone()
        if covered is None or covered[0] <= at_ms:
            return None
        try:
            table = self._open(meter_id, at_ms)
        except BookError:  # a damaged frame tells nothing: what comes now is kept beside it, and verify tells of it
            return None
        row = self._rows.get(at_ms)
        if row is None:
            return None
        columns = {name: column.take(slice(row, row + 1)) for name, column in table.columns.items()}
        values = {name: float(column.values()[0]) for name, column in columns.items() if column.here()}
        return Known(int(table.seq[row]), values, self._forgotten)

    def _open(self, meter_id: int, at_ms: int) -> Table:
        from wattbook.store.sealed import forgotten_in, head_at, open_table

        head = head_at(self._connection, meter_id, at_ms)
        assert head is not None
        if head != self._head or self._table is None:
            self._table = open_table(self._connection, head)
            self._rows = {instant: row for row, instant in enumerate(self._table.at_ms.tolist())}
            self._forgotten = forgotten_in(self._connection, head)
            self._head = head
        return self._table
