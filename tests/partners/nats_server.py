"""A real nats-server on a free port, and its stream read over a plain socket, as the protocol is documented."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from foreign_process import Served
from ports import free_port

_STREAM_S_MAX = 20.0
_READ_S_MAX = 60.0
_NOT_FOUND = 404


class NatsServer(Served):
    """A server that can be stopped, killed and started again with the same streams."""

    def __init__(self, folder: Path, options: Sequence[str] = (), *, jetstream: bool = True, lines: str = "") -> None:
        self.port = free_port()
        config = folder / "nats.conf"
        kept = ["-js", "-sd", str(folder / "jetstream")] if jetstream else []
        command = ["nats-server", "-c", str(config), "-a", "127.0.0.1", "-p", str(self.port), *kept, *options]
        super().__init__(folder, command, "nats-server")
        config.write_text(lines)

    def ready(self) -> bool:
        """It greets whoever comes when it has found its streams."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                return probe.recv(4096).startswith(b"INFO ")
        except OSError:
            return False

    def messages(self, stream: str) -> list[tuple[str, bytes]]:
        """Subject and body of everything that a stream holds.

        Each reading has a subject of its own: the server keeps consumers across a restart, and one of an earlier
        reading that delivered to the same subject would mix its messages with ours.
        """
        stored_at = f"stored.{uuid.uuid4().hex}"
        with socket.create_connection(("127.0.0.1", self.port), timeout=_READ_S_MAX) as line:
            delivered = _delivered(line)
            line.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB answer 1\r\n')
            line.sendall(f"SUB {stored_at} 2\r\n".encode())
            state: dict[str, Any] = {}
            end = time.monotonic() + _STREAM_S_MAX
            while "state" not in state:  # a server that has just started may not know its streams yet
                if state.get("error", {}).get("code") == _NOT_FOUND or time.monotonic() > end:
                    return []
                _ask(line, f"$JS.API.STREAM.INFO.{stream}", {})
                state = json.loads(next(delivered)[1])
            consumer = {"stream_name": stream, "config": {"deliver_subject": stored_at, "ack_policy": "none"}}
            _ask(line, f"$JS.API.CONSUMER.CREATE.{stream}", consumer)
            stored = (each for each in delivered if each[0] != "answer")
            return [next(stored) for _ in range(state["state"]["messages"])]


def _ask(line: socket.socket, subject: str, question: object) -> None:
    body = json.dumps(question).encode()
    line.sendall(f"PUB {subject} answer {len(body)}\r\n".encode() + body + b"\r\n")


def _delivered(line: socket.socket) -> Iterator[tuple[str, bytes]]:
    """What comes as `MSG subject sid [reply] size` and `HMSG subject sid [reply] size-of-headers size`."""
    told = line.makefile("rb")
    while True:
        words = told.readline().decode().split()
        if words[0] == "PING":
            line.sendall(b"PONG\r\n")
        elif words[0] in ("MSG", "HMSG"):
            body = told.read(int(words[-1]))
            told.read(2)
            yield words[1], body[int(words[-2]) :] if words[0] == "HMSG" else body
        else:
            assert words[0] == "INFO", words
