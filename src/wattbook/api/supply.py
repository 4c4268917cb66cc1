"""/api/v1/supply: which source feeds the house now, since when, and when it was last dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api.answers import instant_text
from wattbook.api.context import ApiContext
from wattbook.engine.status import SupplyNow
from wattbook.model import Reading

SOURCES = ("utility", "generator")


def supply_json(context: ApiContext, now: SupplyNow) -> Mapping[str, Any]:
    """The state; null where no meter has `source = "utility"`, so that nobody can know."""
    at = context.clock.now()
    return {
        "state": now.state or None,
        "since": instant_text(now.since),
        "for_s": None if now.since is None else max(0.0, round((at - now.since).total_seconds(), 2)),
        "generator_current": context.config.supply.generator_current,
        "dark": now.dark
        and {"from": instant_text(now.dark.start), "to": instant_text(now.dark.end), "reason": now.dark.reason},
        "last_at": _last_at(context, context.live.latest()),
    }


def _last_at(context: ApiContext, readings: list[Reading]) -> Mapping[str, str | None]:
    """When a meter of each source last told anything."""
    found: dict[str, str | None] = {}
    for source in SOURCES:
        meters = {meter.name for meter in context.config.meters if meter.source == source}
        if meters:
            instants = [each.at for each in readings if each.meter in meters and not each.site]
            found[source] = instant_text(max(instants, default=None))
    return found
