"""A house behind the API with one sink that runs, and what the tests ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from api_house import House, house
from shelf import Shelf, ShelfSettings
from wattbook.engine.run_sinks import make_sinks

SINKS = "/api/v1/sinks"


@asynccontextmanager
async def with_sink(folder: Path, shelf: Shelf) -> AsyncIterator[House]:
    with house(folder) as home:
        context = home.context
        config = replace(context.config, sinks=(ShelfSettings(name="shelf", shelf=shelf),))
        (sink,) = make_sinks(config, home.book, context.reader, home.clock)
        task = asyncio.create_task(sink.run())
        try:
            yield replace(home, context=replace(context, config=config, sinks={"shelf": sink}))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def look(home: House) -> dict[str, Any]:
    (sink,) = (await home.client.get(SINKS)).json()
    return dict(sink)


async def until(home: House, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while not true(sink := await look(home)):
            await asyncio.sleep(0)
        return sink


async def order(home: House, name: str = "shelf", **given: Any) -> httpx.Response:
    return await home.client.post(f"{SINKS}/{name}", json={key.rstrip("_"): value for key, value in given.items()})
