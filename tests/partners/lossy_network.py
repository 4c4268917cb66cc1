"""A network between a client and a server of this machine that can hang, or lose an answer."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator


class LossyNetwork:
    """Forwards what comes. `hang`: takes everything and passes nothing on. `losing`: see there."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.hang = False
        self.losing = b""  # when a client sends this, the server gets it, and the client a cut connection for an answer
        self.lost = 0
        self._open = True
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._open = False
        self._listener.close()

    def _serve(self) -> None:
        while self._open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as server:
            while self._open:
                ready, _, _ = select.select([client, server], [], [], 0.05)
                for side in ready:
                    data = side.recv(65_536)
                    if not data:
                        return
                    if self.hang:
                        continue
                    (server if side is client else client).sendall(data)
                    if self.losing and side is client and self.losing in data:
                        self.losing = b""
                        self.lost += 1
                        server.recv(65_536)  # it was done
                        return


@contextlib.contextmanager
def lossy_network(to: int) -> Iterator[LossyNetwork]:
    """A network to a port, until the block ends."""
    network = LossyNetwork(to)
    try:
        yield network
    finally:
        network.close()
