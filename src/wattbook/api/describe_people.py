"""What the OpenAPI page says about the routes of people and tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wattbook.access.changes import DAYS_MAX
from wattbook.api.describe import route
from wattbook.api.shapes import TEXT, TEXT_OR_NULL, WHO, Schema, one_of, order_of
from wattbook.model.principal import Role, Scope

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


def _order(
    summary: str,
    example: Any,
    order: Mapping[str, Any],
    text: str,
    takes: Mapping[str, Schema],
    sometimes: Collection[str] = (),
    **errors: str,
) -> Mapping[str, Any]:
    """The arguments of a route that takes an order; what is needed with each deed, the text says."""
    needed = ("do",) if "do" in takes else tuple(takes)
    return {
        **route(summary, example, schema=None, loose={"role": TEXT_OR_NULL}, sometimes=sometimes, **errors),
        "description": text,
        "openapi_extra": order_of(order, *needed, **takes),
    }


ME = route("Who you are, and whether anybody has a password yet", _ME, loose={"role": TEXT_OR_NULL})
CHANGE_ME = _order(
    "Change your own password",
    {"done": "passwd"},
    {"do": "passwd", "old": "the one until now", "password": "a better long one"},
    _CHANGE + "It ends your sessions, this one too.",
    {"do": one_of("passwd"), "old": TEXT, "password": TEXT},
    _400="a password has 10 to 200 characters",
    _403="the old password is wrong",
    _429=_SLOW,
)
LOGIN = _order(
    "Log in",
    _ME,
    {"name": "anna", "password": "correct horse battery"},
    "Sets the session's cookie. It needs the header `x-wattbook: 1`.",
    {"name": TEXT, "password": TEXT},
    _400='"password" is missing, or no text',
    _401="the name or the password is wrong",
    _429=_SLOW,
)
LOGOUT = {**route("Log out", {"done": "logout"}), "description": _CHANGE}
USERS = route(
    "Who can log in",
    [{"name": "anna", "role": "operator", "since": "2026-11-21T01:02:03.000Z"}],
)
CHANGE_USERS = _order(
    "Add or remove a user, or change password or role",
    {"done": "add"},
    {"do": "add", "name": "anna", "password": "correct horse battery", "role": "operator"},
    f"{_CHANGE}`do` is add, passwd, role or remove; a role is {', '.join(Role)}. While there is nobody, a client on "
    "this machine may add the first admin: that sets the password.",
    {
        "do": one_of("add", "passwd", "role", "remove"),
        "name": TEXT,
        "password": TEXT,
        "role": one_of(*Role),
        "who": WHO,
    },
    _400='there is a user "anna" already',
)
TOKENS = route(
    "The tokens of programs, without their secrets",
    [{"name": "grafana", "scopes": ["read"], "since": "2026-11-21T01:02:03.000Z", "until": None, "by": "anna"}],
    loose={"until": TEXT_OR_NULL},
)
CHANGE_TOKENS = _order(
    "Make a token, which is shown this once, or revoke one",
    {"done": "create", "token": "wattbook_k3J…"},
    {"do": "create", "name": "grafana", "scopes": ["read"], "days": 365},
    f"{_CHANGE}`do` is create or revoke; scopes are {', '.join(Scope)}; without `days` it lasts until it is revoked.",
    {
        "do": one_of("create", "revoke"),
        "name": TEXT,
        "scopes": {"type": "array", "items": one_of(*Scope)},
        "days": {"type": ["integer", "null"], "minimum": 1, "maximum": DAYS_MAX},
        "who": WHO,
    },
    sometimes=("token",),
    _400='there is a token "grafana" already; revoke it, or choose another name',
)
