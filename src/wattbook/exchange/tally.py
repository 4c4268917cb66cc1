"""What became of the rows of an import: how many were taken, which were not and why, and what nobody asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

LISTED_MAX = 100  # bad rows told one by one; all are counted
LEFT_OUT_MAX = 200  # columns and series told by name
NOTES_MAX = 20
_REASON_MAX = 300  # characters of one reason: a cell of a foreign file stands in it


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no reading."""

    file: str
    line: int  # counted from 1, the first line of the file; 0 = not a line: the whole file, or a binary format
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.reason}"


@dataclass(slots=True)
class Tally:
    """Counts of one pass over the files. `file` is the one being read."""

    file: str = ""
    readings: int = 0
    rejected: int = 0
    listed: list[BadRow] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # columns and series that are mapped to nothing -> rows
    notes: list[str] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Count a bad row, and list it while there is room."""
        self.rejected += 1
        if len(self.listed) < LISTED_MAX:
            self.listed.append(BadRow(self.file, line, reason[:_REASON_MAX]))

    def leave_out(self, name: str, rows: int = 1) -> None:
        """Count rows of a column or series that is mapped to nothing."""
        if name in self.left_out or len(self.left_out) < LEFT_OUT_MAX:
            self.left_out[name] += rows

    def note(self, words: str) -> None:
        """Say once what somebody should know about how the file was understood."""
        if words not in self.notes and len(self.notes) < NOTES_MAX:
            self.notes.append(words)
