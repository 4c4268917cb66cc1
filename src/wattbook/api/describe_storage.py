"""What the OpenAPI page says about what sinks refused, and about backups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api import shapes
from wattbook.api.describe import route
from wattbook.api.shapes import one_of, order_of

BEFORE = "Only events with a number under this one: the answer's `before` asks for the next page."
REFUSED = route(
    "What a sink refused for ever and was not tried again, the newest first",
    {
        "events": [
            {
                "number": 8213,
                "at": "2026-11-21T01:12:03.000Z",
                "readings": [
                    {"meter": "main-a", "site": "", "at": "2026-11-21T01:12:00.000Z", "reason": "value out of range"}
                ],
            }
        ],
        "before": None,
    },
    loose={"before": shapes.NUMBER_OR_NULL},
)
BACKUPS: Mapping[str, Any] = {
    **route(
        "The copies of the book, the newest first, and whether one is being made",
        {
            "dir": "backups",
            "every_s": 86400.0,
            "at": "03:00",
            "keep": 7,
            "backups": [
                {
                    "file": "wattbook-20261121T020000Z.db",
                    "at": "2026-11-21T02:00:00.000Z",
                    "bytes": 4618240,
                    "own": True,
                }
            ],
            "problem": "",
            "overdue": False,
            "running": None,
            "failed": "",
        },
        loose={
            "dir": shapes.TEXT_OR_NULL,
            "every_s": shapes.NUMBER_OR_NULL,
            "at": shapes.TEXT_OR_NULL,
            "keep": shapes.NUMBER_OR_NULL,
            "running": shapes.OBJECT_OR_NULL,
        },
    ),
    "description": (
        "`dir` is null where no [backup] is set up. A copy is named only after it was read back. `own`: false for one "
        "of another book, or of this one before it was restored. `problem` says why the folder cannot be read. "
        "`overdue`: the newest copy of this book is older than it should be, or there is none. `running`: "
        '`{"since", "done"}`, `done` from 0 to 1. `failed`: why the last one that was asked for here was not made.'
    ),
}
MAKE_BACKUP: Mapping[str, Any] = {
    **route("Make a backup now", {"started": True}),
    "description": "It is made beside everything else; the list tells how far it is. 409 while one is being made.",
    "openapi_extra": order_of({"do": "make"}, "do", do=one_of("make")),
}
