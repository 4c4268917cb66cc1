"""The sink itself: one connection to a broker, made when it is first needed, and batches that go out over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from wattbook.codecs.mqtt import Message, Version, refusal
from wattbook.model import Batch, Columns, ConfigError, SinkUnavailable
from wattbook.model.errors import Unreachable
from wattbook.sinks.mqtt_speech import Outgoing, Speech
from wattbook.sinks.sink import Rejected, Written
from wattbook.transports.mqtt_publish import (
    NOBODY_SUBSCRIBED,
    TOO_LARGE,
    NotTaken,
    Publish,
    Publisher,
    connect_publisher,
)
from wattbook.transports.mqtt_settings import BrokerSettings

_NEVER_TAKEN = (0x90, TOO_LARGE, 0x99)  # topic, size or payload: the same message again would be refused again
_PARTS_A_SECOND = 4  # a limited rate is kept four times a second: neither all at once nor one by one


@dataclass(frozen=True, slots=True)
class SignOn:
    """Where the broker is and how we sign on there. `password` makes one that holds for `holds_s`."""

    broker: BrokerSettings
    versions: Sequence[Version]
    ahead_max: int
    password: Callable[[], str] | None = None
    holds_s: float = 0.0

    def settings(self) -> BrokerSettings:
        """For one connection."""
        return replace(self.broker, password=self.password()) if self.password else self.broker


class MqttSink:
    """A broker, and what is said to it."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False

    def __init__(self, sign_on: SignOn, speech: Speech, *, rate: int = 0, subscribed: bool = False) -> None:
        self._sign_on, self._speech = sign_on, speech
        self._rate, self._subscribed = rate, subscribed
        self._publisher: Publisher | None = None
        self._signed_on_s = 0.0
        self._greet_again = False
        self._writing = asyncio.Lock()  # one batch at a time: what is said of it has an order

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Publish a batch; return when the broker has acknowledged all of it."""
        async with self._writing, self._errors_in_words():
            publisher = await self._connected()
            self._speech.recall(bookmark)
            outgoing = self._speech.outgoing(batch)
            not_taken = await self._send(publisher, outgoing.messages)
            rejected = self._rejected(outgoing, not_taken)
            if self._greet_again:
                await self._greet(publisher)
            return Written(rejected, self._speech.bookmark())

    async def aclose(self) -> None:
        """Say goodbye and leave."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.publish_now(self._speech.farewell())
            await publisher.aclose()

    @asynccontextmanager
    async def _errors_in_words(self) -> AsyncIterator[None]:
        """Drop the connection when anything goes wrong, a time-out from above included."""
        whole = False
        try:
            yield
            whole = True
        except (Unreachable, ConfigError) as error:
            raise SinkUnavailable(str(error)) from error
        finally:
            if not whole and self._publisher is not None:
                self._publisher.abort()
                self._publisher = None

    async def _connected(self) -> Publisher:
        if self._publisher is not None and not self._publisher.lost and not self._password_ends():
            if reason := self._speech.waits_for():
                await self.aclose()
                raise SinkUnavailable(f"{self._sign_on.broker}: {reason}")
            return self._publisher
        await self.aclose()
        publisher = await connect_publisher(
            self._sign_on.settings(),
            versions=self._sign_on.versions,
            ahead_max=self._sign_on.ahead_max,
            will=self._speech.will(),
            topics=self._speech.topics,
            listen=self._hear,
        )
        self._publisher, self._signed_on_s = publisher, asyncio.get_running_loop().time()
        await publisher.barrier()  # behind it, what is retained on our topics has been heard
        if reason := self._speech.waits_for():
            self._publisher = None  # without a farewell: it was not greeted
            await publisher.aclose()
            raise SinkUnavailable(f"{self._sign_on.broker}: {reason}")
        await self._greet(publisher)
        return publisher

    def _password_ends(self) -> bool:
        holds_s = self._sign_on.holds_s
        return bool(holds_s) and asyncio.get_running_loop().time() - self._signed_on_s >= holds_s

    async def _greet(self, publisher: Publisher) -> None:
        self._greet_again = False
        greeting = Outgoing(self._speech.greeting())
        self._rejected(greeting, await self._send(publisher, greeting.messages))

    def _hear(self, message: Message) -> None:
        """Answer at once, or behind the batch that is on its way."""
        if not self._speech.hear(message):
            return
        if self._publisher is None or self._writing.locked():
            self._greet_again = True
        else:
            self._publisher.publish_now(self._speech.greeting())

    async def _send(self, publisher: Publisher, messages: Sequence[Publish]) -> list[NotTaken]:
        """Send everything, no faster than the rate; return what the broker did not take."""
        if not self._rate:
            return await self._publish(publisher, messages)
        not_taken: list[NotTaken] = []
        size = max(1, self._rate // _PARTS_A_SECOND)
        time = asyncio.get_running_loop().time
        for start in range(0, len(messages), size):
            begun_s, part = time(), messages[start : start + size]
            refused = await self._publish(publisher, part)
            not_taken += [NotTaken(start + each.place, each.code) for each in refused]
            await asyncio.sleep(len(part) / self._rate - (time() - begun_s))
        return not_taken

    async def _publish(self, publisher: Publisher, messages: Sequence[Publish]) -> list[NotTaken]:
        if self._speech.qos:
            return await publisher.publish(messages)
        return await publisher.publish_unconfirmed(messages)

    def _rejected(self, outgoing: Outgoing, not_taken: Sequence[NotTaken]) -> tuple[Rejected, ...]:
        """The readings that the broker will never take. Raises SinkUnavailable when it may take them later."""
        found: dict[tuple[str, str, int], Rejected] = {}
        for columns, row, reason in self._reasons(outgoing, not_taken):
            at_ms = columns.at_ms[row]
            found[columns.site, columns.meter, at_ms] = Rejected(columns.meter, at_ms, reason, columns.site)
        return tuple(found.values())

    def _reasons(self, outgoing: Outgoing, not_taken: Sequence[NotTaken]) -> Iterator[tuple[Columns, int, str]]:
        broker = self._sign_on.broker
        for each in not_taken:
            topic, origin = outgoing.messages[each.place].topic, outgoing.origins.get(each.place)
            if each.code == NOBODY_SUBSCRIBED:
                if self._subscribed and origin:
                    raise SinkUnavailable(
                        f'{broker}: nobody is subscribed to "{topic}"; readings wait until somebody is'
                    )
            elif each.code in _NEVER_TAKEN and origin:
                yield *origin, f'topic "{topic}": {refusal(each.code)}'
            else:
                raise SinkUnavailable(f'{broker} does not take messages on "{topic}": {refusal(each.code)}')
