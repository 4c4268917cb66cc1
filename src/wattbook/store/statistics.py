"""What the book tells about itself, for /metrics and the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BookStatistics:
    """A snapshot. Counts run since the book was opened."""

    commits: int = 0
    readings: int = 0  # new ones, durable
    events: int = 0
    same: int = 0  # delivered before, with equal values
    conflicts: int = 0  # delivered before, with other values
    dropped: int = 0  # measured while the book could not be written, and too many to keep in memory
    waiting: int = 0  # readings and events in memory, not yet durable
    last_commit_s: float = 0.0  # how long the last commit took
    gap_since: datetime | None = None  # the book cannot be written since then; None = all is well
    gap_reason: str = ""
