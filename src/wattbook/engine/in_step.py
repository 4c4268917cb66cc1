"""Looking now and then, in step: waking an idle processor costs more than most looks, so all who look wake together."""

from __future__ import annotations

import asyncio

from wattbook.engine.schedule import until_slot


async def in_step(every_s: float) -> None:
    """Sleep until the event loop's next whole multiple of this period."""
    await asyncio.sleep(until_slot(every_s, asyncio.get_running_loop().time()))
