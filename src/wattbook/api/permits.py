"""Who may call which route: the one table of it. A route that is not here is for admins (a test finds it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeGuard

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope as Request

from wattbook.model.principal import Scope


class Anyone(Enum):
    """What needs no scope."""

    PUBLIC = "public"  # whoever the guard lets through: the page's own files and the way in
    SEED = "seed"  # addresses of replaced systems: without a token, for this machine and [api] allow
    KNOWN = "known"  # whoever has logged in or shows a token, whatever it may do


class Special(Enum):
    """What needs a scope, with an exception."""

    FIRST_USER = "first user"  # Scope.USERS; or a client on this machine while there is no user
    UNLISTED = "unlisted"  # a route that this table lacks


Need = Scope | Anyone | Special

PERMITS: Mapping[tuple[str, str], Need] = {
    ("GET", "/"): Anyone.PUBLIC,
    ("GET", "/login"): Anyone.PUBLIC,
    ("GET", "/assets"): Anyone.PUBLIC,
    ("GET", "/icon.svg"): Anyone.PUBLIC,
    ("GET", "/icon-192.png"): Anyone.PUBLIC,
    ("GET", "/icon-512.png"): Anyone.PUBLIC,
    ("GET", "/icon-maskable.png"): Anyone.PUBLIC,
    ("GET", "/manifest.webmanifest"): Anyone.PUBLIC,
    ("GET", "/worker.js"): Anyone.PUBLIC,
    ("GET", "/api/v1/me"): Anyone.PUBLIC,
    ("POST", "/api/v1/login"): Anyone.PUBLIC,
    ("POST", "/api/v1/me"): Anyone.KNOWN,
    ("POST", "/api/v1/logout"): Anyone.KNOWN,
    ("GET", "/electricity_meter/api/v1.0/energy"): Anyone.SEED,
    ("GET", "/metrics"): Scope.METRICS,
    ("GET", "/api/v1/docs"): Scope.READ,
    ("GET", "/api/v1/openapi.json"): Scope.READ,
    ("GET", "/api/v1/about"): Scope.READ,
    ("GET", "/api/v1/opening"): Scope.READ,
    ("GET", "/api/v1/meters"): Scope.READ,
    ("GET", "/api/v1/meters/virtual"): Scope.READ,
    ("GET", "/api/v1/meters/{meter}/life"): Scope.READ,
    ("GET", "/api/v1/quantities"): Scope.READ,
    ("GET", "/api/v1/readings/latest"): Scope.READ,
    ("GET", "/api/v1/query"): Scope.READ,
    ("GET", "/api/v1/query/table"): Scope.READ,
    ("GET", "/api/v1/hours"): Scope.READ,
    ("GET", "/api/v1/cost"): Scope.READ,
    ("GET", "/api/v1/cost/table"): Scope.READ,
    ("GET", "/api/v1/live"): Scope.READ,
    ("GET", "/api/v1/supply"): Scope.READ,
    ("GET", "/api/v1/sinks"): Scope.READ,
    ("GET", "/api/v1/sinks/{sink}/refused"): Scope.READ,
    ("GET", "/api/v1/storage"): Scope.READ,
    ("GET", "/api/v1/backups"): Scope.READ,
    ("POST", "/api/v1/backups"): Scope.OPERATE,
    ("GET", "/api/v1/alerts"): Scope.READ,
    ("GET", "/api/v1/alerts/history"): Scope.READ,
    ("POST", "/api/v1/alerts/{rule}"): Scope.OPERATE,
    ("POST", "/api/v1/notify/{target}"): Scope.OPERATE,
    ("POST", "/api/v1/readings"): Scope.PUSH,
    ("POST", "/api/v1/meters/{meter}/life"): Scope.OPERATE,
    ("POST", "/api/v1/sinks/{sink}"): Scope.OPERATE,
    ("GET", "/api/v1/wizard"): Scope.CONFIGURE,
    ("GET", "/api/v1/wizard/scan"): Scope.CONFIGURE,
    ("POST", "/api/v1/wizard/scan"): Scope.CONFIGURE,
    ("POST", "/api/v1/wizard/test"): Scope.CONFIGURE,
    ("POST", "/api/v1/wizard/meter"): Scope.CONFIGURE,
    ("GET", "/api/v1/configuration"): Scope.CONFIGURE,
    ("POST", "/api/v1/configuration"): Scope.CONFIGURE,
    ("GET", "/api/v1/configuration/forms"): Scope.CONFIGURE,
    ("POST", "/api/v1/configuration/apply"): Scope.CONFIGURE,
    ("GET", "/api/v1/users"): Scope.USERS,
    ("POST", "/api/v1/users"): Special.FIRST_USER,
    ("GET", "/api/v1/tokens"): Scope.USERS,
    ("POST", "/api/v1/tokens"): Scope.USERS,
    ("GET", "/api/v1/audit"): Scope.USERS,
}


class Needs:
    """What each request needs, asked of the router's own routes, so that the two cannot disagree about an address.

    Asking all routes takes 130 us, a fifth of what a posted reading costs. So for each address without parameters we
    keep the routes that match it, in their order; what else is asked for can only match routes with parameters.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.routes = routes
        self._count = 0  # of routes, when the look-up was made
        self._of_path: dict[str, Sequence[BaseRoute]] = {}
        self._others: Sequence[BaseRoute] = ()

    def of(self, request: Request) -> Need:
        """What a request needs. Where nothing is, everybody who is known is told so."""
        for route in self._candidates(request):
            if route.matches(request)[0] is Match.FULL:
                return PERMITS.get((request["method"], getattr(route, "path", "")), Special.UNLISTED)
        return Anyone.KNOWN

    def _candidates(self, request: Request) -> Sequence[BaseRoute]:
        if request.get("root_path"):
            return self.routes
        if len(self.routes) != self._count:
            self._look_up()
        return self._of_path.get(request["path"], self._others)

    def _look_up(self) -> None:
        paths = {route.path for route in self.routes if _is_fixed(route)}
        self._of_path = {path: [route for route in self.routes if _is_at(route, path)] for path in paths}
        self._others = [route for route in self.routes if not _is_fixed(route)]
        self._count = len(self.routes)


def _is_fixed(route: BaseRoute) -> TypeGuard[Route]:
    """Whether a route answers at one address alone."""
    return isinstance(route, Route) and "{" not in route.path


def _is_at(route: BaseRoute, path: str) -> bool:
    """Whether a route answers some method at an address."""
    asked = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    return route.matches(asked)[0] is not Match.NONE
