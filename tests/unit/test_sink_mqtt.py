"""What the MQTT sink says: topics, payloads, states, descriptions. Without a broker."""

import contextlib
import json
import math
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ha_mqtt_models_pydantic import parse_component_payload, parse_device_discovery_payload
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from wattbook.codecs.mqtt import Message, Version, Will, encode_connect, encode_publish, publish_head
from wattbook.codecs.reading_json import decode_many
from wattbook.codecs.sparkplug import asks_for_rebirth
from wattbook.model import Batch, Columns, Garbled
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.model.vocabulary import base_names
from wattbook.sinks import settings_class
from wattbook.sinks.mqtt import MqttSettings
from wattbook.sinks.mqtt_azure import token
from wattbook.sinks.mqtt_speech import Outgoing, Speech
from wattbook.sinks.mqtt_topics import escape_name

AT_MS = 1_795_222_923_000
AROUND = Surroundings("House", meters={"main-a": MeterFacts("plant/hall 2", "pzem-016", "grid")})


def settings(**keys: Any) -> MqttSettings:
    table = {"name": "broker", "kind": "mqtt", "url": "mqtt://127.0.0.1", **keys}
    return TypeAdapter(MqttSettings).validate_python(table, context={"folder": Path()})


def speech(around: Surroundings = AROUND, **keys: Any) -> Speech:
    return settings(**keys).make(around)._speech


def columns(meter: str = "main-a", start: int = 0, rows: int = 1, **values: list[float]) -> Columns:
    given = values or {"voltage": [230.0 + row for row in range(rows)]}
    return Columns(
        "",
        meter,
        array("q", [AT_MS + 1000 * (start + row) for row in range(rows)]),
        array("q", range(rows)),
        {name: array("d", cells) for name, cells in given.items()},
        array("B", [0] * rows),
    )


def batch(*parts: Columns) -> Batch:
    return Batch(parts, (), "1")


def told(out: Outgoing) -> list[tuple[str, str, bool]]:
    return [(message.topic, message.payload.decode(), message.retained) for message in out.messages]


def test_a_table_of_three_keys_sends_readings_with_their_identity() -> None:
    assert settings_class("mqtt") is MqttSettings
    (message,) = speech().outgoing(batch(columns())).messages
    assert message.topic == "wattbook/House/main-a" and not message.retained
    (reading,) = decode_many(message.payload)
    assert (reading.site, reading.meter, reading.values) == ("House", "main-a", {"voltage": 230.0})


def test_single_values_plain() -> None:
    values = columns(rows=2, voltage=[230.5, math.nan], active_energy_import=[1000.0, 1001.0])
    out = speech(topic="w/{site}/{meter}/{quantity}", payload="{value}").outgoing(batch(values))
    assert told(out) == [
        ("w/House/main-a/voltage", "230.5", False),
        ("w/House/main-a/active_energy_import", "1000", False),
        ("w/House/main-a/active_energy_import", "1001", False),
    ]


def test_a_table_is_json() -> None:
    out = speech(topic="{location}/{meter}", payload={"T": "{active_energy_import:kWh}"}).outgoing(
        batch(columns(active_energy_import=[2500.0]))
    )
    assert told(out) == [("plant/hall 2/main-a", '{"T":2.5}', False)]


@given(st.text(max_size=30))
def test_a_name_is_one_level_of_a_topic(name: str) -> None:
    level = escape_name(name)
    assert level and not set(level) & set("/+#\0") and not level.startswith("$")
    level.encode()


@given(st.text(alphabet="a%/+#$2FB\0", min_size=1, max_size=8), st.text(alphabet="a%/+#$2FB\0", min_size=1, max_size=8))
def test_two_names_are_two_levels(one: str, other: str) -> None:
    assert (escape_name(one) == escape_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"topic": "a/{metre}"}, "meter"),
        ({"topic": "a/+"}, "subscribe"),
        ({"topic": ""}, "neither"),
        ({"status": "{meter}"}, "all meters"),
        ({"url": "http://a"}, "mqtt://host"),
        ({"url": "mqtt://u:hidden@"}, "mqtt://host"),
        ({"state": "wattbook/{site}/{meter}"}, "of its own"),
        ({"home_assistant": True, "state_payload": {"v": "{voltage}"}}, "Home Assistant"),
        ({"state": "a/{at}"}, "topic that stays"),
        ({"state": "a/{voltage}"}, "topic that stays"),
        ({"sparkplug": "group"}, "group/edge node"),
        ({"sparkplug": "g/n", "state": "s"}, "sparkplug"),
        ({"azure_device": "d", "azure_key": "aGlkZGVu"}, "mqtts"),
        ({"azure_device": "d", "azure_key": "hidden!", "url": "mqtts://h.azure-devices.net"}, "base64"),
        ({"azure_device": "d", "state": "s"}, "no state"),
        ({"rate": 10}, "240 fits"),
        ({"ca": "ca.pem"}, "mqtts://"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        settings(**keys).make(AROUND)
    assert "hidden" not in str(caught.value)


def test_no_secret_shows_itself() -> None:
    told = settings(url="mqtt://u:hidden@h", password="hidden", azure_key="hidden")
    assert "hidden" not in repr(told) and "hidden" not in str(told)
    assert "hidden" not in repr(told.make(AROUND)._sign_on)


# states


def test_a_state_is_the_newest_reading_and_never_goes_back() -> None:
    saying = speech(topic="", state="s/{meter}", state_payload="{voltage}")
    assert told(saying.outgoing(batch(columns(start=10, rows=3)))) == [("s/main-a", "232", True)]
    assert told(saying.outgoing(batch(columns(start=0, rows=3)))) == []
    corrected = columns(start=12, voltage=[240.0])
    assert told(saying.outgoing(batch(corrected))) == [("s/main-a", "240", True)]
    assert told(saying.outgoing(batch(columns("other", 0)))) == [("s/other", "230", True)]


def test_a_restart_knows_the_newest_states() -> None:
    before = speech(state="s/{meter}")
    before.outgoing(batch(columns(start=10)))
    after = speech(topic="", state="s/{meter}", state_payload="{voltage}")
    after.recall(before.bookmark())
    assert told(after.outgoing(batch(columns(start=9)))) == []
    assert len(told(after.outgoing(batch(columns(start=10))))) == 1
    after.recall("something else")


def test_a_state_of_single_values_takes_the_newest_of_each() -> None:
    saying = speech(topic="", state="s/{meter}/{quantity}", state_payload="{value}")
    values = columns(rows=3, voltage=[230.0, 231.0, math.nan], frequency=[50.0, math.nan, 49.5])
    assert sorted(told(saying.outgoing(batch(values)))) == [
        ("s/main-a/frequency", "49.5", True),
        ("s/main-a/voltage", "231", True),
    ]


def test_the_status_is_a_will_too() -> None:
    saying = speech()
    assert saying.will() == Will("wattbook/House", b"offline")
    assert [each.payload for each in saying.greeting() + saying.farewell()] == [b"online", b"offline"]
    assert speech(status="").will() is None and speech(status="").greeting() == []


# Home Assistant


def describe(out: Outgoing) -> dict[str, Any]:
    (document,) = [json.loads(each.payload) for each in out.messages if each.topic.endswith("/config")]
    assert isinstance(document, dict)
    return document


def test_a_meter_is_described_as_home_assistant_documents_it() -> None:
    names = [*base_names(), "active_energy_import_t1", "voltage_l12_max"]
    saying = speech(home_assistant=True)
    out = saying.outgoing(batch(columns(**{name: [1.0] for name in names})))
    config = out.messages[0]
    assert config.retained and config.topic.startswith("homeassistant/device/wattbook_House_main-a_")
    document = describe(out)
    parsed = parse_device_discovery_payload(document)
    assert parsed.origin is not None
    assert document["device"]["name"] == "main-a" and document["device"]["suggested_area"] == "plant/hall 2"
    assert document["availability"] == [{"topic": "wattbook/House"}]
    assert set(document["components"]) == set(names)
    for component in document["components"].values():
        parse_component_payload("sensor", {key: each for key, each in component.items() if key != "platform"})


# From Home Assistant's table of device classes: which units and state classes each may have.
@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("active_energy_import", ("energy", "total_increasing", "Wh")),
        ("active_energy_export_t1", ("energy", "total_increasing", "Wh")),
        ("active_power_l1", ("power", "measurement", "W")),
        ("voltage", ("voltage", "measurement", "V")),
        ("current_n", ("current", "measurement", "A")),
        ("power_factor", ("power_factor", "measurement", None)),
        ("frequency", ("frequency", "measurement", "Hz")),
        ("temperature_c1", ("temperature", "measurement", "°C")),
        ("reactive_energy_import", ("reactive_energy", "total_increasing", "varh")),
        ("apparent_energy", (None, "total_increasing", "VAh")),
        ("pulse_count_c1", (None, "total_increasing", None)),
    ],
)
def test_what_home_assistant_may_do_with_it(name: str, meaning: tuple[str | None, ...]) -> None:
    out = speech(home_assistant=True).outgoing(batch(columns(**{name: [1.0]})))
    sensor = describe(out)["components"][name]
    assert (sensor.get("device_class"), sensor["state_class"], sensor.get("unit_of_measurement")) == meaning
    assert sensor["state_topic"] == "wattbook/House/main-a/state" == out.messages[-1].topic
    assert sensor["value_template"] == f"{{{{ value_json['values'].get('{name}', '') }}}}"
    assert json.loads(out.messages[-1].payload)["values"][name] == 1


def test_a_meter_is_described_once_again_when_it_has_more_and_when_home_assistant_starts() -> None:
    saying = speech(home_assistant=True, topic="")
    assert len(saying.outgoing(batch(columns(voltage=[1.0], current=[math.nan]))).messages) == 2
    assert len(saying.outgoing(batch(columns(start=1))).messages) == 1
    more = saying.outgoing(batch(columns(start=2, current=[1.0])))
    assert set(describe(more)["components"]) == {"voltage", "current"}
    assert saying.topics == ("homeassistant/status",)
    assert saying.hear(Message("homeassistant/status", b"online", 0, False, 6))
    assert not saying.hear(Message("homeassistant/status", b"offline", 0, False, 7))
    assert saying.greeting()[0].topic == "wattbook/House"
    assert len(saying.greeting()) == 2


def test_plain_values_for_home_assistant() -> None:
    saying = speech(home_assistant=True, topic="", state="s/{meter}/{quantity}", state_payload="{value}")
    sensor = describe(saying.outgoing(batch(columns())))["components"]["voltage"]
    assert (sensor["state_topic"], sensor["value_template"]) == ("s/main-a/voltage", "{{ value }}")


# clouds


def test_azure_signs_on_as_its_documentation_says() -> None:
    sink = settings(url="mqtts://hub.azure-devices.net", azure_device="house-1", azure_key="c2VjcmV0LWtleQ==").make(
        AROUND
    )
    signing, saying = sink._sign_on, sink._speech
    assert signing.broker.client_id == "house-1" and signing.versions == (Version.V3,)
    assert signing.broker.user == "hub.azure-devices.net/house-1/?api-version=2021-04-12"
    assert signing.settings().password.startswith("SharedAccessSignature sr=hub.azure-devices.net%2Fdevices%2Fhouse-1&")
    assert 0 < signing.holds_s < 3600
    (message,) = saying.outgoing(batch(columns())).messages
    assert message.topic == "devices/house-1/messages/events/$.ct=application%2Fjson&$.ce=utf-8"
    assert saying.will() is None and saying.greeting() == [] and saying.farewell() == []


def test_a_token_is_the_hash_of_resource_and_end() -> None:
    # openssl: printf 'h%%2Fdevices%%2Fd\n1700000000' | openssl dgst -sha256 -hmac secret-key -binary | base64
    made = token("h", "d", "c2VjcmV0LWtleQ==", 1_700_000_000)
    assert made == (
        "SharedAccessSignature sr=h%2Fdevices%2Fd"
        "&sig=%2FD4%2Fk4dc2NgAhlmiUCsL4topGw4van%2FOqGXZDECOCBs%3D&se=1700000000"
    )


def test_amazon_on_the_port_of_the_web_is_told_that_this_is_mqtt() -> None:
    url = "mqtts://abc-ats.iot.eu-central-1.amazonaws.com"
    assert settings(url=url).make(AROUND)._sign_on.broker.alpn == ""
    assert settings(url=f"{url}:443").make(AROUND)._sign_on.broker.alpn == "x-amzn-mqtt-ca"


# Sparkplug


def test_a_command_to_be_born_again() -> None:
    name = b"\x0a\x14Node Control/Rebirth"
    metric = name + b"\x20\x0b\x70\x01"
    assert asks_for_rebirth(b"\x08\x01\x12" + bytes((len(metric),)) + metric)
    no = name + b"\x20\x0b\x70\x00"
    assert not asks_for_rebirth(b"\x12" + bytes((len(no),)) + no)
    assert not asks_for_rebirth(b"")


@given(st.binary(max_size=60))
def test_what_is_no_command_is_an_error_or_nothing(payload: bytes) -> None:
    with contextlib.suppress(Garbled):
        assert not asks_for_rebirth(payload)


def test_a_foreign_command_does_no_harm() -> None:
    assert not speech(sparkplug="g/n").hear(Message("spBv1.0/g/NCMD/n", b"{}", 0, False, 2))


def test_names_in_sparkplug_topics_are_escaped_and_sites_kept_apart() -> None:
    saying = speech(sparkplug="Plant 1/n")
    saying.greeting()
    out = saying.outgoing(batch(columns("a/b"), replace(columns("a/b"), site="Farm")))
    assert [each.topic.rpartition("/")[2] for each in out.messages] == ["a%2Fb"] * 2 + ["Farm:a%2Fb"] * 2
    assert set(out.origins) == {1, 3}


# packets


def test_connect_with_a_will() -> None:
    packet = encode_connect("a", version=Version.V3, keepalive_s=30, will=Will("t", b"off"), clean=True)
    assert packet == b"\x10\x15\x00\x04MQTT\x04\x2e\x00\x1e\x00\x01a\x00\x01t\x00\x03off"
    packet = encode_connect("a", version=Version.V5, keepalive_s=30, will=Will("t", b"off", retained=False), clean=True)
    assert packet[8:11] == b"\x05\x0e\x00" and packet.endswith(b"\x00\x01a\x00\x00\x01t\x00\x03off")


def test_publish_packets() -> None:
    assert encode_publish(publish_head("a/b", version=Version.V3), b"x", 7) == b"\x32\x08\x00\x03a/b\x00\x07x"
    assert (
        encode_publish(publish_head("a", version=Version.V5), b"x", 7, retained=True)
        == b"\x33\x07\x00\x01a\x00\x07\x00x"
    )
    assert encode_publish(publish_head("a", version=Version.V3), b"x", 0) == b"\x30\x04\x00\x01ax"


def test_columns_of_another_site_keep_it() -> None:
    (message,) = speech().outgoing(batch(replace(columns(), site="Farm"))).messages
    assert message.topic == "wattbook/Farm/main-a" and json.loads(message.payload)["site"] == "Farm"
