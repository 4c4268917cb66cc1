"""MQTT: every reading as a message of a broker, last values as retained state.

The protocol is our own (codecs/mqtt.py, transports/mqtt_publish.py), as on the receiving side (docs/decisions/0003):
it lives in the event loop without a thread, and against mosquitto it published 14,000 to 54,000 messages a second with
quality of service 1 where paho-mqtt 2.2 reached 3,300 to 4,500. Quality of service 1 is what "the broker has them for
good" means: a batch is done when each of its messages is acknowledged.

The sink takes readings in any order, because each message has its identity inside. State, which has no place for an
older value, is kept apart on topics of its own and never goes backwards (mqtt_state.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from wattbook.codecs.mqtt import Version
from wattbook.model import ConfigError
from wattbook.model.around import Surroundings
from wattbook.model.clock import Clock, SystemClock
from wattbook.model.template import Tree, parse_template, parse_tree
from wattbook.sinks import mqtt_azure
from wattbook.sinks.messages import MessageMaker
from wattbook.sinks.mqtt_home_assistant import HomeAssistant
from wattbook.sinks.mqtt_readings import ReadingsSpeech
from wattbook.sinks.mqtt_sparkplug import SparkplugSpeech
from wattbook.sinks.mqtt_speech import Speech
from wattbook.sinks.mqtt_state import States
from wattbook.sinks.mqtt_topics import check_is_of_meter, parse_plain_topic, parse_topic
from wattbook.sinks.mqtt_write import MqttSink, SignOn
from wattbook.sinks.sink import SinkSettings
from wattbook.transports.mqtt_settings import BrokerSettings, parse_broker, session_name
from wattbook.transports.tls import TlsSettings, tls_files
from wattbook.values import Secret, SecretText

__all__ = ["MqttSettings", "MqttSink"]

TOPIC, STATUS = "wattbook/{site}/{meter}", "wattbook/{site}"
_STATE = "wattbook/{site}/{meter}/state"  # for Home Assistant, where none is named
_VALUE = "{value}"
_AMAZON, _AMAZON_ALPN = ".amazonaws.com", "x-amzn-mqtt-ca"
_HTTPS_PORT = 443  # there AWS IoT tells MQTT from HTTPS by what is said inside TLS
_SHARE_OF_TIMEOUT = 0.8  # what a batch may take at its rate; the rest is for connecting
_VERSIONS = {"auto": (Version.V5, Version.V3), "5": (Version.V5,), "3.1.1": (Version.V3,)}
_NO_SECRET = Secret()

Payload = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings(SinkSettings):
    """A broker, and which topics tell what."""

    kind: Literal["mqtt"] = "mqtt"
    url: str = field(repr=False)  # mqtt://host[:1883] or mqtts://host[:8883]
    username: str = ""  # of the broker
    password: SecretText = _NO_SECRET  # of that user
    ca: Path | None = None  # authorities that the broker's certificate is checked against; else the system's
    certificate: Path | None = None  # our own, where the broker asks for one (AWS IoT)
    key: Path | None = None  # the key of our certificate
    alpn: str = ""  # what to say inside TLS; for AWS IoT on port 443 it is said by itself
    client_id: str = ""  # default: made of the names of the site and of this sink
    version: Literal["auto", "5", "3.1.1"] = "auto"  # of MQTT; only 5 tells when the broker does not let us publish
    qos: Literal[0, 1] = 1  # 0: sent once and not confirmed by the broker
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 100  # messages ahead of the acknowledgements; AWS IoT takes 100
    rate: Annotated[int, Field(ge=0)] = 0  # messages a second at most, 0 = no limit; AWS IoT takes 100 of a connection
    subscribed: bool = False  # only hand over what somebody is subscribed to, else wait (MQTT 5 only)
    topic: str = TOPIC  # of each reading; with {quantity} in it of each value; "" = none
    payload: Payload = ""  # of a reading or value: a text or table with places; "" = the JSON of a reading
    state: str = ""  # topic that keeps the last reading, or with {quantity} the last value, retained; "" = none
    state_payload: Payload = ""  # as `payload`
    status: str = STATUS  # topic that keeps whether we are "online" or "offline", retained; "" = none
    home_assistant: bool = False  # describe meters so that Home Assistant shows them; needs no other key
    discovery_prefix: str = "homeassistant"  # where Home Assistant looks for descriptions
    azure_device: str = ""  # id of a device of an Azure IoT Hub, for which the other keys are then set
    azure_key: SecretText = _NO_SECRET  # its primary key; none where the device has a certificate
    sparkplug: str = ""  # "group/edge node": Sparkplug B instead of topics of our own

    sparkplug_host: str = ""  # only while this primary host is online; readings wait meanwhile

    def make(self, around: Surroundings) -> MqttSink:
        """The sink of these settings. Raises ValueError."""
        clock = SystemClock()
        settings = _for_azure(self) if self.azure_device else self
        if self.rate and self.batch > self.rate * self.timeout * _SHARE_OF_TIMEOUT:
            limit = int(self.rate * self.timeout * _SHARE_OF_TIMEOUT)
            raise ValueError(f'"batch" is {self.batch}, which at this "rate" takes longer than "timeout"; {limit} fits')
        try:
            sign_on = _sign_on(settings, around, clock)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        speech = _sparkplug(settings, around, clock) if settings.sparkplug else _readings(settings, around)
        return MqttSink(sign_on, speech, rate=settings.rate, subscribed=settings.subscribed)


def _sign_on(settings: MqttSettings, around: Surroundings, clock: Clock) -> SignOn:
    """Where the broker is and who we are there. Raises ConfigError, ValueError, without a secret in it."""
    broker, versions = _broker(settings, around), _VERSIONS[settings.version]
    if not settings.azure_device:
        return SignOn(broker, versions, settings.in_flight)
    if broker.tls is None:
        raise ConfigError('an Azure IoT Hub speaks TLS only: write the "url" as mqtts://NAME.azure-devices.net')
    broker = replace(broker, user=mqtt_azure.user_name(broker.host, settings.azure_device))
    key = settings.azure_key
    if not key:
        return SignOn(broker, versions, settings.in_flight)
    mqtt_azure.check_key(key)
    make_token = partial(_token, broker, settings.azure_device, key, clock)
    return SignOn(broker, versions, settings.in_flight, make_token, mqtt_azure.TOKEN_S - mqtt_azure.RENEW_S)


def _broker(settings: MqttSettings, around: Surroundings) -> BrokerSettings:
    """Raises ConfigError, ValueError."""
    tls = tls_files(settings.ca, settings.certificate, settings.key)
    broker = parse_broker(
        settings.url,
        client_id=settings.client_id or session_name("sink", around.site, settings.name),
        tls=None if tls == TlsSettings() else tls,
    )
    if broker.tls and broker.host.endswith(_AMAZON) and broker.port == _HTTPS_PORT:
        broker = replace(broker, alpn=_AMAZON_ALPN)
    return replace(
        broker,
        user=settings.username or broker.user,
        password=settings.password.reveal() or broker.password,
        alpn=settings.alpn or broker.alpn,
    )


def _token(broker: BrokerSettings, device: str, key: Secret, clock: Clock) -> str:
    ends_s = int(clock.now().timestamp() + mqtt_azure.TOKEN_S)
    return mqtt_azure.token(broker.host, device, key, ends_s)


def _for_azure(settings: MqttSettings) -> MqttSettings:
    """What an IoT Hub asks for. Raises ValueError when something else was asked for."""
    if settings.state or settings.home_assistant or settings.sparkplug:
        raise ValueError('an Azure IoT Hub keeps no state and knows its own topics only: no "state", "home_assistant"')
    device = settings.azure_device
    return replace(
        settings,
        client_id=device,
        version="3.1.1",
        status="",
        topic=mqtt_azure.events_topic(device) if settings.topic == TOPIC else settings.topic,
    )


def _sparkplug(settings: MqttSettings, around: Surroundings, clock: Clock) -> Speech:
    if settings.state or settings.home_assistant or settings.payload or settings.topic not in ("", TOPIC):
        raise ValueError('with "sparkplug" topics and payloads are given: no "topic", "payload", "state" beside it')
    group, _, node = settings.sparkplug.partition("/")
    if not group or not node or "/" in node:
        raise ValueError(f'"sparkplug" is "group/edge node", not "{settings.sparkplug}"')
    return SparkplugSpeech(group, node, around, clock, settings.sparkplug_host)


def _readings(settings: MqttSettings, around: Surroundings) -> Speech:
    """The topics that were asked for. Raises ValueError."""
    states = _states(settings, around)
    status = parse_plain_topic(settings.status, around)
    home_assistant = None
    if settings.home_assistant:
        assert states is not None
        plain = settings.state_payload == _VALUE and states.single
        if settings.state_payload and not plain:
            raise ValueError('Home Assistant reads a "state_payload" that is left out, or "{value}" of one {quantity}')
        home_assistant = HomeAssistant(settings.discovery_prefix.strip("/"), status, states.maker, around, plain)
    readings = _maker(settings.topic, settings.payload, around)
    if readings is None and states is None:
        raise ValueError('neither "topic" nor "state" says where readings go')
    return ReadingsSpeech(settings.qos, readings, states, home_assistant, status)


def _states(settings: MqttSettings, around: Surroundings) -> States | None:
    topic = settings.state or (_STATE if settings.home_assistant else "")
    if topic and topic == settings.topic:
        raise ValueError('"state" needs a topic of its own: a backlog on "topic" would overtake the last value')
    maker = _maker(topic, settings.state_payload, around)
    if maker is None:
        return None
    check_is_of_meter(maker.place)
    body = maker.body
    return States(maker, single=maker.place.single or (body is not None and body.single))


def _maker(topic: str, payload: Payload, around: Surroundings) -> MessageMaker | None:
    """Where messages go and what they say. Raises ValueError."""
    if not topic:
        return None
    body: Tree | None = None
    if isinstance(payload, str):
        template = parse_template(payload, around).as_text() if payload else None
        return MessageMaker(around, parse_topic(topic, around), parse_template("", around), template)
    body = parse_tree(payload, around)
    return MessageMaker(around, parse_topic(topic, around), parse_template("", around), body)
