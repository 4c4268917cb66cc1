"""Make a backup when its time has come: the newest copy in the folder tells when the last one was made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wattbook.codecs.reading_json import format_instant
from wattbook.config import BackupSettings, Config
from wattbook.model import BookError, Event, SystemClock
from wattbook.store import Book
from wattbook.store.backup import Backup, back_up, backups

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
        last = max((instant for instant, _ in backups(settings.dir)), default=None)
        if not is_due(settings, last, now, config.site.timezone):
            continue
        try:
            made = await asyncio.to_thread(make_backup, config, settings, now)
        except BookError as error:
            not_before = now + _AGAIN
            if str(error) != failing:
                failing = str(error)
                _log.error("%s", error)
                book.append_event(Event("backup.failed", "", now, {"reason": str(error)}))
        else:
            not_before, failing = None, ""
            _log.info("backup made: %s, %d bytes", made.path, made.size)
            body = {"file": made.path.name, "bytes": made.size, "readings": made.readings, "at": format_instant(now)}
            book.append_event(Event("backup.made", "", now, body))


def make_backup(config: Config, settings: BackupSettings, now: datetime) -> Backup:
    """One backup as the configuration asks for it. Raises BookError."""
    return back_up(
        config.book,
        settings.dir,
        now=now,
        keep=settings.keep,
        require_mount=settings.require_mount,
        config=config.path,
    )
