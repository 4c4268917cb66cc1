"""What a test does with a sink: write all of something, or be refused."""

from __future__ import annotations

import asyncio

import pytest

from stream_batches import house
from wattbook.model import Batch, SinkUnavailable
from wattbook.sinks import Sink

WRITE_S_MAX = 30.0  # far above what anything takes; a test that needs it has failed


async def written(sink: Sink, *batches: Batch) -> None:
    """Write these, all of which is taken, and close the sink."""
    try:
        for each in batches:
            result = await sink.write(each, "bookmark")
            assert (result.rejected, result.bookmark) == ((), "bookmark")
    finally:
        await sink.aclose()


async def refused(sink: Sink) -> str:
    """Write something that cannot be written now; return why."""
    with pytest.raises(SinkUnavailable) as error:
        await asyncio.wait_for(sink.write(house(1), ""), WRITE_S_MAX)
    await sink.aclose()
    return str(error.value)
