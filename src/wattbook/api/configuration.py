"""/api/v1/configuration: what wattbook.toml says and whether it is in force, and changes of it from a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Literal

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from wattbook.api import describe_configuration as describe
from wattbook.api.answers import Refusal, instant_text, json_response
from wattbook.api.context import ApiContext
from wattbook.api.orders import order_of, typed_order_of
from wattbook.api.who import actor_of
from wattbook.config import Edit, NotRight
from wattbook.config.forms import forms
from wattbook.engine.configure import Broken, Configuring, problems_json
from wattbook.model import ConfigError


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """Add, change or remove one table."""

    do: Literal["add", "change", "remove"]
    table: str
    name: str = ""
    keys: dict[str, Any] = {}


def add_routes(app: FastAPI, context: ApiContext) -> None:
    """Hook the configuration in."""

    @app.get("/api/v1/configuration", **describe.CONFIGURATION)
    async def get_configuration() -> Response:
        found = await asyncio.to_thread(_configuring(context).to_json)
        return json_response({**found, "since": instant_text(found["since"])})

    @app.get("/api/v1/configuration/forms", **describe.FORMS)
    async def get_forms() -> Response:
        return json_response(await asyncio.to_thread(forms))

    @app.post("/api/v1/configuration", **describe.CHANGE)
    async def post_configuration(request: Request) -> Response:
        order = await typed_order_of(request, Order)
        edit = Edit(order.do, order.table, order.keys, order.name)
        return await _answer(_configuring(context).order(edit, actor_of(request)))

    @app.post("/api/v1/configuration/apply", **describe.APPLY)
    async def post_apply(request: Request) -> Response:
        if await order_of(request):
            raise Refusal(400, "nothing is told here: the body is {}")
        return await _answer(_applied(_configuring(context), actor_of(request)))


def in_short(context: ApiContext) -> Mapping[str, str]:
    """How the file stands, for everybody who may read."""
    return context.configuring.in_short() if context.configuring else {"state": "in force", "problem": ""}


def _configuring(context: ApiContext) -> Configuring:
    if context.configuring is None:
        raise Refusal(503, "this daemon's configuration cannot be changed")
    return context.configuring


async def _applied(configuring: Configuring, actor: str) -> Mapping[str, Any]:
    await configuring.apply(actor)
    return {"applied": configuring.can_begin}


async def _answer(doing: Awaitable[Mapping[str, Any]]) -> Response:
    try:
        return json_response(await doing)
    except Broken as error:
        return json_response({"error": str(error), "problems": problems_json(error.problems)}, status=409)
    except NotRight as error:
        return json_response({"error": str(error), "fields": dict(error.fields)}, status=400)
    except ConfigError as error:
        return json_response({"error": str(error), "fields": {}}, status=400)
