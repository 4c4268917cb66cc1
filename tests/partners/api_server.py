"""The API on a real port, in a loop of its own thread, for partners that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api_house import House
from wattbook.api import Served, serving

PATIENCE_S = 60.0  # only reached when something is wrong


@contextmanager
def served(home: House) -> Iterator[Served]:
    """Serve until the block is left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = serving(home.context)
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(PATIENCE_S)
    finally:
        # Also after a test that failed: tasks that are left behind would be errors of tests that come later.
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()
