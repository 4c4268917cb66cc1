"""How large the book is, how fast it grows, and when its disk will be full."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from wattbook.codecs.reading_json import format_instant
from wattbook.model.batch import to_ms
from wattbook.store.files import beside
from wattbook.store.reader import BookReader

_LOOKED_AT = timedelta(days=8)  # whole days that are sealed by now: a week
_DAY_MS = 86_400_000
_OVERHEAD = 1.15  # pages, indexes and rows around what is counted: measured on a month of three meters
_FOREVER = timedelta(days=365 * 100)


@dataclass(frozen=True, slots=True)
class Storage:
    """Figures of one book and its disk."""

    bytes_file: int  # the book and its log
    bytes_unused: int  # pages that are free within
    bytes_a_day: int | None  # what a day of the last week takes once it is sealed; None = no day is sealed yet
    bytes_free: int  # on the disk
    readings_hot: int
    readings_sealed: int
    full_at: datetime | None  # when the disk will be full at this rate; None = not in 100 years, or not known

    def to_json(self) -> dict[str, Any]:
        """The figures as programs read them."""
        return asdict(self) | {"full_at": self.full_at and format_instant(self.full_at)}


def storage_of(reader: BookReader, now: datetime) -> Storage:
    """Look at a book. Raises BookError."""
    path = reader.path
    files = [beside(path, suffix) for suffix in ("", "-wal")]
    with reader.snapshot() as connection:
        (hot,) = connection.execute("SELECT count(*) FROM hot").fetchone()
        (sealed,) = connection.execute("SELECT coalesce(sum(n), 0) FROM frame").fetchone()
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        begins, ends, size = connection.execute(
            "SELECT min(from_at), max(to_at), sum(100 + length(at) + length(seq) + ("  # and what a row costs itself
            " SELECT coalesce(sum(150 + length(data) + coalesce(length(grid), 0) + coalesce(length(present), 0)), 0)"
            " FROM piece WHERE piece.frame = frame.id))"
            " FROM frame WHERE from_at >= ? AND to_at - from_at > 3600000",
            (to_ms(now - _LOOKED_AT),),
        ).fetchone()
    a_day = None if size is None else max(1, int(size * _OVERHEAD * _DAY_MS / max(ends - begins, _DAY_MS)))
    free = shutil.disk_usage(path.parent).free
    left = _FOREVER if a_day is None else min(_FOREVER, timedelta(days=free / a_day))
    return Storage(
        bytes_file=sum(file.stat().st_size for file in files if file.exists()),
        bytes_unused=unused * page,
        bytes_a_day=a_day,
        bytes_free=free,
        readings_hot=hot,
        readings_sealed=sealed,
        full_at=now + left if left < _FOREVER else None,
    )
