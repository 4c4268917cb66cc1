"""A Sparkplug B edge node: births, deaths, and every reading as the data of a device.

The node is wattbook, a device is a meter, a metric is a quantity. A reading that is older than the newest one told of
its meter goes out with the historical flag, so a backlog and live values may be mixed. Births and data have quality of
service 0, because the specification asks for it. Where a primary host is named, nothing is said while it is away.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from wattbook.codecs.mqtt import Message, Will
from wattbook.codecs.sparkplug import (
    Metric,
    asks_for_rebirth,
    data_metric_head,
    data_metric_middle,
    data_metric_value,
    encode_birth_metric,
    encode_births_and_deaths,
    encode_controls,
    encode_payload,
)
from wattbook.model import Batch, Columns
from wattbook.model.around import Surroundings
from wattbook.model.batch import BEFORE_ALL_MS, GOOD_CODE, NO_DOUBT, to_ms
from wattbook.model.clock import Clock
from wattbook.model.errors import Garbled
from wattbook.model.vocabulary import quantity
from wattbook.sinks.mqtt_sparkplug_host import SparkplugHost
from wattbook.sinks.mqtt_speech import Outgoing
from wattbook.sinks.mqtt_topics import escape_name
from wattbook.transports.mqtt_publish import Publish

_COUNTERS = 256  # seq and bdSeq are one byte

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Device:
    """A meter as the host knows it."""

    topic_name: str
    metrics: dict[str, Metric] = field(default_factory=dict)
    newest_ms: int = BEFORE_ALL_MS
    last: dict[str, tuple[int, float]] = field(default_factory=dict)  # quantity -> when, value


class SparkplugSpeech:
    """What an edge node says. `seq` counts its messages, so they must all be sent, and in order."""

    qos = 0

    def __init__(self, group: str, node: str, around: Surroundings, clock: Clock, host: str = "") -> None:
        self._group, self._node = escape_name(group), escape_name(node)
        self._around, self._clock = around, clock
        self._devices: dict[tuple[str, str], _Device] = {}
        self._aliases = 0
        self._seq = 0
        # One more than at the last connection; after a restart any other number than the last will do.
        self._births = int(clock.now().timestamp()) % _COUNTERS
        self._rebirth = False
        self._host = SparkplugHost(host)
        self.topics: tuple[str, ...] = (self._topic("NCMD"), *((self._host.topic,) if host else ()))

    # what a connection begins and ends with

    def will(self) -> Will:
        """What the broker says when we are gone; each connection has a number of its own."""
        self._births = (self._births + 1) % _COUNTERS
        return Will(self._topic("NDEATH"), self._death(), retained=False)

    def waits_for(self) -> str:
        """The primary host, when it is not there to hear us."""
        return "" if self._host.online or not self._host.name else f'the primary host "{self._host.name}" is not online'

    def greeting(self) -> list[Publish]:
        """The births of the node and of every device."""
        self._seq, self._rebirth = -1, False
        now_ms = to_ms(self._clock.now())
        node = [encode_births_and_deaths(self._births), encode_controls(now_ms)]
        births = [Publish(self._topic("NBIRTH"), encode_payload(now_ms, node, self._next()))]
        return births + [self._birth(device) for device in self._devices.values()]

    def farewell(self) -> list[Publish]:
        """A node that leaves says so itself."""
        return [Publish(self._topic("NDEATH"), self._death())]

    # while it lasts

    def recall(self, bookmark: str) -> None:
        """A node that starts tells everything anew: there is nothing to remember."""

    def bookmark(self) -> str:
        return ""

    def outgoing(self, batch: Batch) -> Outgoing:
        """The readings of a batch, each one message; births before what is new."""
        out = Outgoing()
        for columns in batch.columns:
            device, is_new = self._device(columns)
            self._note(device, columns)
            if is_new:
                out.say(self._birth(device))
            topic = self._topic("DDATA", device.topic_name)
            for row, payload in self._data(device, columns):
                out.tell(Publish(topic, payload), columns, row)
        return out

    def hear(self, message: Message) -> bool:
        """Take a command, or what the primary host says of itself; whether the greeting is to be said again."""
        if message.topic == self._host.topic:
            self._host.hear(message.payload)
            return False
        try:
            return asks_for_rebirth(message.payload)
        except Garbled as error:
            _log.info("a command on %s was not understood: %s", message.topic, error)
            return False

    def _device(self, columns: Columns) -> tuple[_Device, bool]:
        """The device of a meter, and whether the host does not know all of it yet."""
        key = (columns.site, columns.meter)
        device = self._devices.get(key)
        is_new = device is None
        if device is None:
            foreign = columns.site and columns.site != self._around.site
            name = f"{columns.site}:{columns.meter}" if foreign else columns.meter
            device = self._devices[key] = _Device(escape_name(name))
        for name in columns.values:
            if name not in device.metrics:
                self._aliases += 1
                device.metrics[name] = Metric(name, self._aliases, quantity(name).unit)
                is_new = True
        return device, is_new

    def _note(self, device: _Device, columns: Columns) -> None:
        """Keep the newest value of each quantity: a birth tells them."""
        for name, cells in columns.values.items():
            there = [(at, cell) for at, cell in zip(columns.at_ms, cells, strict=True) if cell == cell]
            if (
                there
                and (newest := max(there, key=lambda told: told[0]))[0] >= device.last.get(name, (BEFORE_ALL_MS,))[0]
            ):
                device.last[name] = newest
        if len(columns):
            device.newest_ms = max(device.newest_ms, *columns.at_ms)

    def _data(self, device: _Device, columns: Columns) -> Iterator[tuple[int, bytes]]:
        """Row and payload. All rows but the newest that is known of the meter are history."""
        now_ms = to_ms(self._clock.now())
        heads = {name: data_metric_head(device.metrics[name].alias) for name in columns.values}
        newest_ms = device.newest_ms
        for row, at_ms in enumerate(columns.at_ms):
            middle = data_metric_middle(at_ms, historical=at_ms < newest_ms)
            metrics = [
                heads[name] + middle + data_metric_value(cells[row], suspect=_suspect(columns, name, row))
                for name, cells in columns.values.items()
                if not math.isnan(cells[row])
            ]
            if metrics:
                yield row, encode_payload(now_ms, metrics, self._next())

    def _birth(self, device: _Device) -> Publish:
        now_ms = to_ms(self._clock.now())
        metrics = [
            encode_birth_metric(metric, *device.last.get(name, (now_ms, None)))
            for name, metric in device.metrics.items()
        ]
        return Publish(self._topic("DBIRTH", device.topic_name), encode_payload(now_ms, metrics, self._next()))

    def _death(self) -> bytes:
        return encode_payload(to_ms(self._clock.now()), [encode_births_and_deaths(self._births)], None)

    def _topic(self, kind: str, *device: str) -> str:
        return "/".join(("spBv1.0", self._group, kind, self._node, *device))

    def _next(self) -> int:
        self._seq = (self._seq + 1) % _COUNTERS
        return self._seq


def _suspect(columns: Columns, name: str, row: int) -> bool:
    doubt = columns.doubt.get(name)
    code = columns.quality[row] if doubt is None or doubt[row] == NO_DOUBT else doubt[row]
    return code != GOOD_CODE
