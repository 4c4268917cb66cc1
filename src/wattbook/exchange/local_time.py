"""Instants as local time, by columns: the offset is looked up once for each quarter of an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from wattbook.exchange.instants import Instants
from wattbook.model import Columns

_QUARTER_MS = 900_000  # clocks change at quarters of an hour; where one did not, the offset told is still the one used
_MINUTE_MS = 60_000


def instants_of(columns: Columns) -> Instants:
    """The instants of readings, in milliseconds."""
    return np.frombuffer(columns.at_ms, np.int64)


def offsets_ms(at_ms: Instants, zone: ZoneInfo) -> Instants:
    """What local time is ahead of UTC at each instant, in whole minutes."""
    quarters, place = np.unique(at_ms // _QUARTER_MS, return_inverse=True)
    found = [_offset_ms(int(quarter) * _QUARTER_MS, zone) for quarter in quarters]
    return np.array(found, np.int64)[place]


def _offset_ms(at_ms: int, zone: ZoneInfo) -> int:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    offset = at.astimezone(zone).utcoffset() or timedelta(0)
    return offset // timedelta(milliseconds=_MINUTE_MS) * _MINUTE_MS


def iso_texts(at_ms: Instants, zone: ZoneInfo) -> list[str]:
    """Each instant as 2026-11-21T02:02:03.000+01:00."""
    offsets = offsets_ms(at_ms, zone)
    signs = {offset: offset_text(offset) for offset in np.unique(offsets).tolist()}
    local = np.datetime_as_string((at_ms + offsets).view("datetime64[ms]"), unit="ms").tolist()
    return [text + signs[offset] for text, offset in zip(local, offsets.tolist(), strict=True)]


def offset_text(offset_ms: int) -> str:
    """+01:00."""
    minutes = abs(offset_ms) // _MINUTE_MS
    return f"{'-' if offset_ms < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def local_seconds(at_ms: Instants, zone: ZoneInfo) -> list[str]:
    """Each instant as local time to the second: 2026-11-21T02:02:03."""
    local = (at_ms + offsets_ms(at_ms, zone)) // 1000
    return [str(text) for text in np.datetime_as_string(local.view("datetime64[s]"), unit="s").tolist()]
