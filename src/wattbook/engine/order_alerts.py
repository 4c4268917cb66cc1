"""What somebody wants of a rule or of a target, as JSON, understood and carried out.

{"do": "mute", "for": "2h", "who": "anna"}
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from wattbook.codecs.reading_json import format_instant
from wattbook.config import AlertSettings, parse_duration
from wattbook.engine.alerts import Alerts
from wattbook.engine.order_words import check_order
from wattbook.engine.watch import MUTED, TESTED, UNMUTED
from wattbook.model import ConfigError, Event

DEEDS = ("test", "mute", "unmute")
_KEYS = ("do", "for", "who")
_KINDS = {"test": TESTED, "mute": MUTED, "unmute": UNMUTED}


async def order_alert(alerts: Alerts, rule: AlertSettings, given: Mapping[str, Any], *, who: str) -> Mapping[str, Any]:
    """Test, mute or unmute a rule; what is done is an event, whose number is answered. Raises ConfigError."""
    check_order(given, _KEYS, DEEDS)
    now = alerts.clock.now()
    body: dict[str, str] = {"severity": rule.severity}
    if "for" in given:
        if given["do"] != "mute":
            raise ConfigError(f'"{given["do"]}" takes no "for"')
        try:
            until = now + timedelta(seconds=parse_duration(given["for"]))
        except (ValueError, OverflowError) as error:
            raise ConfigError(f'"for": {error}') from error
        body["until"] = format_instant(until)
    event = Event(_KINDS[given["do"]], rule.name, now, body, str(given.get("who", who)))
    number = await asyncio.wrap_future(alerts.book.append_event(event))
    return {"done": given["do"], "number": number}


async def order_target(alerts: Alerts, name: str, given: Mapping[str, Any], *, who: str) -> Mapping[str, Any]:
    """Send a target a message now. Raises NotSent or ConfigError when it does not go out."""
    check_order(given, _KEYS, ("test",))
    await alerts.carriers[name].test(str(given.get("who", who)))
    return {"done": "test"}
