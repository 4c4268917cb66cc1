"""A connection to an MQTT broker that hands out messages and acknowledges them when it is told to."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable, Sequence
from typing import Protocol

from wattbook.codecs.mqtt import (
    ACT,
    DISCONNECT,
    PING,
    WRONG_VERSION,
    Connected,
    Dismissed,
    Message,
    Packet,
    Pong,
    Receiver,
    Subscribed,
    Version,
    encode_acknowledge,
    encode_connect,
    encode_subscribe,
    encode_unsubscribe,
    refusal,
)
from wattbook.model.errors import ConfigError, Garbled, Unreachable
from wattbook.transports.mqtt_settings import BrokerSettings, parse_broker, session_name
from wattbook.transports.tls import TlsSettings, tls_context

__all__ = ["BrokerSettings", "Connection", "TlsSettings", "connect", "parse_broker", "session_name"]

_ANSWER_S_MAX = 10.0  # for the connection, the welcome and each subscription; brokers answer within a round trip
_CLOSE_S_MAX = 1.0  # for the last bytes to leave: a stop must not hang on a dead network
_TOPICS_A_PACKET = 100  # keeps SUBSCRIBE below the 64 KiB that small brokers take
_WAITING_MAX = 8_192  # messages heard and not yet taken: a fifth of a second at full speed; then reading pauses
_UNACKNOWLEDGED_MAX = 16_384  # two such loads: one being kept, one gathering

_log = logging.getLogger(__name__)


class Connection(Protocol):
    """What a source needs of a broker."""

    async def receive(self, limit: int) -> list[Message]:
        """Wait for messages and return those that wait, at most `limit`. Raises Unreachable when the broker is gone."""
        ...

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Tell the broker that these are kept. Without effect on a connection that is gone: it sends them again."""
        ...

    def forget(self, topic: str) -> None:
        """Unsubscribe from a topic of an earlier configuration."""
        ...

    async def aclose(self) -> None:
        """Leave the broker. The session stays, and with it what was not acknowledged."""
        ...


async def connect(
    settings: BrokerSettings, topics: Sequence[str], versions: Sequence[Version] = (Version.V5, Version.V3)
) -> Connection:
    """Connect, continue the session and subscribe.

    Version 5 comes first: there we say how many messages may come ahead of our acknowledgements (else the broker does:
    mosquitto 20), and the broker says in words why it turns us away. Raises Unreachable, or ConfigError when it stays
    refused until somebody acts.
    """
    context = tls_context(settings.tls) if settings.tls else None
    for version in versions[:-1]:
        try:
            return await _connect(settings, topics, context, version)
        except _WrongVersion as error:
            _log.info("%s; trying an older version", error)
    return await _connect(settings, topics, context, versions[-1])


class _WrongVersion(Unreachable):
    """The broker speaks an older MQTT."""


async def _connect(
    settings: BrokerSettings, topics: Sequence[str], context: ssl.SSLContext | None, version: Version
) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_ANSWER_S_MAX):
            _, connection = await loop.create_connection(
                lambda: _Connection(settings, version),
                settings.host,
                settings.port,
                ssl=context,
                server_hostname=settings.host if context else None,
            )
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(f"{settings}: its certificate is not trusted ({error.verify_message})") from error
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"no broker at {settings}: {error or 'no answer'}") from error
    try:
        await connection.introduce(topics)
    except BaseException:
        connection.abort()
        raise
    return connection


class _Connection(asyncio.Protocol):
    """One TCP connection. Its end is final: the source makes a new one."""

    def __init__(self, settings: BrokerSettings, version: Version) -> None:
        self._settings, self._version = settings, version
        self._loop = asyncio.get_running_loop()
        self._receiver = Receiver(version)
        self._waiting: list[Message] = []
        self._wake = asyncio.Event()
        self._closed = asyncio.Event()
        self._answer: asyncio.Future[Packet] | None = None
        self._lost: Unreachable | ConfigError | None = None
        self._paused = False
        self._welcome = False
        self._keepalive_s = settings.keepalive_s
        self._introduced = False  # until then reading never pauses: an answer may stand behind a kept session's backlog
        self._packet_id = 0
        self._heard_s = self._loop.time()
        self._ticker: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        try:
            packets = self._receiver.feed(data)
        except Garbled as error:
            self._end(Unreachable(f"{self._settings} sent what is no MQTT: {error}"))
            return
        waiting = self._waiting
        for packet in packets:
            if isinstance(packet, Message):
                waiting.append(packet)
            else:
                self._take(packet)
        if waiting:
            self._wake.set()
            if len(waiting) >= _WAITING_MAX and self._introduced and not self._paused:
                self._paused = True
                self._transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        reason = f"{self._settings} closed the connection" + (f": {error}" if error else "")
        self._end(Unreachable(reason) if self._welcome else _WrongVersion(reason))
        self._closed.set()

    # what the source calls

    async def introduce(self, topics: Sequence[str]) -> None:
        """Say who we are and what we want to hear."""
        settings = self._settings
        hello = encode_connect(
            settings.client_id,
            version=self._version,
            keepalive_s=settings.keepalive_s,
            user=settings.user,
            password=settings.password,
            unacknowledged_max=_UNACKNOWLEDGED_MAX,
        )
        answer = await self._ask(hello)
        if not isinstance(answer, Connected):
            raise Unreachable(f"{settings} did not welcome us")
        if answer.code:
            raise self._refused(answer.code)
        self._welcome = True
        if answer.keepalive_s:
            self._keepalive_s = min(answer.keepalive_s, settings.keepalive_s)  # asking more often is always allowed
        self._tick()
        for start in range(0, len(topics), _TOPICS_A_PACKET):
            await self._subscribe(topics[start : start + _TOPICS_A_PACKET])
        self._introduced = True

    async def _subscribe(self, topics: Sequence[str]) -> None:
        answer = await self._ask(encode_subscribe(self._next_id(), topics, version=self._version))
        if not isinstance(answer, Subscribed) or len(answer.codes) != len(topics):
            raise Unreachable(f"{self._settings} did not answer to a subscription")
        for topic, code in zip(topics, answer.codes, strict=True):
            if code >= 0x80:
                raise ConfigError(f'{self._settings} does not let this user read the topic "{topic}"')

    async def receive(self, limit: int) -> list[Message]:
        while not self._waiting:
            if self._lost:
                raise self._lost
            self._wake.clear()
            await self._wake.wait()
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        if self._paused and len(self._waiting) < _WAITING_MAX // 2 and not self._lost:
            self._paused = False
            self._transport.resume_reading()
        return taken

    def acknowledge(self, messages: Iterable[Message]) -> None:
        if not self._lost:
            self._transport.write(encode_acknowledge([message.packet_id for message in messages]))

    def forget(self, topic: str) -> None:
        if not self._lost:
            self._transport.write(encode_unsubscribe(self._next_id(), [topic], version=self._version))

    async def aclose(self) -> None:
        if not self._lost:
            self._transport.write(DISCONNECT)
            self._transport.close()
        try:
            async with asyncio.timeout(_CLOSE_S_MAX):
                await self._closed.wait()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._stop_ticking()
        self._transport.abort()

    # inside

    async def _ask(self, packet: bytes) -> Packet:
        if self._lost:
            raise self._lost
        self._answer = self._loop.create_future()
        self._transport.write(packet)
        try:
            async with asyncio.timeout(_ANSWER_S_MAX):
                return await self._answer
        except TimeoutError as error:
            raise Unreachable(f"{self._settings} does not answer as an MQTT broker") from error
        finally:
            self._answer = None

    def _take(self, packet: Packet) -> None:
        if isinstance(packet, Dismissed):
            self._end(self._refused(packet.code))
        elif isinstance(packet, Connected | Subscribed) and self._answer and not self._answer.done():
            self._answer.set_result(packet)
        else:
            assert isinstance(packet, Connected | Subscribed | Pong)

    def _refused(self, code: int) -> Unreachable | ConfigError:
        message = f"{self._settings} turned us away: {refusal(code)}"
        if code in WRONG_VERSION:
            return _WrongVersion(message)
        return ConfigError(message) if code in ACT else Unreachable(message)

    def _end(self, error: Unreachable | ConfigError) -> None:
        """The connection is of no use any more; the first reason stands."""
        if self._lost:
            return
        self._lost = error
        self._waiting = [message for message in self._waiting if not message.packet_id]  # the others are sent again
        self._stop_ticking()
        self._wake.set()
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)
        self._transport.close()

    def _tick(self) -> None:
        """Keep the connection alive, and find out when it is not."""
        keepalive_s = self._keepalive_s
        if self._loop.time() - self._heard_s > 1.5 * keepalive_s and not self._paused:
            self._end(Unreachable(f"{self._settings} has been silent for {1.5 * keepalive_s:.0f} s"))
            self._transport.abort()
            return
        self._transport.write(PING)
        self._ticker = self._loop.call_later(keepalive_s / 2, self._tick)

    def _stop_ticking(self) -> None:
        if self._ticker:
            self._ticker.cancel()
            self._ticker = None

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id
