"""What the NATS sink publishes and how it is told, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_batches import batch, columns
from wattbook.config.sinks import read_sinks
from wattbook.model import Batch
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks.nats import NatsSettings, as_token
from wattbook.sinks.nats_publish import Publication
from wattbook.sinks.nats_server import NatsServer, parse_servers
from wattbook.sinks.nats_words import in_words
from wattbook.sinks.nats_write import NatsSink
from wattbook.transports.tls import TlsSettings
from wattbook.values import Secret

AROUND = Surroundings("House", meters={"m0": MeterFacts(location="hall 2/press")})


def publications(given: Batch, **more: Any) -> list[Publication]:
    sink = NatsSettings(name="stream", **more).make(AROUND)
    assert isinstance(sink, NatsSink)
    found = []
    for messages in sink.maker.messages(given):
        known_by = sink.maker.identities(messages.columns, messages.quantity)
        for row, subject, _, body in messages.rows():
            found.append(Publication(subject, body, known_by[row], messages.columns.meter, 0, messages.columns.site))
    return found


ONE = batch(columns("m0", {"active_power": [1500.0], "voltage": [230.1]}))


def test_the_json_of_a_reading_under_site_and_meter() -> None:
    (one,) = publications(ONE)
    assert one.subject == "wattbook.House.m0"
    assert one.known_by == "House/m0/2026-11-21T01:02:03.000Z"
    assert json.loads(one.body) == {
        "meter": "m0",
        "at": "2026-11-21T01:02:03.000Z",
        "values": {"active_power": 1500, "voltage": 230.1},
        "quality": "good",
        "site": "House",
    }


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), BrokenPipeError(32, "Broken pipe")])
def test_an_end_behind_the_greeting_of_tls_tells_of_the_certificate(error: OSError) -> None:
    """Whether we were reading or writing when the server hung up is a matter of chance."""
    server = NatsServer(["tls://nats.example:4222"], "", None, None, None, None, TlsSettings(), timeout_s=5.0)
    assert "certificate" in in_words(error, server)


def test_templates() -> None:
    message = {"P": "{active_power:kW}", "when": "{at:YYYY-MM-DD}", "missing": "{frequency}"}
    (one,) = publications(ONE, subject="{site:lower}.{location}", message=message)
    assert one.subject == "house.hall%202/press"
    assert json.loads(one.body) == {"P": 1.5, "when": "2026-11-21"}
    assert publications(ONE, message="{active_power:kW .2f}")[0].body == b"1.50"
    assert publications(ONE, message="{frequency} Hz") == []


def test_a_message_of_each_value() -> None:
    gap = batch(columns("m0", {"active_power": [1500.0, float("nan")], "voltage": [230.1, 231.0]}))
    found = publications(gap, subject="{meter}.{quantity}", message="{value}")
    assert [(one.subject, one.body) for one in found] == [
        ("m0.active_power", b"1500"),
        ("m0.voltage", b"230.1"),
        ("m0.voltage", b"231"),
    ]
    assert found[0].known_by == "House/m0/2026-11-21T01:02:03.000Z/active_power"


@pytest.mark.parametrize(
    ("name", "token"),
    [("a.b", "a%2Eb"), ("a%2Eb", "a%252Eb"), ("*", "%2A"), (">", "%3E"), ("a b\r\n", "a%20b%0D%0A"), ("", "_"),
     ("Küche", "Küche"), ("$SYS", "%24SYS")],
)  # fmt: skip
def test_names_as_tokens(name: str, token: str) -> None:
    assert as_token(name) == token


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"subject": "a.{metre}"}, 'nothing is called "metre"'),
        ({"subject": ""}, "needs a place to go to"),
        ({"url": "http://x"}, "is no address of a NATS server"),
        ({"url": "nats://a,tls://b"}, "cannot be mixed"),
        ({"url": "nats://joe:s3cret@a"}, 'a user stands in "username"'),
        ({"stream": "S", "subject": "{site}.x"}, 'needs "stream_subjects"'),
        ({"key": "x.key"}, "is of no use without"),
    ],
)
def test_what_is_wrong_is_told_without_a_connection(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        NatsSettings(name="x", **table).make(AROUND)
    assert "s3cret" not in str(error.value)


def test_addresses() -> None:
    assert parse_servers("nats://a, nats://[::1]:4223") == ["nats://a:4222", "nats://[::1]:4223"]


def test_the_smallest_table_and_no_secret_in_sight(tmp_path: Any) -> None:
    text = '[[sink]]\nname = "x"\nkind = "nats"\nurl = "nats://h"\npassword = "s3cret"\nnkey = "user.nk"\n'
    table = {"name": "x", "kind": "nats", "url": "nats://h", "password": "s3cret", "nkey": "user.nk"}
    (settings,), problems = read_sinks([table], text, tmp_path)
    assert not problems
    assert isinstance(settings, NatsSettings)
    assert settings.nkey == tmp_path / "user.nk"
    assert settings.password == Secret("s3cret")
    assert "s3cret" not in repr(settings) + repr(settings.make(AROUND))


def test_a_stream_that_is_made_takes_what_begins_alike() -> None:
    sink = NatsSettings(name="x", stream="S", subject="a.b.c{meter}.d").make(AROUND)
    assert isinstance(sink, NatsSink)
    assert sink.publisher.server.subjects == ("a.b.>",)
