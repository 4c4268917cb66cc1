"""A message through apprise to a webhook: a real HTTP server gets its words and its picture, or says no."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from wattbook.config import Secret
from wattbook.notify import Message, NotSent, Post, draw_curve


class Hook(HTTPServer):
    """Keeps what was posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.got: list[dict[str, Any]] = []
        self.status = 200


class _Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _post(hook: Hook) -> Post:
    return Post("hook", Secret(f"json://127.0.0.1:{hook.server_address[1]}/alerts"))


async def test_a_webhook_gets_the_words_and_the_curve(hook: Hook) -> None:
    curve = draw_curve([0, 1000], [1.0, 2.0])
    await _post(hook).send(Message("8.c0ffee", "[critical] House", "It is dark.", "critical", curve))
    (got,) = hook.got
    assert (got["title"], got["message"], got["type"]) == ("[critical] House", "It is dark.", "failure")
    assert base64.b64decode(got["attachments"][0]["base64"]) == curve


async def test_a_webhook_that_says_no_is_told_in_its_words(hook: Hook) -> None:
    hook.status = 507
    with pytest.raises(NotSent, match=r"hook: not sent: .*507"):
        await _post(hook).send(Message("8.c0ffee", "t", "b"))
