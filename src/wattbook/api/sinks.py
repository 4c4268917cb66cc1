"""/api/v1/sinks: how readings reach other systems, and orders to pause, resume and replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from wattbook.api.answers import Refusal, json_response
from wattbook.api.context import ApiContext
from wattbook.api.orders import signed_order_of
from wattbook.api.who import actor_of
from wattbook.engine.order_sinks import carry_out, sink_json
from wattbook.model.nearest import did_you_mean


async def get_sinks(context: ApiContext) -> Response:
    """Every sink of the configuration, in its order."""

    def all_sinks() -> Sequence[Mapping[str, Any]]:
        return [
            sink_json(sink.settings, context.reader, sink.status, set_aside=sink.aside.count(context.reader))
            for sink in context.sinks.values()
        ]

    return json_response(await run_in_threadpool(all_sinks))


async def post_sink(context: ApiContext, name: str, request: Request) -> Response:
    """Carry an order out."""
    sink = context.sinks.get(name)
    if sink is None:
        raise Refusal(404, f'no sink is called "{name}"{did_you_mean(name, context.sinks)}')
    order, who = await signed_order_of(request), actor_of(request)
    zone, now = context.config.site.timezone, context.clock.now()
    return json_response(await carry_out(sink, order, who=who, zone=zone, now=now))
