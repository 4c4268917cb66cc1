"""Make a backup when its time has come: the newest copy in the folder tells when the last one was made."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wattbook.codecs.reading_json import format_instant
from wattbook.config import BackupSettings, Config
from wattbook.model import BookError, Event, SystemClock
from wattbook.store import Book
from wattbook.store.backup import Backup, Progress, back_up, newest

_EVERY_S = 60.0
_AGAIN = timedelta(minutes=10)  # after one that failed: a disk that is mounted later

_log = logging.getLogger(__name__)


def is_due(settings: BackupSettings, last: datetime | None, now: datetime, zone: ZoneInfo) -> bool:
    """Whether a backup is to be made, the last one being of that instant."""
    if last is None:
        return True
    if settings.at is not None:
        local = now.astimezone(zone)
        today = local.replace(hour=settings.at.hour, minute=settings.at.minute, second=0, microsecond=0)
        scheduled = today if today <= local else today - timedelta(days=1)
        return last < scheduled
    return now - last >= timedelta(seconds=settings.every)


async def keep_backups(
    config: Config, book: Book, clock: SystemClock, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Look once a minute, until cancelled. A clock that was never set makes none: its name would lie."""
    settings = config.backup
    assert settings is not None
    not_before: datetime | None = None
    failing = ""
    while True:
        await sleep(_EVERY_S)
        now = clock.now()
        if not clock.settled or (not_before is not None and now < not_before):
            continue
        try:
            made = await _in_thread(config, settings, now)
        except BookError as error:
            not_before = now + _AGAIN
            if str(error) != failing:
                failing = str(error)
                _log.error("%s", error)
                book.append_event(Event("backup.failed", "", now, {"reason": str(error)}))
        else:
            not_before, failing = None, ""
            if made is None:
                continue
            _log.info("backup made: %s, %d bytes", made.path, made.size)
            body = {"file": made.path.name, "bytes": made.size, "readings": made.readings, "at": format_instant(now)}
            book.append_event(Event("backup.made", "", now, body))


async def _in_thread(config: Config, settings: BackupSettings, now: datetime) -> Backup | None:
    """Make a backup when one is due; None = none is. A daemon that stops does not wait for it. Raises BookError."""
    stopping = threading.Event()
    try:
        return await asyncio.to_thread(_make_due, config, settings, now, stopping)
    finally:
        stopping.set()


def _make_due(config: Config, settings: BackupSettings, now: datetime, stopping: threading.Event) -> Backup | None:
    if not is_due(settings, newest(settings.dir, config.book, now), now, config.site.timezone):
        return None

    def look(done: int, total: int) -> None:
        if stopping.is_set():
            raise BookError(f"{settings.dir}: no backup was made: wattbook is stopping", retry=True)

    return make_backup(config, settings, now, progress=look)


def make_backup(
    config: Config, settings: BackupSettings, now: datetime, *, progress: Progress = lambda done, total: None
) -> Backup:
    """One backup as the configuration asks for it. Raises BookError."""
    return back_up(
        config.book,
        settings.dir,
        now=now,
        keep=settings.keep,
        require_mount=settings.require_mount,
        config=config.path,
        people=config.people,
        progress=progress,
    )
