"""The copies of the book as people look at them, and one more when somebody asks for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from wattbook.codecs.reading_json import format_instant
from wattbook.config import Config
from wattbook.engine.back_up import is_due, make_backup
from wattbook.model import BookError, Clock, ConfigError, Event
from wattbook.store.backup import Backup, backups, lineage_of

SHOWN_MAX = 100  # copies that are looked at, the newest first: each is opened
_LATE = timedelta(hours=1)  # one that is due is made within a minute, and tried again after ten

_log = logging.getLogger(__name__)


class Busy(BookError):
    """A backup is being made already."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy in the folder. `own`: of this very book."""

    at: datetime
    path: Path
    size: int  # bytes
    own: bool


@dataclass(frozen=True, slots=True)
class Copies:
    """What is in the folder, the newest first, or the problem in words."""

    copies: tuple[Copy, ...] = ()
    problem: str = ""
    overdue: bool = False


def look_at(config: Config, now: datetime) -> Copies:
    """Look into the folder of the backups. Blocks on its disk."""
    settings = config.backup
    if settings is None:
        return Copies(overdue=True)
    lineage = lineage_of(config.book)
    try:
        found = backups(settings.dir)[-SHOWN_MAX:]
        copies = tuple(Copy(at, path, path.stat().st_size, lineage_of(path) == lineage) for at, path in found[::-1])
    except BookError as error:
        return Copies(problem=str(error), overdue=True)
    except OSError as error:
        words = f"{settings.dir}: {error.strerror}; look at the disk of the backups"
        return Copies(problem=words, overdue=True)
    last = next((copy.at for copy in copies if copy.own and copy.at <= now), None)
    return Copies(copies, overdue=last is None or is_due(settings, last, now - _LATE, config.site.timezone))


class BackupNow:
    """One backup at a time, made beside everything else."""

    def __init__(self, config: Config, clock: Clock, note: Callable[[Event], object]) -> None:
        self._config = config
        self._clock = clock
        self._note = note
        self._work: asyncio.Task[None] | None = None  # held: a task that nobody holds may vanish
        self.since: datetime | None = None
        self.done = 0.0  # of 1
        self.failed = ""  # why the last one was not made

    def begin(self, actor: str) -> None:
        """Begin; raises Busy while one is made, ConfigError where none is set up."""
        if self._config.backup is None:
            raise ConfigError("no backup is set up; say [backup] dir first", place=self._config.path.name)
        if self.since is not None:
            raise Busy(f"a backup is being made since {format_instant(self.since)}; wait for it", retry=True)
        self.since, self.done, self.failed = self._clock.now(), 0.0, ""
        self._work = asyncio.create_task(self._make(self.since, actor), name="backup now")

    async def _make(self, now: datetime, actor: str) -> None:
        stopping = threading.Event()
        try:
            made = await asyncio.to_thread(self._copy, now, stopping)
        except BookError as error:
            self.failed = str(error)
            _log.error("%s", error)
            self._note(Event("backup.failed", "", now, {"reason": str(error)}, actor))
        else:
            _log.info("backup made: %s, %d bytes", made.path, made.size)
            body = {"file": made.path.name, "bytes": made.size, "readings": made.readings, "at": format_instant(now)}
            self._note(Event("backup.made", "", now, body, actor))
        finally:
            stopping.set()
            self.since = None

    def _copy(self, now: datetime, stopping: threading.Event) -> Backup:
        settings = self._config.backup
        assert settings is not None

        def look(done: int, total: int) -> None:
            self.done = round(done / max(total, 1), 3)
            if stopping.is_set():
                raise BookError(f"{settings.dir}: no backup was made: wattbook is stopping", retry=True)

        return make_backup(self._config, settings, now, progress=look)
