"""/api/v1/backups: the copies of the book, and one more at once."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from wattbook.api import describe_storage as describe
from wattbook.api.answers import Refusal, instant_text, json_response
from wattbook.api.context import ApiContext
from wattbook.api.orders import typed_order_of
from wattbook.api.who import actor_of
from wattbook.engine.back_up_now import BackupNow, Busy, look_at


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """Make a backup."""

    do: Literal["make"]


def add_routes(app: FastAPI, context: ApiContext) -> None:
    """Put it into the application."""
    now = BackupNow(context.config, context.clock, context.note)

    @app.get("/api/v1/backups", **describe.BACKUPS)
    async def get_backups() -> Response:
        # Before the folder: a backup that ends meanwhile is then in the list, or still said to run.
        running = {"since": instant_text(now.since), "done": now.done} if now.since else None
        failed = now.failed
        found = await asyncio.to_thread(look_at, context.config, context.clock.now())
        copies = [
            {"file": copy.path.name, "at": instant_text(copy.at), "bytes": copy.size, "own": copy.own}
            for copy in found.copies
        ]
        settings = context.config.backup
        at = f"{settings.at:%H:%M}" if settings and settings.at else None
        return json_response(
            {
                "dir": str(settings.dir) if settings else None,
                "every_s": settings.every if settings else None,
                "at": at,
                "keep": settings.keep if settings else None,
                "backups": copies,
                "problem": found.problem,
                "overdue": found.overdue,
                "running": running,
                "failed": failed,
            }
        )

    @app.post("/api/v1/backups", **describe.MAKE_BACKUP)
    async def post_backups(request: Request) -> Response:
        await typed_order_of(request, Order)
        try:
            now.begin(actor_of(request))
        except Busy as error:
            raise Refusal(409, str(error)) from error
        return json_response({"started": True})
