"""Instants and steps as people write them: ISO 8601, today, yesterday, now, -24h; 15min, 1h, 1d, 1w, 1mo, 1y."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from wattbook.model import ConfigError
from wattbook.model.era import ERA, ERA_SAID

_AGO = re.compile(r"-(\d{1,6})(min|s|h|d|w)")
_LENGTHS = {
    "s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1),
    "d": timedelta(days=1), "w": timedelta(weeks=1),
}  # fmt: skip


def parse_instant(text: str, *, zone: tzinfo, now: datetime) -> datetime:
    """Return the aware UTC instant; a text without an offset is local time of `zone`. Raises ConfigError."""
    text = text.strip()
    if text == "now":
        return now
    if text in ("today", "yesterday"):
        day = now.astimezone(zone).date() - timedelta(days=text == "yesterday")
        return datetime.combine(day, time(), zone).astimezone(UTC)
    try:
        ago = _AGO.fullmatch(text)
        if ago:
            return _known(now - int(ago[1]) * _LENGTHS[ago[2]])
        at = datetime.fromisoformat(text.replace(" ", "T", 1))
        return _known((at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f'"{text}" is no instant; write 2026-11-21, 2026-11-21T08:00, today, yesterday, now or -24h'
        ) from error


def _known(at: datetime) -> datetime:
    """The instant, if calendars around it are safe to calculate with. Raises ValueError."""
    if at not in ERA:
        raise ValueError(f"years {ERA_SAID} only")
    return at
