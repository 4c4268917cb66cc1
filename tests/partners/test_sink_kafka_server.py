"""The Kafka sink with its real library: against a small broker of ours, and against librdkafka's own mock cluster."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from false_server import false_server
from foreign_kafka import ForeignKafka
from foreign_process import running
from sink_writes import WRITE_S_MAX, refused, written
from stream_batches import AT_MS, batch, columns, house, rows_of
from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks import Sink
from wattbook.sinks.kafka import KafkaSettings
from wattbook.values import Secret


def sink_of(port: int, **more: Any) -> Sink:
    more = {"url": f"kafka://127.0.0.1:{port}", "compression": "gzip", **more}
    return KafkaSettings(name="stream", **more).make(Surroundings(site="House"))


async def test_every_reading_is_one_message_under_its_meter(tmp_path: Path) -> None:
    with running(ForeignKafka(tmp_path)) as foreign:
        await written(sink_of(foreign.port), house(300))
        assert sorted(foreign.rows()) == rows_of(house(300))
        topic, key, body = foreign.messages()[0]
        of_m0 = [json.loads(body)["at"] for _, key, body in foreign.messages() if key == b"m0"]
    assert (topic, key) == ("wattbook.readings", json.loads(body)["meter"].encode())
    assert len(of_m0) == 300
    assert of_m0 == sorted(of_m0)
    assert json.loads(body)["site"] == "House"


async def test_a_broker_killed_in_mid_batch(tmp_path: Path) -> None:
    big = house(3_000)
    with running(ForeignKafka(tmp_path)) as foreign:
        sink = sink_of(foreign.port, timeout=3.0)
        await sink.write(house(1, at_ms=0), "")
        writing = asyncio.create_task(sink.write(big, ""))
        await asyncio.sleep(0.15)
        await asyncio.to_thread(foreign.kill)
        with pytest.raises(SinkUnavailable, match=r"no connection|no broker"):
            await asyncio.wait_for(writing, WRITE_S_MAX)
        foreign.start()
        await written(sink, big)
        assert sorted(set(foreign.rows())) == sorted(rows_of(house(1, at_ms=0)) + rows_of(big))


async def test_a_broker_that_is_back_at_once_costs_nothing(tmp_path: Path) -> None:
    with running(ForeignKafka(tmp_path)) as foreign:
        sink = sink_of(foreign.port)
        await sink.write(house(10), "")
        await asyncio.to_thread(foreign.kill)
        writing = asyncio.create_task(sink.write(house(100, at_ms=0), ""))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(foreign.start)
        await asyncio.wait_for(writing, WRITE_S_MAX)
        await sink.aclose()
        assert sorted(foreign.rows()) == sorted(rows_of(house(10)) + rows_of(house(100, at_ms=0)))


async def test_a_broker_that_hangs_is_given_up_in_time() -> None:
    async with false_server() as port:
        sink = sink_of(port, timeout=2.0)
        with pytest.raises(SinkUnavailable, match=r"no answer within 2 s|no broker answers"):
            await asyncio.wait_for(sink.write(house(10), ""), 2.0)
        await asyncio.wait_for(sink.aclose(), 1.0)


async def test_a_cancelled_write_leaves_no_thread_behind(tmp_path: Path) -> None:
    async with false_server() as port:
        before = threading.active_count()
        sink = sink_of(port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sink.write(house(10), ""), 0.3)
        await sink.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
        assert threading.active_count() <= before


async def test_names_stay_names(tmp_path: Path) -> None:
    names = ["a.b", "c d/é", "..", "x\r\n"]
    with running(ForeignKafka(tmp_path)) as foreign:
        readings = batch(*(columns(name, {"active_energy_import": [1]}) for name in names))
        await written(sink_of(foreign.port, topic="{meter}"), readings)
        assert sorted(meter for meter, _, _ in foreign.rows()) == sorted(names)
        assert {topic for topic, _, _ in foreign.messages()} == {"a_b", "c_d__", "__", "x__"}


async def test_single_values(tmp_path: Path) -> None:
    with running(ForeignKafka(tmp_path)) as foreign:
        sink = sink_of(foreign.port, topic="{meter}-{quantity}", message_key="", message="{value}")
        await written(sink, house(1, meters=1))
        assert sorted(foreign.messages()) == [
            ("m0-active_energy_import", None, b"0"),
            ("m0-voltage", None, b"230.1"),
        ]


async def test_what_is_too_large_for_us_is_rejected(tmp_path: Path) -> None:
    with running(ForeignKafka(tmp_path)) as foreign:
        sink = sink_of(foreign.port, topic="{site}", message="{site}" * 20, size_max=1_000)
        long = columns("m1", {"voltage": [230.0]}, site="s" * 90)
        longer = columns("m2", {"voltage": [230.0]}, site="s" * 250)
        result = await sink.write(batch(columns("m0", {"voltage": [230.0]}), long, longer), "")
        await sink.aclose()
        assert [(each.meter, each.at_ms) for each in result.rejected] == [("m2", AT_MS), ("m1", AT_MS)]
        assert "no topic can be called" in result.rejected[0].reason
        assert "1800 bytes, more than 1000" in result.rejected[1].reason
        assert len(foreign.messages()) == 1


async def test_what_a_broker_never_takes_is_asked_for_in_smaller_parts(tmp_path: Path) -> None:
    with running(ForeignKafka(tmp_path, size_max=2_000)) as foreign:
        sink = sink_of(foreign.port, compression="none")
        with pytest.raises(SinkRefused, match="size too large"):
            await sink.write(house(100, meters=1), "")
        await sink.write(house(5, meters=1), "")
        await sink.aclose()
        assert len(foreign.rows()) == 5


async def test_nobody_there(tmp_path: Path) -> None:
    port = ForeignKafka(tmp_path).port
    assert f"kafka://127.0.0.1:{port}: no connection" in await refused(sink_of(port, timeout=2.0))
    assert "no host of this name" in await refused(sink_of(port, url="kafka://nowhere.invalid", timeout=2.0))


async def test_the_topic_is_not_there(tmp_path: Path) -> None:
    with running(ForeignKafka(tmp_path, create=False)) as foreign:
        assert "the topic is not there" in await refused(sink_of(foreign.port, timeout=3.0))


async def test_who_may_come_in(tmp_path: Path) -> None:
    with running(ForeignKafka(tmp_path, user="joe", password="s3cret")) as foreign:
        await written(sink_of(foreign.port, username="joe", password=Secret("s3cret")), house(1))
        wrong = sink_of(foreign.port, username="joe", password=Secret("wr0ng"))
        message = await asyncio.wait_for(refused(wrong), 5.0)
        assert "does not let us in" in message
        assert "wr0ng" not in message


async def test_tls_with_a_client_certificate(tmp_path: Path, certificates: Path) -> None:
    files = {name: str(certificates / name) for name in ("ca.crt", "server.crt", "server.key")}
    options = {"ca": files["ca.crt"], "certificate": files["server.crt"], "key": files["server.key"]}
    ca = certificates / "ca.crt"
    ours = {"certificate": certificates / "client.crt", "key": certificates / "client.key"}
    with running(ForeignKafka(tmp_path, **options)) as foreign:
        url = f"kafkas://127.0.0.1:{foreign.port}"
        await written(sink_of(foreign.port, url=url, ca=ca, **ours), house(1))
        assert len(foreign.rows()) == 10
        assert "TLS failed" in await refused(sink_of(foreign.port, url=url, timeout=3.0, **ours))
        assert "no such certificate file" in await refused(sink_of(foreign.port, url=url, ca=tmp_path / "none"))
        message = await refused(sink_of(foreign.port, url=url, ca=ca, timeout=3.0))
        assert 'does it ask for a "certificate" of ours?' in message


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_a_cluster_of_three(compression: str) -> None:
    """librdkafka's mock brokers: leaders of partitions are spread over them, and its consumer reads again."""
    cluster = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 3, "log_level": 0})
    brokers = ",".join(f"{each.host}:{each.port}" for each in cluster.list_topics(timeout=10).brokers.values())
    await written(sink_of(0, url=f"kafka://{brokers}", compression=compression), house(50))
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "test", "log_level": 0})
    partitions = consumer.list_topics("wattbook.readings", timeout=10).topics["wattbook.readings"].partitions
    consumer.assign([TopicPartition("wattbook.readings", number, 0) for number in partitions])
    found = []
    while len(found) < 500:
        messages = consumer.consume(500, timeout=10)
        assert messages
        found += [json.loads(message.value() or b"") for message in messages]
    consumer.close()
    assert sorted((each["meter"], each["values"]["active_energy_import"]) for each in found) == [
        (meter, energy) for meter, _, energy in rows_of(house(50))
    ]
    cluster.close()
