"""/api/v1/alerts and /api/v1/notify: what is watched and how it stands, what was told, and tests."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from wattbook.api import describe_alerts as describe
from wattbook.api.answers import Refusal, json_response
from wattbook.api.context import ApiContext
from wattbook.api.orders import signed_order_of
from wattbook.api.who import actor_of
from wattbook.engine.alert_state import Memory
from wattbook.engine.alerts import HISTORY_MAX, history_json, rules_json, targets_json
from wattbook.engine.order_alerts import order_alert, order_target
from wattbook.model.batch import to_ms
from wattbook.model.nearest import did_you_mean

_NUMBER_MAX = 2**63 - 1
RulePath = Annotated[str, PathParameter(description="A rule's name.", examples=["over 5 kW"], max_length=100)]
TargetPath = Annotated[str, PathParameter(description="A target's name.", examples=["anna"], max_length=100)]


def add_alert_routes(app: FastAPI, context: ApiContext) -> None:
    """The routes of alerts and of those who are told."""

    @app.get("/api/v1/alerts", **describe.ALERTS)
    async def get_alerts() -> Response:
        memory = context.alerts.watcher.now if context.alerts else Memory()
        carriers = context.alerts.carriers if context.alerts else {}
        rules = rules_json(context.config, memory, to_ms(context.clock.now()))
        return json_response({"rules": rules, "targets": targets_json(context.config, carriers)})

    @app.get("/api/v1/alerts/history", **describe.HISTORY)
    async def get_history(
        limit: Annotated[int, Query(description="So many at most.", ge=1, le=HISTORY_MAX)] = 100,
        before: Annotated[int | None, Query(description=describe.BEFORE, ge=1, le=_NUMBER_MAX)] = None,
        rule: Annotated[str | None, Query(description=describe.OF_RULE, max_length=100)] = None,
    ) -> Response:
        def look() -> object:
            return history_json(context.reader, limit=limit, before=before, rule=rule)

        return json_response(await run_in_threadpool(look))

    @app.post("/api/v1/alerts/{rule}", **describe.CHANGE_ALERT)
    async def post_alert(rule: RulePath, request: Request) -> Response:
        rules = {each.name: each for each in context.config.alerts}
        if rule not in rules or context.alerts is None:
            raise Refusal(404, f'no alert is called "{rule}"{did_you_mean(rule, rules)}')
        order = await signed_order_of(request)
        return json_response(await order_alert(context.alerts, rules[rule], order, who=actor_of(request)))

    @app.post("/api/v1/notify/{target}", **describe.TEST_TARGET)
    async def post_target(target: TargetPath, request: Request) -> Response:
        if context.alerts is None or target not in context.alerts.carriers:
            names = [each.name for each in context.config.notify]
            raise Refusal(404, f'nobody who is told is called "{target}"{did_you_mean(target, names)}')
        order = await signed_order_of(request)
        return json_response(await order_target(context.alerts, target, order, who=actor_of(request)))
