"""A TCP forwarder on loopback that can pass on, hang (accept and say nothing) or cut: what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Literal

Mode = Literal["pass", "hang", "refuse"]


class Forwarder:
    """Forwards connections to a port of this machine, in a thread of its own."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._mode: Mode = "pass"
        self._loop = asyncio.new_event_loop()
        self._ends: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(20)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def turn(self, mode: Mode) -> None:
        """Behave so from now on. Hanging holds the connections that are open; refusing cuts them."""

        async def change() -> None:
            self._mode = mode
            if mode != "hang":
                for end in list(self._ends):
                    end.transport.abort()

        asyncio.run_coroutine_threadsafe(change(), self._loop).result(20)

    def close(self) -> None:
        """End every connection; nothing is left for the collector of garbage, whose warnings are errors."""

        async def end() -> None:
            self._server.close()
            for task in (tasks := asyncio.all_tasks() - {asyncio.current_task()}):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.turn("refuse")
        asyncio.run_coroutine_threadsafe(end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            if self._mode == "refuse":
                return
            while self._mode == "hang":
                await asyncio.sleep(0.05)
            there = await asyncio.open_connection("127.0.0.1", self._to_port)
            self._ends.add(there[1])
            try:
                await asyncio.wait(
                    [
                        asyncio.create_task(self._copy(reader, there[1])),
                        asyncio.create_task(self._copy(there[0], writer)),
                    ],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                self._ends.discard(there[1])
                there[1].transport.abort()
        except OSError:
            pass  # the server is not there: the connection ends, as it would
        finally:
            self._ends.discard(writer)
            writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                while self._mode == "hang":
                    await asyncio.sleep(0.05)
                writer.write(data)
                await writer.drain()
