"""What the OpenAPI page says about the record of changes."""

from __future__ import annotations

from wattbook.api.describe import route
from wattbook.api.shapes import NUMBER_OR_NULL, OBJECT

BEFORE = "Only changes with a number under this one: the answer's `before` asks for the next page."
AUDIT = route(
    "Who changed what, the newest first",
    {
        "changes": [
            {
                "number": 8213,
                "at": "2026-11-21T01:12:03.000Z",
                "kind": "user.role",
                "subject": "ben",
                "who": "anna 192.168.1.7",
                "body": {"role": "operator"},
            }
        ],
        "before": None,
    },
    loose={"before": NUMBER_OR_NULL, "body": OBJECT},
)
