"""/api/v1/sinks/{sink}/refused: what a sink would never take, with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from wattbook.api import describe_storage as describe
from wattbook.api.answers import Refusal, instant_text, json_response
from wattbook.api.context import ApiContext
from wattbook.engine.deliver import REFUSED
from wattbook.engine.try_again import refused_in, tried_upto
from wattbook.model import Event
from wattbook.model.batch import from_ms
from wattbook.model.nearest import did_you_mean

EVENTS_MAX = 20  # in one answer; each holds up to 500 readings, 60 kB
_NUMBER_MAX = 2**63 - 1


def add_routes(app: FastAPI, context: ApiContext) -> None:
    """Put it into the application."""

    @app.get("/api/v1/sinks/{sink}/refused", **describe.REFUSED)
    async def get_refused(
        sink: Annotated[str, PathParameter(description="A sink's name.", examples=["influx"], max_length=100)],
        limit: Annotated[int, Query(description="So many events at most.", ge=1, le=EVENTS_MAX)] = 5,
        before: Annotated[int, Query(description=describe.BEFORE, ge=1, le=_NUMBER_MAX)] = _NUMBER_MAX,
    ) -> Response:
        if sink not in context.sinks:
            raise Refusal(404, f'no sink is called "{sink}"{did_you_mean(sink, context.sinks)}')
        return json_response(await run_in_threadpool(_refused, context, sink, limit, before))


def _refused(context: ApiContext, sink: str, limit: int, before: int) -> Mapping[str, Any]:
    found = context.reader.newest_events((REFUSED,), limit, before=before, subject=sink)
    upto = tried_upto(context.reader, sink)
    still = [event for event in found if event.seq > upto]
    more = still[-1].seq if len(still) == limit else None
    return {"events": list(map(_event_json, still)), "before": more}


def _event_json(event: Event) -> Mapping[str, Any]:
    readings = [
        {"meter": one.meter, "site": one.site, "at": instant_text(from_ms(one.at_ms)), "reason": one.reason}
        for one in refused_in(event)
    ]
    return {"number": event.seq, "at": instant_text(event.at), "readings": readings}
