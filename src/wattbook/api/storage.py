"""/api/v1/storage and its share of /metrics: how large the book is, how fast it grows, and its last backup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from wattbook.api.answers import instant_text
from wattbook.api.context import ApiContext
from wattbook.api.metrics import Family
from wattbook.model import BookError
from wattbook.store.backup import newest
from wattbook.store.storage import Storage, storage_of

_FRESH = timedelta(minutes=1)  # adding up years of frames takes some 50 ms


class StorageWatch:
    """Figures of the book's storage, looked up at most once a minute however often somebody asks."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._lock = Lock()
        self._found: tuple[datetime, Storage, datetime | None, str] | None = None

    def look(self) -> tuple[Storage, datetime | None, str]:
        """The figures, the instant of the newest backup, and why that is not known. Blocks. Raises BookError."""
        now = self._context.clock.now()
        with self._lock:
            if self._found is None or not timedelta(0) <= now - self._found[0] < _FRESH:
                last, problem = self._newest(now)
                self._found = now, storage_of(self._context.reader, now), last, problem
            return self._found[1:]

    def _newest(self, now: datetime) -> tuple[datetime | None, str]:
        """A disk of backups that is broken must not hide how the book and the meters fare."""
        if (settings := self._context.config.backup) is None:
            return None, ""
        try:
            return newest(settings.dir, self._context.reader.path, now), ""
        except BookError as error:
            return None, str(error)

    def to_json(self) -> Mapping[str, Any]:
        """The answer of the route."""
        told, last, problem = self.look()
        return told.to_json() | {
            "commit_every_s": self._context.config.site.commit_every,
            "last_backup": instant_text(last),
            "backup_problem": problem,
        }

    def families(self) -> Iterator[Family]:
        """The same for Prometheus."""
        told, last, problem = self.look()
        yield _gauge("storage_file_bytes", "The book and its log.", told.bytes_file, "bytes")
        yield _gauge("storage_free_bytes", "Free on the book's disk.", told.bytes_free, "bytes")
        yield _gauge("storage_sealed_readings", "Readings in sealed days.", told.readings_sealed)
        yield _gauge("storage_hot_readings", "Readings not yet sealed.", told.readings_hot)
        if told.bytes_a_day is not None:
            yield _gauge("storage_day_bytes", "What a day takes once it is sealed.", told.bytes_a_day, "bytes")
        if told.full_at is not None:
            at_s = told.full_at.timestamp()
            yield _gauge("storage_full_timestamp_seconds", "When the disk will be full.", at_s, "seconds")
        if self._context.config.backup:
            yield _gauge("backup_readable", "0 while the folder of the backups cannot be read.", int(not problem))
        if last is not None:
            yield _gauge("backup_timestamp_seconds", "When the newest backup was made.", last.timestamp(), "seconds")


def _gauge(name: str, help_text: str, value: float, unit: str = "") -> Family:
    return Family(f"wattbook_{name}", "gauge", help_text, [({}, value)], unit)
