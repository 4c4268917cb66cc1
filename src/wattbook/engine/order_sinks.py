"""What somebody wants of a sink, as JSON, understood and carried out; and how sinks fare, as JSON.

{"do": "replay", "from": "2026-11-01", "who": "anna"}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from wattbook.codecs.reading_json import format_instant
from wattbook.engine.deliver import SinkStatus
from wattbook.engine.instants import parse_instant
from wattbook.engine.order_words import check_order
from wattbook.engine.run_sinks import RunningSink, paused_since, position_name
from wattbook.engine.sink_target import target_of
from wattbook.model import ConfigError
from wattbook.sinks import SinkSettings
from wattbook.store import BookReader

DEEDS = ("pause", "resume", "replay")
_KEYS = ("do", "from", "refused", "who")


async def carry_out(
    sink: RunningSink, given: Mapping[str, Any], *, who: str, zone: tzinfo, now: datetime
) -> Mapping[str, Any]:
    """Carry an order out and answer what came of it. Raises ConfigError with the nearest right word, or BookError."""
    _check(given)
    who = str(given.get("who", who))
    if given["do"] == "pause":
        await sink.pause(who=who)
    elif given["do"] == "resume":
        await sink.resume(who=who)
    elif given.get("refused"):
        return {"done": given["do"], "taken": await sink.replay_refused(who=who)}
    else:
        start = given.get("from")
        await sink.replay(parse_instant(str(start), zone=zone, now=now) if start else None, who=who)
    return {"done": given["do"]}


def _check(given: Mapping[str, Any]) -> None:
    check_order(given, _KEYS, DEEDS)
    if given["do"] != "replay" and ("from" in given or "refused" in given):
        raise ConfigError(f'"{given["do"]}" takes neither "from" nor "refused"')
    if not isinstance(given.get("refused", False), bool):
        raise ConfigError('"refused" is true or false')
    if not isinstance(given.get("from", ""), str):
        raise ConfigError('"from" is an instant as text: 2026-11-21T08:00, today or -24h')
    if given.get("refused") and "from" in given:
        raise ConfigError('choose "from" or "refused"')


def sink_json(
    settings: SinkSettings, reader: BookReader, status: SinkStatus | None, *, set_aside: int
) -> Mapping[str, Any]:
    """How a sink fares; without a status its daemon does not run. Reads the book."""
    paused = paused_since(reader, settings.name)
    position = None if status else reader.position(position_name(settings.name))
    after = status.after if status else position.after if position else ""
    told = status or SinkStatus("", reason="wattbook is not running")
    state = told.state if status else "stopped"
    return {
        "name": settings.name,
        "kind": settings.kind,
        "target": target_of(settings),
        "state": "paused" if paused else state,
        "reason": told.reason if state in ("away", "failed", "stopped") else "",
        "since": format_instant(since) if (since := paused or told.away_since) else None,
        "behind": reader.behind(after),
        "newest": format_instant(told.newest) if told.newest else None,
        "written": told.written,
        "rejected": told.rejected,
        "skipped": told.skipped,
        "retries": told.retries,
        "set_aside": set_aside,
    }
