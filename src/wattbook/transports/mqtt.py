"""A connection to an MQTT broker that hands out messages and acknowledges them when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from wattbook.codecs.mqtt import (
    Message,
    Version,
    encode_acknowledge,
    encode_connect,
    encode_unsubscribe,
)
from wattbook.transports.mqtt_connection import BrokerConnection, open_connection
from wattbook.transports.mqtt_settings import BrokerSettings, parse_broker, session_name
from wattbook.transports.tls import TlsSettings

__all__ = ["BrokerSettings", "Connection", "TlsSettings", "connect", "parse_broker", "session_name"]

_WAITING_MAX = 8_192  # messages heard and not yet taken: a fifth of a second at full speed; then reading pauses
_UNACKNOWLEDGED_MAX = 16_384  # two such loads: one being kept, one gathering


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
    return await open_connection(
        settings,
        lambda version: _Subscriber(settings, version),
        lambda connection: connection.introduce(topics),
        versions,
    )


class _Subscriber(BrokerConnection):
    """A connection that keeps what it hears until it is taken."""

    def __init__(self, settings: BrokerSettings, version: Version) -> None:
        super().__init__(settings, version)
        self._waiting: list[Message] = []
        self._wake = asyncio.Event()
        self._paused = False
        self._introduced = False  # until then reading never pauses: an answer may stand behind a kept session's backlog

    async def introduce(self, topics: Sequence[str]) -> None:
        """Say who we are and what we want to hear."""
        settings = self.settings
        await self.greet(
            encode_connect(
                settings.client_id,
                version=self.version,
                keepalive_s=settings.keepalive_s,
                user=settings.user,
                password=settings.password,
                unacknowledged_max=_UNACKNOWLEDGED_MAX,
            )
        )
        await self.subscribe(topics)
        self._introduced = True

    def heard(self, messages: list[Message]) -> None:
        if self.lost:
            messages = [message for message in messages if not message.packet_id]
        self._waiting += messages
        self._wake.set()
        if len(self._waiting) >= _WAITING_MAX and self._introduced and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def deaf(self) -> bool:
        return self._paused

    def ended(self) -> None:
        self._waiting = [message for message in self._waiting if not message.packet_id]  # the others are sent again
        self._wake.set()

    async def receive(self, limit: int) -> list[Message]:
        while not self._waiting:
            if self.lost:
                raise self.lost
            self._wake.clear()
            await self._wake.wait()
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        if self._paused and len(self._waiting) < _WAITING_MAX // 2 and not self.lost:
            self._paused = False
            self.transport.resume_reading()
        return taken

    def acknowledge(self, messages: Iterable[Message]) -> None:
        if not self.lost:
            self.transport.write(encode_acknowledge([message.packet_id for message in messages]))

    def forget(self, topic: str) -> None:
        if not self.lost:
            self.transport.write(encode_unsubscribe(self.next_id(), [topic], version=self.version))
