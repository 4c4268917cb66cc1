"""A server that says little, and then hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def false_server(
    greeting: bytes = b"", *, pong: bytes = b"", heard: bytearray | None = None
) -> AsyncIterator[int]:
    """It accepts and says `greeting`, hears a line, says `pong` and no more. Yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(greeting)
            said = await reader.readline()
            writer.write(pong)
            if heard is not None:
                heard.extend(said)
            await over.wait()
        finally:
            writer.transport.abort()

    over = asyncio.Event()
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1]
    over.set()
    listening.close()
    await listening.wait_closed()
    await asyncio.sleep(0.01)
