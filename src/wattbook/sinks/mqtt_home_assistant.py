"""Descriptions of meters by which Home Assistant shows them by itself, its energy dashboard included.

One retained document a meter, on `homeassistant/device/<id>/config` (Home Assistant 2024.11 and later); see
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Every quantity is a sensor of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from wattbook import __version__
from wattbook.model import Batch, Columns
from wattbook.model.around import Surroundings
from wattbook.model.vocabulary import Kind, Quantity, quantity
from wattbook.sinks.messages import MessageMaker
from wattbook.transports.mqtt_publish import Publish

BIRTH = "online"  # what Home Assistant says on `<prefix>/status` when it has started
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]+")
_DIGEST_SIZE = 8  # hexadecimal digits that keep names apart which look alike in an id

# Base unit -> device class, https://www.home-assistant.io/integrations/sensor/#device-class.
_CLASSES: Mapping[str, str] = {
    "V": "voltage",
    "A": "current",
    "W": "power",
    "var": "reactive_power",
    "VA": "apparent_power",
    "Wh": "energy",
    "varh": "reactive_energy",
    "Hz": "frequency",
    "°C": "temperature",
    "s": "duration",
}
_NO_UNIT = ("1",)


@dataclass(slots=True)
class HomeAssistant:
    """Which meters it has been told of, and with which quantities."""

    prefix: str
    status_topic: str  # of ours: whether wattbook is there at all
    states: MessageMaker
    around: Surroundings
    plain: bool  # the state of a topic is the value itself, not the JSON of a reading
    _known: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """Where it says that it has started."""
        return f"{self.prefix}/status"

    def new(self, batch: Batch) -> list[Publish]:
        """The descriptions of meters that are new, or have a new quantity."""
        changed = []
        for columns in batch.columns:
            key = (columns.site or self.around.site, columns.meter)
            known = self._known.get(key, ())
            names = [name for name in columns.values if name not in known and _any(columns, name)]
            if names:
                self._known[key] = (*known, *names)
                changed.append(self._describe(*key))
        return changed

    def all(self) -> list[Publish]:
        """The descriptions of every meter that is known."""
        return [self._describe(*key) for key in self._known]

    def _describe(self, site: str, meter: str) -> Publish:
        identity = _identity(site, meter)
        document = {
            "device": self._device(site, meter, identity),
            "origin": {"name": "wattbook", "sw_version": __version__},
            "components": {name: self._sensor(site, meter, name, identity) for name in self._known[site, meter]},
            **({"availability": [{"topic": self.status_topic}]} if self.status_topic else {}),
        }
        return Publish(f"{self.prefix}/device/{identity}/config", msgspec.json.encode(document), retained=True)

    def _device(self, site: str, meter: str, identity: str) -> Mapping[str, object]:
        facts = self.around.facts(meter)
        there = {"model": facts.model, "suggested_area": facts.location}
        return {"identifiers": [identity], "name": meter} | {key: text for key, text in there.items() if text}

    def _sensor(self, site: str, meter: str, name: str, identity: str) -> Mapping[str, object]:
        told = quantity(name)
        topic = self.states.place.of_meter(self.around, site, meter, name)
        template = "{{ value }}" if self.plain else _template(name)
        return {
            "platform": "sensor",
            "unique_id": f"{identity}_{name}",
            "name": told.title,
            "state_topic": topic,
            "value_template": template,
            **_meaning(told),
        }


def _meaning(told: Quantity) -> Mapping[str, str]:
    """What Home Assistant may do with a quantity: which unit, whether it counts up."""
    meaning = {"state_class": "total_increasing" if told.kind is Kind.REGISTER else "measurement"}
    if told.name.startswith("error_bits"):
        meaning["entity_category"] = "diagnostic"
    if told.unit not in _NO_UNIT:
        meaning["unit_of_measurement"] = told.unit
    if told.name.startswith("power_factor"):
        meaning["device_class"] = "power_factor"
    elif told.unit in _CLASSES:
        meaning["device_class"] = _CLASSES[told.unit]
    return meaning


def _template(name: str) -> str:
    """The value in the JSON of a reading; nothing, which leaves the sensor as it was, where a reading lacks it."""
    return f"{{{{ value_json['values'].get('{name}', '') }}}}"


def _identity(site: str, meter: str) -> str:
    """An id of letters and digits that stays, and that no other meter has."""
    readable = _NOT_IN_AN_ID.sub("_", f"{site}_{meter}").strip("_")
    return f"wattbook_{readable}_{hashlib.sha256(f'{site}/{meter}'.encode()).hexdigest()[:_DIGEST_SIZE]}"


def _any(columns: Columns, name: str) -> bool:
    return any(cell == cell for cell in columns.values[name])
