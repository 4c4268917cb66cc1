"""What the OpenAPI page says about the routes of people and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api.describe import route
from wattbook.model.principal import Role, Scope

_ARRAY: Mapping[str, Any] = {"type": "array", "items": {"type": "object"}}
_ME = {
    "name": "anna",
    "kind": "user",
    "role": "operator",
    "scopes": ["metrics", "operate", "push", "read"],
    "password_set": True,
    "may_set_password": False,
    "encrypted": True,
}
_CHANGE = "From a page it needs the header `x-wattbook: 1`. "
_SLOW = "too many wrong passwords; try again in 8 s"


def _order(summary: str, example: Any, order: Mapping[str, Any], text: str, **errors: str) -> Mapping[str, Any]:
    """The arguments of a route that takes an order."""
    body = {"schema": {"type": "object"}, "example": order}
    return {
        **route(summary, example, schema=None, **errors),
        "description": text,
        "openapi_extra": {"requestBody": {"required": True, "content": {"application/json": body}}},
    }


ME = route("Who you are, and whether anybody has a password yet", _ME)
CHANGE_ME = _order(
    "Change your own password",
    {"done": "passwd"},
    {"do": "passwd", "old": "the one until now", "password": "a better long one"},
    _CHANGE + "It ends your sessions, this one too.",
    _400="a password has 10 to 200 characters",
    _403="the old password is wrong",
    _429=_SLOW,
)
LOGIN = _order(
    "Log in",
    _ME,
    {"name": "anna", "password": "correct horse battery"},
    "Sets the session's cookie. It needs the header `x-wattbook: 1`.",
    _400='"password" is missing, or no text',
    _401="the name or the password is wrong",
    _429=_SLOW,
)
LOGOUT = {**route("Log out", {"done": "logout"}), "description": _CHANGE}
USERS = route(
    "Who can log in",
    [{"name": "anna", "role": "operator", "since": "2026-11-21T01:02:03.000Z"}],
    schema=_ARRAY,
)
CHANGE_USERS = _order(
    "Add or remove a user, or change password or role",
    {"done": "add"},
    {"do": "add", "name": "anna", "password": "correct horse battery", "role": "operator"},
    f"{_CHANGE}`do` is add, passwd, role or remove; a role is {', '.join(Role)}. While there is nobody, a client on "
    "this machine may add the first admin: that sets the password.",
    _400='there is a user "anna" already',
)
TOKENS = route(
    "The tokens of programs, without their secrets",
    [{"name": "grafana", "scopes": ["read"], "since": "2026-11-21T01:02:03.000Z", "until": None, "by": "anna"}],
    schema=_ARRAY,
)
CHANGE_TOKENS = _order(
    "Make a token, which is shown this once, or revoke one",
    {"token": "wattbook_k3J…"},
    {"do": "create", "name": "grafana", "scopes": ["read"], "days": 365},
    f"{_CHANGE}`do` is create or revoke; scopes are {', '.join(Scope)}; without `days` it lasts until it is revoked.",
    _400='there is a token "grafana" already; revoke it, or choose another name',
)
