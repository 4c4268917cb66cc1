"""One TCP connection to an MQTT broker: greeting, subscriptions, keep-alive, end. What it is for is added to it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from wattbook.codecs.mqtt import (
    ACT,
    DISCONNECT,
    PING,
    WRONG_VERSION,
    Acknowledged,
    Connected,
    Dismissed,
    Message,
    Packet,
    Pong,
    Receiver,
    Subscribed,
    Version,
    encode_subscribe,
    refusal,
)
from wattbook.model.errors import ConfigError, Garbled, Unreachable
from wattbook.transports.connection_words import connection_words
from wattbook.transports.mqtt_settings import BrokerSettings
from wattbook.transports.tls import tls_context, tls_words

ANSWER_S_MAX = 10.0  # for the connection, the welcome and each subscription; brokers answer within a round trip
_CLOSE_S_MAX = 1.0  # for the last bytes to leave: a stop must not hang on a dead network
_TOPICS_A_PACKET = 100  # keeps SUBSCRIBE below the 64 KiB that small brokers take

_log = logging.getLogger(__name__)


class WrongVersion(Unreachable):
    """The broker speaks an older MQTT."""


class BrokerConnection(asyncio.Protocol):
    """Its end is final: whoever wants to go on makes a new one. `lost` says why it ended."""

    def __init__(self, settings: BrokerSettings, version: Version) -> None:
        self.settings, self.version = settings, version
        self.loop = asyncio.get_running_loop()
        self.lost: Unreachable | ConfigError | None = None
        self.packet_id = 0
        self.transport: asyncio.Transport
        self._receiver = Receiver(version)
        self._closed = asyncio.Event()
        self._answer: asyncio.Future[Packet] | None = None
        self._welcome = False
        self._keepalive_s = settings.keepalive_s
        self._heard_s = self.loop.time()
        self._ticker: asyncio.TimerHandle | None = None
        self._pings = self._pongs = 0
        self._barriers: list[tuple[int, asyncio.Future[None]]] = []

    # what is added

    def heard(self, messages: list[Message]) -> None:
        """Take messages of topics that were subscribed to."""
        raise NotImplementedError

    def acknowledged(self, acknowledged: Acknowledged) -> None:
        """Take the broker's word on a message of ours. A subscriber has none."""

    def settled(self) -> None:
        """All packets of one load of bytes are taken."""

    def ended(self) -> None:
        """The connection is of no use any more: wake whoever waits."""

    def deaf(self) -> bool:
        """Whether we do not read, so that silence says nothing about the broker."""
        return False

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard_s = self.loop.time()
        try:
            packets = self._receiver.feed(data)
        except Garbled as error:
            self._end(Unreachable(f"{self.settings} sent what is no MQTT: {error}"))
            return
        messages: list[Message] = []
        for packet in packets:
            if isinstance(packet, Message):
                messages.append(packet)
            elif isinstance(packet, Acknowledged):
                self.acknowledged(packet)
            else:
                self._take(packet)
        if messages:
            self.heard(messages)
        self.settled()

    def connection_lost(self, error: Exception | None) -> None:
        why = self._why_closed(error)
        reason = f"{self.settings} closed the connection" + (f": {why}" if why else "")
        self._end(Unreachable(reason) if self._welcome else WrongVersion(reason))
        self._closed.set()

    def _why_closed(self, error: Exception | None) -> str:
        """In words. A broker that does not like our certificate may close after the greeting of TLS (version 1.3)."""
        if isinstance(error, ssl.SSLError):
            return tls_words(error)
        if self.settings.tls and not self._welcome:
            return 'does it ask for a "certificate" of ours, and does it trust the one it got?'
        return str(error or "")

    # what is done with it

    async def greet(self, hello: bytes) -> Connected:
        """Say who we are, return the broker's welcome. Raises Unreachable or ConfigError."""
        answer = await self._ask(hello)
        if not isinstance(answer, Connected):
            raise Unreachable(f"{self.settings} did not welcome us")
        if answer.code:
            raise self._refused(answer.code)
        self._welcome = True
        if answer.keepalive_s:
            self._keepalive_s = min(answer.keepalive_s, self._keepalive_s)  # asking more often is always allowed
        self._tick()
        return answer

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for the messages of topics. Raises ConfigError when one is refused."""
        for start in range(0, len(topics), _TOPICS_A_PACKET):
            await self._subscribe(topics[start : start + _TOPICS_A_PACKET])

    async def barrier(self) -> None:
        """Return when the broker has taken everything that was sent before. Raises Unreachable."""
        self._ping()
        passed: asyncio.Future[None] = self.loop.create_future()
        self._barriers.append((self._pings, passed))
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await passed
        except TimeoutError as error:
            raise Unreachable(f"{self.settings} does not answer") from error
        if self.lost:
            raise self.lost

    async def aclose(self) -> None:
        """Leave the broker with a word."""
        if not self.lost:
            self.transport.write(DISCONNECT)
            self.transport.close()
        try:
            async with asyncio.timeout(_CLOSE_S_MAX):
                await self._closed.wait()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._stop_ticking()
        self.transport.abort()

    def next_id(self) -> int:
        """The number of the next packet that wants an answer."""
        self.packet_id = self.packet_id % 65_535 + 1
        return self.packet_id

    # inside

    async def _subscribe(self, topics: Sequence[str]) -> None:
        answer = await self._ask(encode_subscribe(self.next_id(), topics, version=self.version))
        if not isinstance(answer, Subscribed) or len(answer.codes) != len(topics):
            raise Unreachable(f"{self.settings} did not answer to a subscription")
        for topic, code in zip(topics, answer.codes, strict=True):
            if code >= 0x80:
                raise ConfigError(f'{self.settings} does not let this user read the topic "{topic}"')

    async def _ask(self, packet: bytes) -> Packet:
        if self.lost:
            raise self.lost
        self._answer = self.loop.create_future()
        self.transport.write(packet)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._answer
        except TimeoutError as error:
            raise Unreachable(f"{self.settings} does not answer as an MQTT broker") from error
        finally:
            self._answer = None

    def _take(self, packet: Connected | Subscribed | Pong | Dismissed) -> None:
        match packet:
            case Dismissed():
                self._end(self._refused(packet.code))
            case Pong():
                self._pongs += 1
                self._pass_barriers(self._pongs)
            case Connected() | Subscribed():
                if self._answer and not self._answer.done():
                    self._answer.set_result(packet)

    def _pass_barriers(self, upto: int) -> None:
        for number, passed in self._barriers:
            if number <= upto and not passed.done():
                passed.set_result(None)
        self._barriers = [waiting for waiting in self._barriers if waiting[0] > upto]

    def _refused(self, code: int) -> Unreachable | ConfigError:
        message = f"{self.settings} turned us away: {refusal(code)}"
        if code in WRONG_VERSION:
            return WrongVersion(message)
        return ConfigError(message) if code in ACT else Unreachable(message)

    def _end(self, error: Unreachable | ConfigError) -> None:
        """The connection is of no use any more; the first reason stands."""
        if self.lost:
            return
        self.lost = error
        self._stop_ticking()
        self.ended()
        self._pass_barriers(self._pings)
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)
        self.transport.close()

    def _tick(self) -> None:
        """Keep the connection alive, and find out when it is not."""
        keepalive_s = self._keepalive_s
        if self.loop.time() - self._heard_s > 1.5 * keepalive_s and not self.deaf():
            self._end(Unreachable(f"{self.settings} has been silent for {1.5 * keepalive_s:.0f} s"))
            self.transport.abort()
            return
        self._ping()
        self._ticker = self.loop.call_later(keepalive_s / 2, self._tick)

    def _ping(self) -> None:
        if not self.lost:
            self._pings += 1
            self.transport.write(PING)

    def _stop_ticking(self) -> None:
        if self._ticker:
            self._ticker.cancel()
            self._ticker = None


Made = TypeVar("Made", bound=BrokerConnection)


async def open_connection(
    settings: BrokerSettings,
    make: Callable[[Version], Made],
    introduce: Callable[[Made], Awaitable[None]],
    versions: Sequence[Version],
) -> Made:
    """Connect with the first version that the broker speaks, and introduce us.

    Raises Unreachable, or ConfigError when it stays refused until somebody acts.
    """
    context = tls_context(settings.tls) if settings.tls else None
    if context and settings.alpn:
        context.set_alpn_protocols([settings.alpn])
    for version in versions[:-1]:
        try:
            return await _open(settings, make, introduce, context, version)
        except WrongVersion as error:
            _log.info("%s; trying an older version", error)
    return await _open(settings, make, introduce, context, versions[-1])


async def _open(
    settings: BrokerSettings,
    make: Callable[[Version], Made],
    introduce: Callable[[Made], Awaitable[None]],
    context: ssl.SSLContext | None,
    version: Version,
) -> Made:
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: make(version),
                settings.host,
                settings.port,
                ssl=context,
                server_hostname=settings.host if context else None,
            )
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(f"{settings}: its certificate is not trusted ({error.verify_message})") from error
    except (OSError, TimeoutError) as error:
        why = (tls_words(error) if context else "") or (connection_words(error) if str(error) else "no answer")
        raise Unreachable(f"no broker at {settings}: {why}") from error
    try:
        await introduce(connection)
    except BaseException:
        connection.abort()
        raise
    return connection
