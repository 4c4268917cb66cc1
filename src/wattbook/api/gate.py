"""Who may come in: after the guard, before any route.

A session's cookie is sent by the browser whoever makes it ask, so a request that changes something must also carry a
header, which no page of another site can set (the browser would ask us first, and we never agree).
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from wattbook.access import Access
from wattbook.access.access import of_this_machine
from wattbook.api.answers import Refusal
from wattbook.api.forwarded import LOCAL_SCHEME
from wattbook.api.permits import Anyone, Need, Needs, Special
from wattbook.api.who import DIRECT, ENCRYPTED, KEY
from wattbook.model import WattbookError
from wattbook.model import principal as people
from wattbook.model.principal import NOBODY, Kind, Principal
from wattbook.transports.addresses import is_loopback

CHANGE_HEADER = b"x-wattbook"
LATER_COOKIE = "wattbook_later"  # the login page sets it: whoever opened the page wants no password yet
_READING = ("GET", "HEAD")


class Gate:
    """Middleware that finds out who asks, and whether it may."""

    def __init__(self, app: ASGIApp, access: Access, routes: Sequence[BaseRoute], *, ask_password: bool) -> None:
        self._app, self._access, self._needs, self._ask_password = app, access, Needs(routes), ask_password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on with the principal in the scope, or raise Refusal."""
        if scope["type"] != "http":
            raise Refusal(403, "only HTTP is spoken here")
        need = self._needs.of(scope)
        try:
            who = self._admitted(scope, need)
            lost = need is Anyone.PUBLIC and scope["path"] == "/" and self._is_lost(scope, who)
        except WattbookError as error:  # the people's file cannot be read: nobody comes in
            raise Refusal(503, str(error), headers={"retry-after": "10"}) from error
        if lost:
            await RedirectResponse("/login", 303)(scope, receive, send)
            return
        await self._app({**scope, KEY: who}, receive, send)

    def _is_lost(self, scope: Scope, who: Principal) -> bool:
        """Whether who opens the page is led to the login: to log in, or to choose the first password or read how."""
        if who.kind is Kind.OPEN:
            return self._ask_password and not _cookie(scope, LATER_COOKIE)
        return not who.kind.known

    def _admitted(self, scope: Scope, need: Need) -> Principal:
        """Who asks. Raises Refusal when it may not."""
        scheme, secret = _authorization(scope)
        if scheme == LOCAL_SCHEME:
            return self._local(secret)
        if need is Anyone.SEED:
            return NOBODY
        who = self._who(scope, strict=need is not Anyone.PUBLIC)
        if need is Anyone.PUBLIC:
            return who
        if not who.kind.known:
            raise self._unknown()
        _check_scope(who, need)
        if scope["method"] not in _READING and (who.kind is Kind.USER or _first(who, need)):
            check_header(scope)
        return who

    def _who(self, scope: Scope, *, strict: bool) -> Principal:
        """Who shows what; a wrong token is refused where it matters, a session that is over counts as none."""
        scheme, secret = _authorization(scope)
        if scheme == "bearer":
            found = self._access.by_token(secret)
            if found is None and strict:
                raise Refusal(401, "this token is not known, or its time is over", headers=_BEARER)
            return found or NOBODY
        session = session_of(scope)
        found = self._access.by_session(session) if session else None
        if found is None and scope.get(DIRECT) and is_loopback(scope["client"][0]):
            found = of_this_machine(self._access)
        return found or NOBODY

    def _local(self, secret: str) -> Principal:
        found = self._access.by_local_secret(secret)
        if found is None:
            raise Refusal(401, "this is not the secret of the running daemon; was it started anew just now?")
        return found

    def _unknown(self) -> Refusal:
        if self._access.password_set:
            return Refusal(401, "log in first, or send a token: Authorization: Bearer …", headers=_BEARER)
        return Refusal(
            403, "no password is set yet; open the page on wattbook's own machine, or run `wattbook user add` there"
        )


_BEARER = {"www-authenticate": "Bearer"}


def check_header(scope: Scope) -> None:
    """Raise Refusal unless the request is a program's or our own page's."""
    if not any(name == CHANGE_HEADER for name, _ in scope["headers"]):
        raise Refusal(403, 'a change from a browser needs the header "x-wattbook: 1"')


def cookie_name(scope: Scope) -> str:
    """The session's cookie. `__Host-` binds it to TLS and this very host, so browsers allow it over TLS alone."""
    return "__Host-wattbook" if scope.get(ENCRYPTED) else "wattbook"


def session_of(scope: Scope) -> str:
    """The session's secret in the cookie, or ""."""
    return _cookie(scope, cookie_name(scope))


def _cookie(scope: Scope, name: str) -> str:
    """The value of a cookie, or "". All services of a host share their cookies, whatever their port: one of theirs that
    is not as it should be ends Python's own parser, and nobody could log in here."""
    given = b";".join(value for key, value in scope["headers"] if key == b"cookie").decode("latin-1")
    cookies = (each.partition("=") for each in given.split(";"))
    return {key.strip(): value.strip().strip('"') for key, _, value in cookies}.get(name, "")


def _authorization(scope: Scope) -> tuple[str, str]:
    """Scheme, in lower case, and secret. Other schemes (a proxy's Basic) are none of our business."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    if len(given) > 1:
        raise Refusal(400, "a request has one Authorization header at most")
    scheme, _, secret = (given[0] if given else "").partition(" ")
    return scheme.casefold(), secret.strip()


def _first(who: Principal, need: Need) -> bool:
    return need is Special.FIRST_USER and who.kind is Kind.OPEN


def _check_scope(who: Principal, need: Need) -> None:
    """Raise Refusal unless this one may do what is needed."""
    if need is Anyone.KNOWN or _first(who, need) or (need is Special.UNLISTED and who.kind is Kind.OPEN):
        return
    scope = need if isinstance(need, people.Scope) else people.Scope.USERS
    if who.may(scope):
        return
    if who.kind is Kind.OPEN:
        raise Refusal(403, "set a password first: open the page on this machine, or run `wattbook user add`")
    what = f'"{who.name}" is a {who.role}' if who.role else f'the token "{who.name}" lacks a scope'
    raise Refusal(403, f'{what}; this needs "{scope}"; ask an admin')
