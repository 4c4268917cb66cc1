"""Who a request is from, as the gate found it."""

from __future__ import annotations

from starlette.requests import Request

from wattbook.model.principal import NOBODY, Kind, Principal

KEY = "wattbook.principal"  # in a request's scope
DIRECT = "wattbook.direct"  # in a request's scope: whether no proxy stands between
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
