"""/api/v1/audit: who changed what, from the events of the book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from wattbook.api import describe_audit as describe
from wattbook.api.answers import instant_text, json_response
from wattbook.api.context import ApiContext
from wattbook.model import Event

CHANGES_MAX = 500  # in one answer
_NUMBER_MAX = 2**63 - 1


def add_routes(app: FastAPI, context: ApiContext) -> None:
    """Put it into the application."""

    @app.get("/api/v1/audit", **describe.AUDIT)
    async def get_audit(
        limit: Annotated[int, Query(description="So many at most.", ge=1, le=CHANGES_MAX)] = 50,
        before: Annotated[int, Query(description=describe.BEFORE, ge=1, le=_NUMBER_MAX)] = _NUMBER_MAX,
    ) -> Response:
        def look() -> Mapping[str, Any]:
            found, more = context.reader.changes(limit, before=before)
            return {"changes": list(map(_change_json, found)), "before": more}

        return json_response(await run_in_threadpool(look))


def _change_json(event: Event) -> Mapping[str, Any]:
    """A change without its lists: what a correction wrote anew is told by the meter's life."""
    body = {key: value for key, value in event.body.items() if isinstance(value, str | int | float | bool)}
    return {
        "number": event.seq,
        "at": instant_text(event.at),
        "kind": event.kind,
        "subject": event.subject,
        "who": event.actor,
        "body": body,
    }
