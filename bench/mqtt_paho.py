"""paho-mqtt behind the same interface as our own subscriber: the peer that bench.ingest_mqtt compares with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from wattbook.codecs.mqtt import Message
from wattbook.transports.mqtt import BrokerSettings, Connection

_WAITING_MAX = 8_192


class PahoConnection:
    """paho's own thread fills a list; acknowledgements are its `ack`."""

    def __init__(self, settings: BrokerSettings, topics: Sequence[str], *, version: MQTTProtocolVersion) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._waiting: list[Message] = []
        self._topics = topics
        clean = None if version is MQTTProtocolVersion.MQTTv5 else False
        self._client = Client(
            CallbackAPIVersion.VERSION2, settings.client_id, clean_session=clean, protocol=version, manual_ack=True
        )
        self._client.on_message = self._message
        self._client.on_connect = self._connected
        options: dict[str, Any] = {}
        if version is MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own gap
            properties.SessionExpiryInterval, properties.ReceiveMaximum = 0xFFFFFFFF, 16_384
            options = {"clean_start": False, "properties": properties}
        self._client.connect(settings.host, settings.port, **options)
        self._client.loop_start()

    def _connected(self, client: Client, *_: Any) -> None:
        for start in range(0, len(self._topics), 100):
            client.subscribe([(topic, 1) for topic in self._topics[start : start + 100]])

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        payload = bytes(message.payload)
        self._waiting.append(Message(message.topic, payload, message.mid, message.retain, len(payload)))
        if len(self._waiting) == 1:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def receive(self, limit: int) -> list[Message]:
        while not self._waiting:
            self._wake.clear()
            if not self._waiting:
                await self._wake.wait()
        taken = self._waiting[:limit]
        del self._waiting[:limit]
        return taken

    def acknowledge(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._client.ack(message.packet_id, 1)

    def forget(self, topic: str) -> None:
        self._client.unsubscribe(topic)

    async def aclose(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def connect_3(settings: BrokerSettings, topics: Sequence[str]) -> Connection:
    """Connect with version 3.1.1, as is paho's default."""
    return PahoConnection(settings, topics, version=MQTTProtocolVersion.MQTTv311)


async def connect_5(settings: BrokerSettings, topics: Sequence[str]) -> Connection:
    """Connect with version 5 and as many messages ahead as ours."""
    return PahoConnection(settings, topics, version=MQTTProtocolVersion.MQTTv5)
