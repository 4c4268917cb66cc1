"""Who a request is from, as the gate found it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from wattbook.api.answers import Refusal
from wattbook.model.principal import NOBODY, Kind, Principal

KEY = "wattbook.principal"  # in a request's scope
DIRECT = "wattbook.direct"  # in a request's scope: whether no proxy stands between
WHO_MAX = 100  # characters of who gives an order: a name, or a name and a machine
ENCRYPTED = "wattbook.encrypted"  # in a request's scope: whether the browser speaks TLS


def principal_of(request: Request) -> Principal:
    """Who asks."""
    found: Principal = request.scope.get(KEY, NOBODY)
    return found


def address_of(request: Request) -> str:
    """Where it comes from: the address of a browser behind a proxy that [api] proxies names."""
    return request.client.host if request.client else ""


def actor_of(request: Request) -> str:
    """Who did it, for events: never what the request says of itself."""
    who, address = principal_of(request), address_of(request)
    match who.kind:
        case Kind.USER:
            return f"{who.name} {address}"
        case Kind.TOKEN:
            return f"token {who.name} {address}"
        case _:
            return f"api {address}".strip()


def as_ordered(request: Request, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """An order without what it says of who gives it; only a command of this machine may say that. Raises Refusal."""
    who = order.get("who", "")
    if not isinstance(who, str) or len(who) > WHO_MAX:
        raise Refusal(400, f'"who" is a text of at most {WHO_MAX} characters')
    if principal_of(request).kind in (Kind.LOCAL, Kind.OPEN):
        return order
    return {key: value for key, value in order.items() if key != "who"}
