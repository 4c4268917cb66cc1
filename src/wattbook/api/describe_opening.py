"""What the OpenAPI page says about what the page shows first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api import describe
from wattbook.api.describe import route
from wattbook.api.describe_people import ME
from wattbook.api.shapes import OBJECT_OR_NULL

ABOUT = route(
    "Which wattbook this is and where its book lies",
    {
        "version": "0.1.0",
        "site": "House",
        "timezone": "Europe/Prague",
        "book": "/var/lib/wattbook/wattbook.db",
        "commit_every_s": 1.0,
        "started": "2026-11-20T08:00:00.000Z",
        "gap": {"since": "2026-11-21T01:00:00.000Z", "reason": "the disk is full"},
        "configuration": {"state": "in force", "problem": ""},
        "currency": "CZK",
    },
    loose={"gap": OBJECT_OR_NULL},
)
_PARTS: Mapping[str, Mapping[str, Any]] = {  # each as another address answers it
    "about": ABOUT,
    "me": ME,
    "meters": describe.METERS,
    "virtual": describe.VIRTUAL_METERS,
    "supply": describe.SUPPLY,
    "quantities": describe.QUANTITIES,
    "readings": describe.LATEST,
}
_TOLD = {name: part["responses"][200]["content"]["application/json"] for name, part in _PARTS.items()}
_PAST = {
    "meter": "main-a",
    "quantity": "active_power",
    "unit": "W",
    "every": None,
    "columns": {"steps_ms": [1795222923000, 5000], "value": [812.5, 813], "quality": "good"},
}
OPENING = route(
    "Everything that the page shows first, in one answer: the parts as their own addresses tell them, and each "
    "meter's power over the last hour",
    {name: told["example"] for name, told in _TOLD.items()} | {"past": [_PAST]},
    schema={
        "type": "object",
        "required": [*_TOLD, "past"],
        "properties": {name: told["schema"] for name, told in _TOLD.items()}
        | {"past": {"type": "array", "items": {"type": "object", "required": list(_PAST)}}},
    },
)
