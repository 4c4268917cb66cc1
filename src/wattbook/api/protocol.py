"""uvicorn's connection with the bounds it lacks: on the time a request's head takes, and a client's slow reading."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WAIT_S = 10.0  # from the connection, or a request's first byte, to the end of its headers
READ_WAIT_S = 30.0  # between two looks at what waits for a client
READ_LEAST = 30_000  # bytes of it that a client takes meanwhile: 1 kB/s, which the slowest of lines does


class BoundedProtocol(H11Protocol):
    """One connection of a client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._end_head()
        elif self._head_timer is None:
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in our one error shape, and hang up."""
        content = json.dumps({"error": "this is no HTTP/1.1 request, or its head is too large"}).encode()
        head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: "
        # Written as it is: what the client began may not fit the states that h11 would want to go through.
        self.transport.write(f"{head}{len(content)}\r\n\r\n".encode() + content)
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._read_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        _cancel(self._read_timer)
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_WAIT_S, self.transport.abort)

    def _await_reader(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(READ_WAIT_S, self._look_at_reader, waiting)

    def _look_at_reader(self, before: int) -> None:
        # An answer of some megabytes takes a slow line longer than one wait: who goes on reading gets all of it.
        if before - self.transport.get_write_buffer_size() < READ_LEAST:
            self.transport.abort()
        else:
            self._await_reader()

    def _end_head(self) -> None:
        _cancel(self._head_timer)
        self._head_timer = None


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
