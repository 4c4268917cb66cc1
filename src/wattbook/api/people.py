"""/api/v1/login, /logout, /me, /users, /tokens: coming in, and who may."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from wattbook.access import Access, Token, TooMany
from wattbook.access.sessions import AGE_S_MAX
from wattbook.api import describe_people as describe
from wattbook.api.answers import Refusal, instant_text, json_response
from wattbook.api.gate import check_header, cookie_name
from wattbook.api.orders import order_of, signed_order_of
from wattbook.api.who import DIRECT, ENCRYPTED, actor_of, address_of, principal_of
from wattbook.model import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.model.principal import Kind, Principal
from wattbook.transports.addresses import is_loopback


def add_routes(app: FastAPI, access: Access) -> None:
    """Put them into the application."""

    @app.get("/api/v1/me", **describe.ME)
    async def get_me(request: Request) -> Response:
        return json_response(me_json(access, request))

    @app.post("/api/v1/me", **describe.CHANGE_ME)
    async def post_me(request: Request) -> Response:
        return await _change_own(access, request)

    @app.post("/api/v1/login", **describe.LOGIN)
    async def post_login(request: Request) -> Response:
        return await _log_in(access, request)

    @app.post("/api/v1/logout", **describe.LOGOUT)
    async def post_logout(request: Request) -> Response:
        access.log_out(principal_of(request))
        answer = json_response({"done": "logout"})
        _set_cookie(answer, request, "", age_s=0)
        return answer

    @app.get("/api/v1/users", **describe.USERS)
    async def get_users() -> Response:
        users = access.people.users
        return json_response(
            [{"name": user.name, "role": user.role, "since": instant_text(user.since)} for user in users]
        )

    @app.post("/api/v1/users", **describe.CHANGE_USERS)
    async def post_users(request: Request) -> Response:
        order = await signed_order_of(request)
        who = principal_of(request)
        await access.change_users(order, _who(request, order), who, first=who.kind is Kind.OPEN)
        return json_response({"done": order["do"]})

    @app.get("/api/v1/tokens", **describe.TOKENS)
    async def get_tokens() -> Response:
        return json_response(list(map(_token_json, access.people.tokens)))

    @app.post("/api/v1/tokens", **describe.CHANGE_TOKENS)
    async def post_tokens(request: Request) -> Response:
        order = await signed_order_of(request)
        token = await access.change_tokens(order, _who(request, order), principal_of(request))
        return json_response({"done": order["do"], **({"token": token} if token else {})})


async def while_held(access: Access, principal: Principal, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream that ends when its reader logs out, is removed or may no longer see it."""
    async for piece in stream:
        if not access.holds(principal):
            return
        yield piece


async def _log_in(access: Access, request: Request) -> Response:
    check_header(request.scope)
    given = await order_of(request)
    _check_keys(given, "name", "password")
    name, password = _text(given, "name"), _text(given, "password")
    try:
        session = await access.log_in(name, password, address_of(request))
    except TooMany as error:
        raise _slower(error) from None
    if session is None:
        raise Refusal(401, "the name or the password is wrong")
    access.log_out(principal_of(request))  # what the browser had before ends: one browser, one session
    principal = access.by_session(session)
    assert principal is not None  # it has just begun
    answer = json_response(me_json(access, request, principal))
    _set_cookie(answer, request, session, age_s=AGE_S_MAX)
    return answer


async def _change_own(access: Access, request: Request) -> Response:
    order, who = await order_of(request), principal_of(request)
    if who.kind is not Kind.USER:
        raise Refusal(403, "only who has logged in has a password of its own")
    _check_keys(order, "do", "old", "password")
    if order.get("do") != "passwd":
        raise ConfigError('"do" is passwd')
    try:
        right = await access.check_own(who, _text(order, "old"), address_of(request))
    except TooMany as error:
        raise _slower(error) from None
    if not right:
        raise Refusal(403, "the old password is wrong")
    change = {"do": "passwd", "name": who.name, "password": _text(order, "password")}
    await access.change_users(change, actor_of(request), who)
    return json_response({"done": "passwd"})


def _slower(error: TooMany) -> Refusal:
    wait_s = math.ceil(error.wait_s)
    return Refusal(429, f"too many wrong passwords; try again in {wait_s} s", headers={"retry-after": str(wait_s)})


def me_json(access: Access, request: Request, who: Principal | None = None) -> Mapping[str, Any]:
    """Who asks, or who has just logged in, and what they may do."""
    who = who or principal_of(request)
    here = bool(request.scope.get(DIRECT)) and is_loopback(address_of(request))
    return {
        "name": who.name,
        "kind": who.kind,
        "role": who.role,
        "scopes": sorted(who.scopes),
        "password_set": access.password_set,
        "may_set_password": here and not access.password_set,
        "encrypted": bool(request.scope.get(ENCRYPTED)),
    }


def _token_json(token: Token) -> Mapping[str, Any]:
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "since": instant_text(token.since),
        "until": instant_text(token.until),
        "by": token.by,
    }


def _who(request: Request, order: Mapping[str, Any]) -> str:
    """Who orders: a command says who called it."""
    return str(order.get("who") or actor_of(request))


def _check_keys(given: Mapping[str, Any], *known: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(f'nothing is called "{key}" here{did_you_mean(key, known)}')


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str):
        raise ConfigError(f'"{key}" is missing, or no text')
    return value


def _set_cookie(answer: Response, request: Request, session: str, *, age_s: float) -> None:
    answer.set_cookie(
        cookie_name(request.scope),
        session,
        max_age=int(age_s),
        path="/",
        secure=bool(request.scope.get(ENCRYPTED)),
        httponly=True,
        samesite="strict",
    )
