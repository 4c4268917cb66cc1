"""What somebody wants of a rule or of a target, as JSON, understood and carried out.

{"do": "mute", "for": "2h", "who": "anna"}
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from wattbook.codecs.reading_json import format_instant
from wattbook.config import AlertSettings, parse_duration
from wattbook.engine.alerts import Alerts
from wattbook.engine.watch import MUTED, TESTED, UNMUTED
from wattbook.model import ConfigError, Event
from wattbook.model.nearest import did_you_mean

DEEDS = ("test", "mute", "unmute")
_KEYS = ("do", "for", "who")
_KINDS = {"test": TESTED, "mute": MUTED, "unmute": UNMUTED}


async def order_alert(alerts: Alerts, rule: AlertSettings, given: Mapping[str, Any], *, who: str) -> Mapping[str, Any]:
    """Test, mute or unmute a rule; what is done is an event, whose number is answered. Raises ConfigError."""
    check_order(given, DEEDS)
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
    check_order(given, ("test",))
    await alerts.carriers[name].test(str(given.get("who", who)))
    return {"done": "test"}


def check_order(given: Mapping[str, Any], deeds: Sequence[str]) -> None:
    """Raise ConfigError with the nearest right word."""
    for key in given:
        if key not in _KEYS:
            raise ConfigError(f'nothing is called "{key}" in an order{did_you_mean(key, _KEYS)}')
    if given.get("do") not in deeds:
        raise ConfigError(f'"do" is one of {", ".join(deeds)}{did_you_mean(str(given.get("do")), deeds)}')
