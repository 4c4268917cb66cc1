"""/api/v1/about, and /api/v1/opening: what the page shows first, in one answer.

A phone takes as long to ask for one of these parts as to read it, and asks before its scripts have come.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from wattbook import __version__
from wattbook.api import configuration, describe_opening
from wattbook.api.answers import compact, instant_text, json_response, readings_json
from wattbook.api.context import ApiContext
from wattbook.api.meters import all_meters, quantities_told, virtual_meters
from wattbook.api.people import me_json
from wattbook.api.supply import supply_json
from wattbook.engine.ask import ask
from wattbook.engine.query import POINTS_MIN, Question
from wattbook.model import Reading, WattbookError

_PAST = "-60min"  # as long as CHART_MINUTES of the page
_PAST_POINTS = 720  # of each meter, with its peaks: one in 5 s
_ALL_POINTS_MAX = 20_000  # of all meters together: a chart is as wide as a phone where there are many
_log = logging.getLogger(__name__)


def add_routes(app: FastAPI, context: ApiContext) -> None:
    """Add these addresses."""

    @app.get("/api/v1/about", **describe_opening.ABOUT)
    def about() -> Response:
        return json_response(_about(context))

    @app.get("/api/v1/opening", **describe_opening.OPENING)
    async def opening(request: Request) -> Response:
        parts = {
            "about": compact(_about(context)),
            "me": compact(me_json(context.access, request)),
            "meters": compact(all_meters(context)),
            "virtual": compact(virtual_meters(context)),
            "supply": compact(supply_json(context, context.supply())),
        } | await run_in_threadpool(_from_the_book, context)
        body = b",".join(b'"%s":%s' % (name.encode(), part) for name, part in parts.items())
        return Response(b"{" + body + b"}", media_type="application/json")


def _from_the_book(context: ApiContext) -> dict[str, bytes]:
    readings = context.reader.latest(now=context.clock.now())
    return {
        "quantities": compact(quantities_told(readings)),
        "readings": readings_json(readings),
        "past": _past(context, readings),
    }


def _about(context: ApiContext) -> Mapping[str, Any]:
    site, tariff, book = context.config.site, context.config.tariff, context.statistics()
    gap = {"since": instant_text(book.gap_since), "reason": book.gap_reason} if book.gap_since else None
    return {
        "version": __version__,
        "site": site.name,
        "timezone": str(site.timezone),
        "book": str(context.config.book),
        "commit_every_s": site.commit_every,
        "started": instant_text(context.started),
        "gap": gap,
        "configuration": configuration.in_short(context),
        "currency": tariff.currency(context.clock.now()) if tariff else None,
    }


def _past(context: ApiContext, readings: list[Reading]) -> bytes:
    """The last hour of every meter that tells its power, as /query answers it with columns; none where it cannot be
    had: a page without it still shows what is now."""
    meters = [each.meter for each in readings if "active_power" in each.values and each.meter in context.meters]
    if not meters:
        return b"[]"
    question = Question.parse(
        meters=meters,
        quantity="active_power",
        start=_PAST,
        end="now",
        zone=context.config.site.timezone,
        now=context.clock.now(),
        points=max(POINTS_MIN, min(_PAST_POINTS, _ALL_POINTS_MAX // len(meters))),
    )
    try:
        answers = ask(context.reader, question, context.config)
    except WattbookError as error:
        _log.warning("the page begins without the last hour: %s", error)
        return b"[]"
    return b"[" + b",".join(answer.to_json(columns=True) for answer in answers) + b"]"
