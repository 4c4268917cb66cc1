"""JSON schemas of what routes take and answer, made from their examples, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wattbook.api.orders import WHO_MAX

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
OBJECT: Schema = {"type": "object"}
OBJECT_OR_NULL: Schema = {"type": ["object", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
NUMBERS_BY_NAME: Schema = {"type": "object", "additionalProperties": NUMBER}
TEXT_OR_0: Schema = {"type": ["string", "integer"]}  # of a replaced system, which has 0 before its first reading
WHO: Schema = {"type": "string", "maxLength": WHO_MAX, "description": "Who orders; only commands may say it."}
EVENT: Schema = {  # of a stream, one
    "type": "object",
    "properties": {"event": {"enum": ["message", "status", "supply", "alerts"]}, "id": TEXT, "data": TEXT},
}


def shape_of(example: object, loose: Mapping[str, Schema], sometimes: Collection[str] = ()) -> Schema:
    """The schema of answers like this one: every key there, every value of its kind.

    `loose` has the schemas of those keys whose values are not always like the example's: null, or keys by name.
    Keys that are there `sometimes` are not promised.
    """
    match example:
        case Mapping():
            keys = {key: loose.get(key) or shape_of(value, loose, sometimes) for key, value in example.items()}
            return {"type": "object", "required": [key for key in keys if key not in sometimes], "properties": keys}
        case list():
            return {"type": "array", "items": shape_of(example[0], loose, sometimes)} if example else {"type": "array"}
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return NUMBER
        case str():
            return TEXT
        case _:
            return {}


def order_of(example: Mapping[str, Any], *required: str, **keys: Schema) -> Mapping[str, Any]:
    """`openapi_extra` of a route that takes an order: these keys and no others."""
    schema = {"type": "object", "required": list(required), "properties": keys, "additionalProperties": False}
    body = {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    return {"requestBody": body}


def one_of(*words: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(words)}
