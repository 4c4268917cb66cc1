"""What the OpenAPI page says about the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api.describe import route
from wattbook.api.shapes import NUMBER_OR_NULL, OBJECT, TEXT, Schema, one_of, order_of, shape_of

_NOT_RIGHT = "nothing was written, for it would not be right: limit: must be a number"
_BROKEN = "wattbook.toml:12: not TOML: Expected '=' after a key; the configuration before stays in force"
_KEY: Mapping[str, Any] = {
    "key": "lasting",
    "type": "duration",
    "default": "0s",
    "required": False,
    "help": "it is so for this long before it is said; silent: so long without a word",
    "min": 0,
    "max": 2678400,
}


_PROBLEMS: Schema = {"type": "array", "items": shape_of({"line": 12, "message": "…"}, {"line": NUMBER_OR_NULL})}
_FORMS: Schema = {"type": "object", "additionalProperties": {"type": "object", "required": ["keys"]}}


def _ordered(
    described: Mapping[str, Any], order: Mapping[str, Any], words: str, *needed: str, **keys: Schema
) -> Mapping[str, Any]:
    return {**described, "description": words, "openapi_extra": order_of(order, *needed, **keys)}


CONFIGURATION = route(
    "What wattbook.toml says, and whether it is in force",
    {
        "file": "wattbook.toml",
        "state": "in force",
        "since": "2026-11-21T01:02:03.000Z",
        "problems": [],
        "tables": {
            "site": {"name": "House", "timezone": "Europe/Prague"},
            "supply": {},
            "backup": None,
            "alert": [{"name": "over 5 kW", "kind": "above", "quantity": "active_power", "limit": 5000}],
            "notify": [{"name": "anna", "url": {"secret": True}}],
            "sink": [],
            "meter": [{"name": "main-a", "line": "rs485", "model": "pzem-016", "address": 4}],
            "line": [{"name": "rs485", "port": "/dev/ttyUSB0"}],
        },
    },
    loose={"state": one_of("in force", "changed", "broken"), "problems": _PROBLEMS, "tables": OBJECT},
)
FORMS = route(
    "What a form for each table asks for",
    {
        "site": {"keys": []},
        "supply": {"keys": []},
        "backup": {"keys": []},
        "alert": {"keys": [], "kinds": {"above": [_KEY]}},
        "notify": {"keys": []},
        "sink": {"keys": [], "kinds": {}, "missing": {}},
        "meter": {"keys": [], "virtual": []},
        "line": {"keys": []},
    },
    schema=_FORMS,
)
CHANGE = _ordered(
    route(
        "Add, change or remove a table of wattbook.toml, and use it at once",
        {"written": '[[alert]]\nname = "over 5 kW"\nkind = "above"\n…', "applied": True},
        _400=_NOT_RIGHT,
        _409="the file is broken; mend that first, for a change would hide it",
    ),
    {"do": "change", "table": "alert", "name": "over 5 kW", "keys": {"limit": 6000, "lasting": None}},
    "A key that is null is taken away; one that is not given stays, secrets too. Comments in the file stay. A refusal "
    "says in `fields` what is wrong with which key, and nothing is written.",
    "do",
    "table",
    do=one_of("add", "change", "remove"),
    table=TEXT,
    name=TEXT,
    keys=OBJECT,
)
APPLY = _ordered(
    route("Read wattbook.toml again and use it", {"applied": True}, _409=_BROKEN),
    {},
    "What SIGHUP and `wattbook reload` do. While the file is wrong the configuration before stays in force.",
)
