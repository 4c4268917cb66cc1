"""What the Kafka sink produces and how it is told, without a broker."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError

from stream_batches import batch, columns
from wattbook.config.sinks import read_sinks
from wattbook.model.around import Surroundings
from wattbook.sinks import Rejected
from wattbook.sinks.kafka import KafkaSettings, as_topic
from wattbook.sinks.kafka_server import parse_brokers
from wattbook.sinks.kafka_words import in_words
from wattbook.sinks.kafka_write import KafkaSink
from wattbook.values import Secret

AROUND = Surroundings("House")


def sink_of(**more: Any) -> KafkaSink:
    sink = KafkaSettings(name="stream", **more).make(AROUND)
    assert isinstance(sink, KafkaSink)
    return sink


def test_by_topic_and_key() -> None:
    given = batch(columns("a.b", {"voltage": [230.1]}), columns("c", {"voltage": [231.0]}))
    topics = sink_of(topic="{site}-{meter}", message="{voltage}", message_key="{site}/{meter}")._by_topic(given, [])
    assert {topic: [(one.key, one.body) for one in messages] for topic, messages in topics.items()} == {
        "House-a_b": [("House/a.b", b"230.1")],
        "House-c": [("House/c", b"231")],
    }


def test_a_topic_that_cannot_be() -> None:
    rejected: list[Rejected] = []
    given = batch(columns("m" * 100, {"voltage": [230.1]}))
    assert sink_of(topic="{meter}{meter}{meter}")._by_topic(given, rejected) == {}
    assert "no topic can be called" in rejected[0].reason


@pytest.mark.parametrize(("name", "part"), [("a.b", "a_b"), ("..", "__"), ("", "_"), ("hall 2/é", "hall_2__")])
def test_names_in_topics(name: str, part: str) -> None:
    assert as_topic(name) == part


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"topic": "a.{metre}"}, 'nothing is called "metre"'),
        ({"topic": ""}, "needs a place to go to"),
        ({"url": "http://x"}, "is no address of brokers"),
        ({"url": "kafka://joe:s3cret@a"}, "is no address of brokers"),
        ({"url": "kafka://a:99999"}, "is no address of brokers"),
        ({"url": "kafka://a,"}, "is no address of brokers"),
        ({"ca": "x.crt"}, "write kafkas://"),
        ({"url": "kafkas://a", "key": "x.key"}, "is of no use without"),
    ],
)
def test_what_is_wrong_is_told_without_a_connection(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        KafkaSettings(name="x", **table).make(AROUND)
    assert "s3cret" not in str(error.value)


def test_addresses() -> None:
    assert parse_brokers("kafka://a, b:1,[::1]") == (["a:9092", "b:1", "[::1]:9092"], False)
    assert parse_brokers("kafkas://a/") == (["a:9092"], True)


def test_what_the_library_is_told() -> None:
    options = sink_of(url="kafkas://a", username="joe", password=Secret("s3cret")).producing.server.options()
    assert options["security.protocol"] == "sasl_ssl"
    assert options["sasl.password"] == "s3cret"
    assert options["enable.idempotence"] is True
    assert options["message.timeout.ms"] == 24_000


def test_no_secret_in_sight(tmp_path: Any) -> None:
    table = {"name": "x", "kind": "kafka", "url": "kafka://h", "username": "joe", "password": "s3cret"}
    (settings,), problems = read_sinks([table], "", tmp_path)
    assert not problems
    assert "s3cret" not in repr(settings) + repr(settings.make(AROUND))


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (KafkaError._TRANSPORT, "a:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: Connection refused (after 0ms in "
         "state CONNECT)", "no connection: Connect to ipv4#1.2.3.4:1 failed: Connection refused"),
        (KafkaError._RESOLVE, "a:1/bootstrap: Failed to resolve", "no host of this name is known"),
        (KafkaError._MSG_TIMED_OUT, "Local: Message timed out", "no answer within 24 s"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "", "the topic is not there"),
        (KafkaError.NOT_ENOUGH_REPLICAS, "Broker: Not enough in-sync replicas", "Broker: Not enough in-sync replicas"),
    ],
)  # fmt: skip
def test_words(code: int, said: str, words: str) -> None:
    assert in_words(KafkaError(code, said), sink_of().producing.server).startswith(words)
