"""Meters that publish to an MQTT broker. A message is acknowledged when its reading is durable, not before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from wattbook.codecs.mqtt import Message
from wattbook.drivers.json_payload import Payload, parse_json
from wattbook.drivers.source import Listened, Report, Thinner, retries_s
from wattbook.model.clock import STEP_MIN, Clock, latest_believed
from wattbook.model.errors import BookError, ConfigError, Garbled, Unreachable, WattbookError
from wattbook.model.keeping import Keeper
from wattbook.model.reading import Reading
from wattbook.transports.mqtt import BrokerSettings, Connection, connect

COMMIT_MAX = 8_000  # messages kept at once: what waits while a slow card syncs for 0.1 s
_SLICE = 500  # messages decoded in one go: 3 ms of the event loop, which serves the page too
_RETRY_S_MAX = 10.0  # a broker that is being restarted is back in seconds
_REFUSED_S = 60.0  # wrong password, no right to a topic: knocking more often would only fill the broker's log
_BOOK_RETRY_S_MAX = 5.0  # a disk that was full; the broker keeps the messages meanwhile
_STRANGERS_MAX = 1_000  # topics of an earlier configuration to unsubscribe from, each once
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_GRAIN = timedelta(milliseconds=10)

_log = logging.getLogger(__name__)

Connect = Callable[[BrokerSettings, Sequence[str]], Awaitable[Connection]]


def topics_of(meter: Listened) -> Mapping[str, Payload]:
    """The topics a meter publishes on, with what to read there. Raises ConfigError for what is no plain topic."""
    settings = meter.profile.mqtt
    if settings is None:
        raise ConfigError(f'{meter.name}: the model "{meter.profile.name}" does not speak over MQTT')
    groups: dict[str, list[int]] = {}
    for place, its in enumerate(settings.fields):
        groups.setdefault(settings.topic_of(its), []).append(place)
    return {
        _topic(template, meter): Payload([settings.fields[place] for place in places], settings.time)
        for template, places in groups.items()
    }


def _topic(template: str, meter: Listened) -> str:
    address = meter.address
    if "{address}" in template and (not address or any(sign in address for sign in "+#/\0")):
        raise ConfigError(
            f'{meter.name}: address "{address}" cannot be part of an MQTT topic; write the part that stands for'
            f' {{address}} in "{template}", without "/", "+" and "#"'
        )
    topic = template.replace("{address}", address)
    if not topic or any(sign in topic for sign in "+#\0") or len(topic.encode()) > 65_535:
        raise ConfigError(f'{meter.name}: "{topic}" is not the topic of one meter')
    return topic


@dataclass(slots=True)
class _Route:
    """What to do with a message of one topic for one meter."""

    meter: str
    payload: Payload
    place: timedelta  # of this topic among the meter's own: keeps what they tell of one time apart
    thinner: Thinner


@dataclass(slots=True)
class _Batch:
    """What a load of messages came to."""

    latest: datetime  # a later instant is a clock set wrong
    readings: list[Reading] = field(default_factory=list)
    heard: dict[str, list[datetime]] = field(default_factory=dict)


class MqttSource:
    """One broker and the meters that publish there."""

    def __init__(
        self,
        broker: BrokerSettings,
        meters: Sequence[Listened],
        *,
        clock: Clock,
        report: Report,
        connect: Connect = connect,
        commit_max: int = COMMIT_MAX,
    ) -> None:
        self._broker, self._clock, self._report, self._connect = broker, clock, report, connect
        self._commit_max = commit_max
        self._meters = tuple(meter.name for meter in meters)
        self._routes: dict[str, list[_Route]] = {}
        self._arrived: dict[str, datetime] = {}  # last instant given to a message without a time of its own
        self._received = clock.now()  # the last messages of any meter
        self._strangers: set[str] = set()
        for meter in meters:
            for place, (topic, payload) in enumerate(topics_of(meter).items()):
                route = _Route(meter.name, payload, place * _GRAIN, Thinner(meter.every_s))
                self._routes.setdefault(topic, []).append(route)

    async def run(self, keep: Keeper) -> None:
        """Listen until cancelled. A broker that refuses us is asked again too: what is wrong may be mended there."""
        waits_s = retries_s(_RETRY_S_MAX)
        while True:
            begun_s = self._clock.monotonic()
            try:
                connection = await self._connect(self._broker, tuple(self._routes))
                _log.info("%s: connected, %d topics", self._broker, len(self._routes))
                try:
                    await self._listen(connection, keep)
                finally:
                    await connection.aclose()
            except Unreachable as error:
                self._lost(error)
                if self._clock.monotonic() - begun_s > _RETRY_S_MAX:
                    waits_s = retries_s(_RETRY_S_MAX)  # only now: two clients of one name would else chase each other
                await asyncio.sleep(next(waits_s))
            except ConfigError as error:
                self._lost(error)
                await asyncio.sleep(_REFUSED_S)

    def _lost(self, error: WattbookError) -> None:
        for meter in self._meters:
            self._report.lost(meter, str(error))

    async def _listen(self, connection: Connection, keep: Keeper) -> None:
        while True:
            messages = await connection.receive(self._commit_max)
            now = self._now()
            batch = _Batch(latest_believed(now))
            for start in range(0, len(messages), _SLICE):
                self._decode(connection, messages[start : start + _SLICE], now, batch)
                await asyncio.sleep(0)
            if batch.readings:
                await self._keep(keep, batch.readings)
            connection.acknowledge(messages)
            for meter, instants in batch.heard.items():
                self._report.heard(meter, instants[-1], len(instants))

    def _now(self) -> datetime:
        """The moment of arrival; a clock that was set back is believed, whatever instants were given before."""
        now = self._clock.now()
        if self._received - now > STEP_MIN:
            self._arrived.clear()
        self._received = now
        return now

    async def _keep(self, keep: Keeper, readings: Sequence[Reading]) -> None:
        """Return when the readings are durable. A book that is full for now is asked again: the broker waits."""
        for wait_s in retries_s(_BOOK_RETRY_S_MAX):
            try:
                await keep.keep(readings)
                return
            except BookError as error:
                if not error.retry:
                    raise
                _log.warning("%s: messages wait, because the book does not take them: %s", self._broker, error)
                await asyncio.sleep(wait_s)

    def _decode(self, connection: Connection, messages: Sequence[Message], now: datetime, batch: _Batch) -> None:
        for message in messages:
            routes = self._routes.get(message.topic)
            if routes is None:
                self._forget(connection, message.topic)
                continue
            try:
                if message.size != len(message.payload):
                    raise Garbled(f"a payload of {message.size} bytes is too long")
                document = parse_json(message.payload)
            except Garbled as error:
                for route in routes:
                    self._report.garbled(route.meter, f"{message.topic}: {error}")
                continue
            for route in routes:
                try:
                    self._read(route, document, message, now, batch)
                except Garbled as error:
                    self._report.garbled(route.meter, f"{message.topic}: {error}")

    def _read(self, route: _Route, document: object, message: Message, now: datetime, batch: _Batch) -> None:
        """Add the reading of one message to the batch, if it is to be kept. Raises Garbled."""
        payload, meter = route.payload, route.meter
        at = payload.at(document)
        if at is None:
            if message.retained:
                return  # the broker's last known value: when it was measured is not known, and now is wrong
            at = self._arrival(meter, now)
        elif not _EARLIEST <= at <= batch.latest:
            raise Garbled(f"its clock says {at.isoformat()}; set it")
        else:
            at += route.place
        values = payload.values(document)
        heard = batch.heard.get(meter)
        if heard is None:
            heard = batch.heard[meter] = []
        heard.append(at)
        if route.thinner.takes(at):
            batch.readings.append(Reading(meter, at, values))

    def _arrival(self, meter: str, now: datetime) -> datetime:
        """The moment of arrival, strictly rising for each meter: two messages of one moment are two readings."""
        last = self._arrived.get(meter)
        at = now if last is None or now > last else last + _GRAIN
        self._arrived[meter] = at
        return at

    def _forget(self, connection: Connection, topic: str) -> None:
        """The session still holds a topic that is no longer configured."""
        if topic in self._strangers or len(self._strangers) >= _STRANGERS_MAX:
            return
        self._strangers.add(topic)
        _log.info("%s: no meter is configured for the topic %r; it is no longer asked for", self._broker, topic)
        connection.forget(topic)
