"""/api/v1/meters/{meter}/life: what happened to a meter, what is in doubt, and changes to both."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from wattbook.api.answers import Refusal, json_response
from wattbook.api.context import ApiContext
from wattbook.api.meters import check_meter
from wattbook.api.orders import signed_order_of
from wattbook.api.who import actor_of
from wattbook.engine.orders_life import carry_out
from wattbook.engine.show_life import life_json


async def get_life(context: ApiContext, meter: str) -> Response:
    """Everything that was entered, the newest last."""
    check_meter(context, meter)
    return json_response(await run_in_threadpool(life_json, context.reader, meter))


async def post_life(context: ApiContext, meter: str, request: Request) -> Response:
    """Carry an order out; answer the numbers of what was written."""
    check_meter(context, meter)
    if context.amender is None:
        raise Refusal(503, "this book cannot be changed from here")
    given = await signed_order_of(request)
    amender, zone, now = context.amender, context.config.site.timezone, context.clock.now()
    who = actor_of(request)

    def do() -> Sequence[int]:
        return carry_out(amender, meter, given, who=who, zone=zone, now=now)

    return json_response({"numbers": await run_in_threadpool(do)}, status=201)
