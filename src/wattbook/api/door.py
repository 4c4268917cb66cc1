"""The way from the server to the application that answers now; between two applications, requests wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wattbook.api.answers import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAVE_S_MAX = 1.0  # for requests that are begun, when another configuration comes into force
WAIT_S_MAX = 30.0  # for the next application: a book that is opened after a crash takes some seconds
# What asks for another configuration waits for it, so nobody waits for that.
_ASK_FOR_ANOTHER = ("/api/v1/configuration", "/api/v1/configuration/apply", "/api/v1/wizard/meter")


class Door:
    """An ASGI application that hands on. On the event loop only."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._opened = asyncio.Event()
        self._inside: set[asyncio.Task[Any]] = set()
        self._late: set[asyncio.Task[Any]] = set()  # of those inside, who is sent away

    def open(self, app: ASGIApp) -> None:
        """Let requests in."""
        self._app = app
        self._opened.set()

    async def close(self) -> None:
        """Let nobody in until it is opened again, and see everybody out."""
        self._opened.clear()
        self._app = None
        if self._inside:
            _, self._late = await asyncio.wait(self._inside, timeout=LEAVE_S_MAX)
            for each in self._late:
                each.cancel()

    def shut(self) -> None:
        """For good: who waits is told."""
        if self._app is None:
            self.open(_gone)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, as soon as there is somebody."""
        if not self._opened.is_set():
            await self._wait()
        app = self._app or _gone
        task = asyncio.current_task()
        if task is None or (scope["type"] == "http" and scope["path"] in _ASK_FOR_ANOTHER):
            await app(scope, receive, send)
            return
        self._inside.add(task)
        begun = _Begun(send)
        try:
            await app(scope, receive, begun.send)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            if not begun.begun:
                await _gone(scope, receive, send)
        finally:
            self._inside.discard(task)
            self._late.discard(task)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S_MAX):
                await self._opened.wait()


class _Begun:
    """Notes whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.begun = send, False

    async def send(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


async def _gone(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = Refusal(503, "wattbook is stopping, or begins anew; try again", headers={"retry-after": "2"})
    await refusal.response()(scope, receive, send)
