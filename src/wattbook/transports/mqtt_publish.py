"""A connection to an MQTT broker that publishes, many messages on their way at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wattbook.codecs.mqtt import (
    Acknowledged,
    Message,
    Version,
    Will,
    encode_connect,
    encode_publish,
    publish_head,
)
from wattbook.model.errors import Unreachable
from wattbook.transports.mqtt_connection import BrokerConnection, open_connection
from wattbook.transports.mqtt_settings import BrokerSettings

ACKNOWLEDGE_S_MAX = 20.0  # without one acknowledgement: the broker took the messages and hangs
UNCONFIRMED_MAX = 500  # messages of quality of service 0 between two questions whether the broker has them
_HEADS_MAX = 10_000  # topics whose packets' beginnings are kept: 100 meters with 50 quantities twice
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_PACKET_HEAD_MAX = 11  # bytes of a PUBLISH besides topic and payload: type, length, id, properties


class Publish(NamedTuple):
    """A message for the broker. A tuple, because tens of thousands a second are made."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A message that the broker does not take, or that nobody is subscribed to (0x10). `place` is among those sent."""

    place: int
    code: int


TOO_LARGE = 0x95  # as a broker calls it
NOBODY_SUBSCRIBED = 0x10


async def connect_publisher(
    settings: BrokerSettings,
    *,
    versions: Sequence[Version],
    ahead_max: int,
    will: Will | None = None,
    topics: Sequence[str] = (),
    listen: Callable[[Message], None] = lambda message: None,
) -> Publisher:
    """Connect with a session of its own, with at most `ahead_max` messages ahead of the acknowledgements.

    `listen` is called for every message of `topics`. Raises Unreachable, or ConfigError when it stays refused until
    somebody acts.
    """
    return await open_connection(
        settings,
        lambda version: Publisher(settings, version, ahead_max=ahead_max, listen=listen),
        lambda connection: connection.introduce(will, topics),
        versions,
    )


class Publisher(BrokerConnection):
    """Publishes one load of messages at a time."""

    def __init__(
        self, settings: BrokerSettings, version: Version, *, ahead_max: int, listen: Callable[[Message], None]
    ) -> None:
        super().__init__(settings, version)
        self._ahead_max, self._listen = ahead_max, listen
        self._packet_size_max = 0
        self.keeps_retained = True
        self._heads: dict[str, tuple[bytes, bytes]] = {}
        self._messages: Sequence[Publish] = ()
        self._next = 0
        self._ahead: dict[int, int] = {}  # packet id -> place of the message
        self._not_taken: list[NotTaken] = []
        self._done: asyncio.Future[None] | None = None

    async def introduce(self, will: Will | None, topics: Sequence[str]) -> None:
        """Say who we are, what is to be said when we are gone, and what we want to hear."""
        settings = self.settings
        hello = encode_connect(
            settings.client_id,
            version=self.version,
            keepalive_s=settings.keepalive_s,
            user=settings.user,
            password=settings.password,
            will=will,
            clean=True,
        )
        welcome = await self.greet(hello)
        self._ahead_max = max(1, min(self._ahead_max, welcome.unacknowledged_max))
        self._packet_size_max = welcome.packet_size_max
        self.keeps_retained = welcome.keeps_retained
        await self.subscribe(topics)

    async def publish(self, messages: Sequence[Publish]) -> list[NotTaken]:
        """Send with quality of service 1; return when the broker has said of each message that it has it, or not.

        Raises Unreachable: what the broker has of them is not known.
        """
        if self.lost:
            raise self.lost
        self._messages, self._next, self._not_taken = messages, 0, []
        self._done = self.loop.create_future()
        try:
            self._fill()
            await self._all_acknowledged(self._done)
        finally:
            self._messages, self._done = (), None
        return self._not_taken

    async def publish_unconfirmed(self, messages: Sequence[Publish]) -> list[NotTaken]:
        """Send with quality of service 0; return when the broker has read them all. Raises Unreachable."""
        refused: list[NotTaken] = []
        for start in range(0, len(messages), UNCONFIRMED_MAX):
            part = messages[start : start + UNCONFIRMED_MAX]
            refused += [NotTaken(start + at, TOO_LARGE) for at, message in enumerate(part) if self._too_large(message)]
            self.publish_now(part)
            await self.barrier()
        return refused

    def publish_now(self, messages: Iterable[Publish]) -> None:
        """Send with quality of service 0 and do not wait. Without effect on a connection that is gone."""
        if not self.lost:
            self.transport.write(b"".join([self._encode(each, 0) for each in messages if not self._too_large(each)]))

    def heard(self, messages: list[Message]) -> None:
        for message in messages:
            self._listen(message)

    def acknowledged(self, acknowledged: Acknowledged) -> None:
        place = self._ahead.pop(acknowledged.packet_id, None)
        if acknowledged.code and place is not None:
            self._not_taken.append(NotTaken(place, acknowledged.code))

    def settled(self) -> None:
        if self._done and not self.lost:
            self._fill()
            if self._ahead:
                self._confirm_receipt()

    def ended(self) -> None:
        if self._done and not self._done.done():
            self._done.set_result(None)

    def _fill(self) -> None:
        """Send as many as may be ahead of the acknowledgements, in one piece."""
        parts: list[bytes] = []
        ahead, messages = self._ahead, self._messages
        while self._next < len(messages) and len(ahead) < self._ahead_max:
            message = messages[self._next]
            if self._packet_size_max and self._too_large(message):
                self._not_taken.append(NotTaken(self._next, TOO_LARGE))
            else:
                while (packet_id := self.next_id()) in ahead:
                    pass  # the broker owes an answer to this one for 65,535 messages
                ahead[packet_id] = self._next
                parts.append(self._encode(message, packet_id))
            self._next += 1
        if parts:
            self.transport.write(b"".join(parts))
        elif not ahead and self._done and not self._done.done():
            self._done.set_result(None)

    def _confirm_receipt(self) -> None:
        """Tell the broker's TCP at once that its acknowledgements arrived.

        mosquitto leaves Nagle's algorithm on: its next small packet waits for ours, and ours, which has no data to ride
        on, would wait for 40 ms. Without this a batch of 100 messages takes 55 ms instead of 5.
        """
        if _QUICK_ACK is not None:
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    async def _all_acknowledged(self, done: asyncio.Future[None]) -> None:
        while not done.done():
            before = (self._next, len(self._ahead))
            await asyncio.wait([done], timeout=ACKNOWLEDGE_S_MAX)
            if not done.done() and before == (self._next, len(self._ahead)):
                raise Unreachable(f"{self.settings} took {len(self._ahead)} messages and acknowledges none of them")
        if self.lost:
            raise self.lost

    def _too_large(self, message: Publish) -> bool:
        size = len(message.payload) + 4 * len(message.topic) + _PACKET_HEAD_MAX  # a character has up to 4 bytes
        if not self._packet_size_max or size <= self._packet_size_max:
            return False
        return len(self._encode(message, 1)) > self._packet_size_max

    def _encode(self, message: Publish, packet_id: int) -> bytes:
        head = self._heads.get(message.topic)
        if head is None:
            if len(self._heads) >= _HEADS_MAX:
                self._heads.clear()
            head = self._heads[message.topic] = publish_head(message.topic, version=self.version)
        return encode_publish(head, message.payload, packet_id, retained=message.retained)
