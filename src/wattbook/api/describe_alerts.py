"""What the OpenAPI page says about alerts and messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api.describe import route
from wattbook.api.shapes import NUMBER_OR_NULL, OBJECT, TEXT, TEXT_OR_NULL, TEXTS, WHO, one_of, order_of

BEFORE = "Only events with a number under this one: the answer's `before` asks for the next page."
OF_RULE = "Only of the rule with this name, be it still there or not."
_NO_ALERT = 'no alert is called "over 5 kw"; did you mean "over 5 kW"?'
_STATE: Mapping[str, Any] = {
    "about": "main-a",
    "quantity": "active_power",
    "unit": "W",
    "state": "raised",
    "since": "2026-11-21T01:02:03.000Z",
    "value": 5210.0,
    "worst": 5400.0,
    "text": "main-a: Active power 5.21 kW, above 5 kW for 10 min",
}
_OF_STATE = {"since": TEXT_OR_NULL, "value": NUMBER_OR_NULL, "worst": NUMBER_OR_NULL}
ALERTS = route(
    "What is watched and how it stands, and who is told",
    {
        "rules": [
            {
                "name": "over 5 kW",
                "kind": "above",
                "severity": "warning",
                "meters": ["main-a"],
                "settings": {"quantity": "active_power", "limit": 5000.0, "lasting": 600.0},
                "watches": {"quantity": "active_power", "limit": 5000.0, "lasting": 600.0, "hysteresis": 0.0},
                "state": "raised",
                "since": "2026-11-21T01:02:03.000Z",
                "value": 5210.0,
                "muted": False,
                "muted_until": None,
                "about": [_STATE],
            }
        ],
        "targets": [
            {
                "name": "anna",
                "service": "mailtos",
                "alerts": [],
                "severity": "info",
                "quiet": "22:00-07:00",
                "remind_s": 3600.0,
                "recovery": True,
                "state": "waiting",
                "reason": "",
                "held": 0,
                "sent_at": "2026-11-21T01:12:04.000Z",
            }
        ],
    },
    loose={
        **_OF_STATE,
        "settings": OBJECT,
        "muted_until": TEXT_OR_NULL,
        "alerts": TEXTS,
        "quiet": TEXT_OR_NULL,
        "remind_s": NUMBER_OR_NULL,
        "sent_at": TEXT_OR_NULL,
    },
)
HISTORY = route(
    "What was raised, recovered, reminded, muted and tested, the newest first, and to whom it was sent",
    {
        "events": [
            {
                "number": 8213,
                "at": "2026-11-21T01:12:03.000Z",
                "event": "raised",
                "rule": "over 5 kW",
                "who": "wattbook",
                "kind": "above",
                "severity": "warning",
                "about": "main-a",
                "quantity": "active_power",
                "value": 5210.0,
                "worst": 5400.0,
                "text": "main-a: Active power 5.21 kW, above 5 kW for 10 min",
                "since": "2026-11-21T01:02:03.000Z",
                "lasted_s": None,
                "until": None,
                "sent": ["anna"],
            }
        ],
        "before": None,
    },
    loose={
        **_OF_STATE,
        **dict.fromkeys(("kind", "severity", "about", "quantity", "text", "until"), TEXT_OR_NULL),
        "lasted_s": NUMBER_OR_NULL,
        "before": NUMBER_OR_NULL,
        "sent": TEXTS,
    },
    _400='"limit": Input should be less than or equal to 1000',
)


CHANGE_ALERT: Mapping[str, Any] = {
    **route(
        "Test, mute or unmute a rule",
        {"done": "mute", "number": 8214},
        _400='"do" is one of test, mute, unmute',
        _404=_NO_ALERT,
        _413="an order has at most 100000 bytes",
    ),
    "description": (
        "`do` is test, mute or unmute. A test sends a message to everybody whom the rule tells, also in quiet hours. A "
        "muted rule (`for` so long, else until it is unmuted) is decided on, but nobody is told."
    ),
    "openapi_extra": order_of(
        {"do": "mute", "for": "2h"},
        "do",
        do=one_of("test", "mute", "unmute"),
        who=WHO,
        **{"for": TEXT},
    ),
}
TEST_TARGET: Mapping[str, Any] = {
    **route(
        "Send somebody a message now",
        {"done": "test"},
        _400="anna: apprise does not understand the address; see its list of services",
        _404='nobody who is told is called "ana"; did you mean "anna"?',
        _413="an order has at most 100000 bytes",
        _503="anna: mail.example.org did not take the mail: Connection refused",
    ),
    "openapi_extra": order_of({"do": "test"}, "do", do=one_of("test"), who=WHO),
}
