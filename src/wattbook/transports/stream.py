"""A TCP connection on which codecs' conversations are played in the event loop: Modbus TCP, with or without TLS.

What arrives is looked at where it arrives: the loop writes into one buffer per connection (a new one of 256 KB for
each read, as asyncio's own streams take it, costs more than decoding an answer), and the task that plays is woken when
the answer is complete. There is one timer per connection: it is moved when it rings, not with every poll.
"""

from __future__ import annotations

import asyncio
import ssl

from wattbook.codecs.conversation import Conversation, Pause, Receive, Send, SetBaud, T
from wattbook.transports.link import LinkLost
from wattbook.transports.play import Wire
from wattbook.transports.tcp import CONNECT_S_MAX, ask_for_life, no_connection
from wattbook.transports.tls import tls_words

_BUFFER_SIZE = 4096  # answers have at most 260 bytes; what is more is read in turns
_UNREAD_MAX = 65_536  # bytes that nobody asked for
_UNSENT_MAX = 4096  # bytes that the other end does not take: requests of minutes
_FEW = " before it said anything; it may serve only few at a time: close the others, or put its meters on one line"
_MAYBE_CERTIFICATE = (
    ' after the TLS greeting; does it ask for a "certificate" of ours, or serve only few connections at a time?'
)
_TLS_CONNECT_S_MAX, _GREETING_S_MAX = 10.0, 7.0  # a gateway's small processor calculates for seconds


class Stream(asyncio.BufferedProtocol):
    """One connection; its end is final. Conversations are played one after another, by one task."""

    def __init__(self, wire: Wire | None = None) -> None:
        self.lost = ""  # why the connection is gone, in words
        self.ever_heard = False  # anything at all
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(_BUFFER_SIZE))
        self._heard = b""  # of the answer being waited for, or what came before anybody waits
        self._step: Receive | None = None
        self._waiter: asyncio.Future[bytes] | None = None
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    async def play(self, conversation: Conversation[T]) -> T:
        """Return what the conversation returns, or raise what it raises; LinkLost when the connection is gone.

        Unlike on a serial line nothing heard is dropped: the codec itself tells late answers from its own.
        """
        answer: bytes | None = None
        try:
            while True:
                # A generator is started by sending None, which its type does not say.
                step = conversation.send(answer)  # type: ignore[arg-type]
                answer = None
                match step:
                    case Receive():
                        answer = await self._receive(step)
                    case Send():
                        self._send(step.data)
                    case Pause(seconds):
                        await asyncio.sleep(seconds)
                    case SetBaud():
                        pass  # a network has no speed to set
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            conversation.close()

    def close(self) -> None:
        """Hang up, at once."""
        self._lose("the connection is closed")

    def _send(self, data: bytes) -> None:
        if self.lost:
            raise LinkLost(self.lost)
        self._transport.write(data)
        if self._wire:
            self._wire(">", data)

    async def _receive(self, step: Receive) -> bytes:
        """Wait for an answer, as `Receive` says; return what came, complete or not."""
        if self._heard and self._complete(step):
            return self._take()
        if self.lost:
            raise LinkLost(self.lost)
        self._step, self._waiter = step, self._loop.create_future()
        self._wait_until(self._loop.time() + step.timeout_s)
        try:
            return await self._waiter
        finally:
            self._step = self._waiter = None

    def _complete(self, step: Receive) -> bool:
        return step.missing(self._heard) <= 0 or len(self._heard) >= step.size_max

    def _take(self) -> bytes:
        heard, self._heard = self._heard, b""
        if self._wire and heard:
            self._wire("<", heard)
        return heard

    def _wait_until(self, deadline_s: float) -> None:
        """Be woken then. A timer that rings earlier is left alone and moved when it rings."""
        self._deadline_s = deadline_s
        if self._timer is not None:
            if self._timer.when() <= deadline_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline_s:
            self._wait_until(self._deadline_s)
        else:
            self._waiter.set_result(self._take())

    def _lose(self, why: str) -> None:
        """The connection is gone; the first reason counts."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.lost:
            return
        self.lost = why
        self._transport.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(LinkLost(why))

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_UNSENT_MAX)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.ever_heard = True
        new = bytes(self._buffer[:nbytes])
        self._heard = self._heard + new if self._heard else new
        step, waiter = self._step, self._waiter
        if step is None or waiter is None or waiter.done():
            if len(self._heard) > _UNREAD_MAX:
                self._lose("the other end talks without being asked")
        elif self._complete(step):
            waiter.set_result(self._take())
        else:
            self._wait_until(self._loop.time() + step.gap_s)

    def pause_writing(self) -> None:
        self._lose("the other end does not take what is sent")

    def connection_lost(self, exc: Exception | None) -> None:
        tls = tls_words(exc) if isinstance(exc, ssl.SSLError) else ""
        if tls:
            self._lose(f"the connection broke: {tls}")
        elif exc is None or isinstance(exc, ConnectionError):
            self._lose(f"the other end closed the connection{'' if self.ever_heard else self._advice()}")
        else:
            self._lose(f"the connection broke ({exc})")

    def _advice(self) -> str:
        """What to do about an end that hung up before it said anything."""
        # Since TLS 1.3 a client learns that its certificate is missing after the greeting, or by a closed connection.
        return _MAYBE_CERTIFICATE if self._transport.get_extra_info("ssl_object") else _FEW


async def connect(host: str, port: int, *, tls: ssl.SSLContext | None = None, wire: Wire | None = None) -> Stream:
    """Connect, and with `tls` greet and check the other's certificate. Raises LinkLost when that fails.

    `wire` (">" or "<", bytes) sees what is sent and heard.
    """
    loop, name = asyncio.get_running_loop(), f"{host}:{port}"
    try:
        async with asyncio.timeout(_TLS_CONNECT_S_MAX if tls else CONNECT_S_MAX):
            transport, stream = await loop.create_connection(
                lambda: Stream(wire),
                host,
                port,
                ssl=tls,
                server_hostname=host if tls else None,
                ssl_handshake_timeout=_GREETING_S_MAX if tls else None,
            )
    except OSError as error:  # TimeoutError is one
        if tls and (words := tls_words(error)):
            raise LinkLost(f"no connection: {words}", meter=name) from error
        raise no_connection(error, name) from error
    ask_for_life(transport.get_extra_info("socket"))
    return stream
