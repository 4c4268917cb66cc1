"""What the OpenAPI page says about every route: who may call it, and what the guard and the gate may answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api.gate import cookie_name
from wattbook.api.permits import PERMITS, Anyone, Special

_WORDS = {
    "400": "a request needs exactly one Host header",
    "401": "log in first, or send a token: Authorization: Bearer …",
    "403": '"anna" is a viewer; this needs "operate"; ask an admin',
    "404": 'nothing is at "/api/v1/meter"; did you mean "/api/v1/meters"?',
    "408": "the body did not arrive within 30 s",
    "409": "the order is right, and cannot be carried out now",
    "413": "the body is larger than 1000000 bytes; send it in parts",
    "415": 'content type "text/xml" is not known here; send application/json',
    "421": 'this is not "wattbook.example"; to use this name, add it in wattbook.toml',
    "429": "too many wrong passwords; try again in 8 s",
    "431": "more than 100 headers",
    "503": "the disk is full; readings are kept when there is space again",
}
_ALWAYS = ("400", "403", "421", "431", "503")
_WITH_BODY = ("408", "413")
_SCHEMES: Mapping[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token: wattbook token create NAME"},
    "session": {"type": "apiKey", "in": "cookie", "name": cookie_name({}), "description": "Of who has logged in."},
}
_ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}


def add_common(schema: dict[str, Any]) -> None:
    """Complete the description in place."""
    schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method.upper(), path)


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    need = PERMITS.get((method, path), Special.UNLISTED)
    public = need in (Anyone.PUBLIC, Anyone.SEED)
    operation["security"] = [] if public else [{name: []} for name in _SCHEMES]
    answers = operation["responses"]
    answers.pop("422", None)  # FastAPI's own; ours is 400
    statuses = [*_ALWAYS, *(_WITH_BODY if method != "GET" else ()), *(() if public else ("401",))]
    typed = ("415",) if "requestBody" in operation else ()
    for status in [*statuses, *typed, *(("404",) if "{" in path else ())]:
        answers.setdefault(status, _answer(_WORDS[status]))


def _answer(words: str) -> Mapping[str, Any]:
    content = {"application/json": {"schema": _ERROR, "example": {"error": words}}}
    return {"description": words, "content": content}
