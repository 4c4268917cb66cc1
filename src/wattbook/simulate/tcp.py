"""Lines over TCP: a serial line behind a bare socket, and Modbus TCP."""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from wattbook.codecs.modbus import Response, parse_request_pdu, response_pdu, tcp_frame
from wattbook.model.errors import ConfigError, Garbled
from wattbook.profiles import SerialSettings
from wattbook.simulate.faults import Trouble
from wattbook.simulate.modbus import ModbusSlave
from wattbook.simulate.statistics import Tally

READ_MAX = 65536  # bytes in one go
WAITING_MAX = 1024  # answers that slaves still think about
CONNECTIONS_MAX = 256  # more than any bus has masters
_STOP_S = 5.0
_HEADER = 7  # bytes of a Modbus TCP frame before its PDU
_LENGTH_MAX = 254  # of unit and PDU (Modbus Messaging on TCP/IP 1.0b, 3.1.3)
_DEFAULT_PORT = 502
_log = logging.getLogger(__name__)


class SocketPort:
    """One end of a TCP connection that carries a serial line's bytes. One reader at a time, as ser2net keeps it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listener: socket.socket | None = None
        self._reader: socket.socket | None = None
        self._port = urlsplit(url).port or 0
        self.connections = 0  # readers that came so far

    @property
    def address(self) -> str:
        """The URL with the port that was taken."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.hostname}:{self._port}"

    def plug(self) -> None:
        """Listen. Raises ConfigError when the port is taken."""
        self._listener = listen(self._url, self._port)
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]

    def unplug(self) -> None:
        """Refuse connections and drop the one there is."""
        self._hang_up()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def watch(self) -> int | None:
        """The connection, or who might come."""
        if self._reader is not None:
            return self._reader.fileno()
        return self._listener.fileno() if self._listener is not None else None

    def read(self) -> bytes:
        """What the reader sent; empty when one only came or went."""
        if self._reader is None:
            self._accept()
            return b""
        try:
            data = self._reader.recv(READ_MAX)
        except BlockingIOError:
            return b""
        except OSError:  # reset by the reader
            data = b""
        if not data:
            self._hang_up()
        return data

    def write(self, data: bytes) -> None:
        """Send; what a reader does not take is lost."""
        if self._reader is not None and data:
            try:
                self._reader.send(data)
            except BlockingIOError:
                return
            except OSError:
                self._hang_up()

    def to_reader(self, data: bytes, meter: SerialSettings) -> bytes:
        """A bare socket carries bytes and knows no settings."""
        return data

    def to_meter(self, data: bytes, meter: SerialSettings) -> bytes:
        """A bare socket carries bytes and knows no settings."""
        return data

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):  # gone again before it was taken
            self._reader, _ = self._listener.accept()
            self.connections += 1
            self._reader.setblocking(False)
            self._reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _hang_up(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def listen(url: str, port: int) -> socket.socket:
    """A listening socket at a URL's host. Raises ConfigError, with what to do."""
    host = urlsplit(url).hostname or "127.0.0.1"
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=64)
    except OSError as error:
        raise ConfigError(f"cannot listen: {error.strerror or error}; name another port", place=url) from error


@dataclass(slots=True)
class _Connection:
    """One master and what it sent that is not yet a frame."""

    socket: socket.socket
    heard: bytearray = field(default_factory=bytearray)


class ModbusTcpServer:
    """Slaves behind one Modbus TCP port, for any number of masters, in a thread of its own."""

    def __init__(
        self,
        name: str,
        url: str,
        slaves: Mapping[int, ModbusSlave],
        turnarounds_s: Mapping[int, float],
        trouble: Trouble,
        tally: Tally,
    ) -> None:
        self.name, self.trouble, self.tally = name, trouble, tally
        port = urlsplit(url).port
        self._url, self._port = url, _DEFAULT_PORT if port is None else port
        self._slaves, self._turnarounds_s = slaves, turnarounds_s
        self._listener: socket.socket | None = None
        self._connections: dict[socket.socket, _Connection] = {}
        self._waiting: list[tuple[float, int, _Connection, bytes, str]] = []
        self._numbers = 0
        self._stopping = self._complained = False
        self._wake_read = self._wake_write = -1  # a pipe while it runs
        self._thread = threading.Thread(target=self._run, name=f"simulated {name}", daemon=True)

    @property
    def address(self) -> str:
        """The URL with the port that was taken."""
        return f"tcp://{urlsplit(self._url).hostname}:{self._port}"

    def start(self) -> None:
        """Listen and begin to answer. Raises ConfigError when the port is taken."""
        self.trouble.started_at = time.monotonic()
        self._selector = selectors.DefaultSelector()
        if not self.trouble.now(time.monotonic()).unplugged:
            self._listen()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self._stopping = True
        self.wake()
        self._thread.join(_STOP_S)
        assert not self._thread.is_alive(), f"the simulated line {self.name} does not end"
        self._hang_up()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wake(self) -> None:
        """Look at the faults now."""
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_write, b"!")

    def _run(self) -> None:
        while not self._stopping:
            self._follow_plug()
            wait_s = min(0.1, max(0.0, self._waiting[0][0] - time.monotonic())) if self._waiting else 0.1
            for key, _ in self._selector.select(wait_s):
                if key.fileobj == self._wake_read:
                    os.read(self._wake_read, 1024)
                elif key.fileobj is self._listener:
                    self._accept()
                else:
                    self._hear(key.data)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, connection, data, meter = heapq.heappop(self._waiting)
                self._send(connection, data, meter)

    def _follow_plug(self) -> None:
        unplugged = self.trouble.now(time.monotonic()).unplugged
        if unplugged and self._listener is not None:
            self._hang_up()
        elif not unplugged and self._listener is None:
            try:
                self._listen()
                self._complained = False
            except ConfigError as error:
                if not self._complained:
                    _log.warning("line %s cannot come back: %s", self.name, error)
                self._complained = True

    def _listen(self) -> None:
        self._listener = listen(self._url, self._port)
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _hang_up(self) -> None:
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._waiting.clear()
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            accepted, _ = self._listener.accept()
        except OSError:  # gone again before it was taken
            return
        if len(self._connections) >= CONNECTIONS_MAX:
            accepted.close()
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(accepted)
        self._connections[accepted] = connection
        self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _drop(self, connection: _Connection) -> None:
        if self._connections.pop(connection.socket, None) is not None:
            self._selector.unregister(connection.socket)
            connection.socket.close()

    def _hear(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(READ_MAX)
        except BlockingIOError:
            return
        except OSError:  # reset by the master
            data = b""
        if not data:
            self._drop(connection)
            return
        connection.heard += data
        heard = connection.heard
        while len(heard) >= _HEADER:
            length = int.from_bytes(heard[4:6])
            if heard[2:4] != b"\0\0" or not 2 <= length <= _LENGTH_MAX:
                self.tally.garbled()
                self._drop(connection)
                return
            if len(heard) < 6 + length:
                return
            frame = bytes(heard[: 6 + length])
            del heard[: 6 + length]
            self._answer(connection, frame)

    def _answer(self, connection: _Connection, frame: bytes) -> None:
        at = time.monotonic()
        self.tally.request(at)
        unit = frame[6]
        try:
            request = parse_request_pdu(unit, frame[_HEADER:])
        except Garbled:
            self.tally.garbled()
            return
        slave = self._slaves.get(unit)
        if slave is None:
            return  # as a gateway that waits for its line; the master's time-out decides
        self.tally.asked(slave.name)
        faults = slave.trouble.now(at)
        if faults.silent or not slave.powered:
            return
        response = slave.answer(request)
        if faults.exception:
            response = Response(unit, request.function, exception=faults.exception)
        answer = tcp_frame(int.from_bytes(frame[:2]), unit, response_pdu(response))
        data = slave.trouble.damage(answer, faults)
        delay_s = self._turnarounds_s.get(unit, 0.0) + faults.late_s
        if delay_s:
            if len(self._waiting) >= WAITING_MAX:
                return  # it does not answer any more, as an overrun gateway
            self._numbers += 1
            heapq.heappush(self._waiting, (at + delay_s, self._numbers, connection, data, slave.name))
        else:
            self._send(connection, data, slave.name)

    def _send(self, connection: _Connection, data: bytes, meter: str) -> None:
        if connection.socket not in self._connections:
            return  # it went while the slave was thinking
        try:
            sent = connection.socket.send(data)
        except OSError:
            self._drop(connection)
            return
        if sent < len(data):  # a master that does not read: it would only get the middle of a frame
            self._drop(connection)
            return
        self.tally.answer(meter, time.monotonic(), due_s=0.0)
