"""The Kafka sink with its real library: against a small broker of ours, and against librdkafka's own mock cluster."""

import asyncio
import json
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from foreign_kafka import ForeignKafka
from stream_batches import AT_MS, batch, columns, house, rows_of
from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks import Sink
from wattbook.sinks.kafka import KafkaSettings
from wattbook.values import Secret

_WAIT_S_MAX = 30.0


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[ForeignKafka]:
    foreign = ForeignKafka(folder / "kafka", **options)
    foreign.start()
    try:
        yield foreign
    finally:
        foreign.stop()


def sink_of(port: int, **more: Any) -> Sink:
    more = {"url": f"kafka://127.0.0.1:{port}", "compression": "gzip", **more}
    return KafkaSettings(name="stream", **more).make(Surroundings(site="House"))


async def written(sink: Sink, *batches: Any) -> None:
    try:
        for each in batches:
            result = await sink.write(each, "bookmark")
            assert (result.rejected, result.bookmark) == ((), "bookmark")
    finally:
        await sink.aclose()


async def refused(sink: Sink) -> str:
    with pytest.raises(SinkUnavailable) as error:
        await asyncio.wait_for(sink.write(house(1), ""), _WAIT_S_MAX)
    await sink.aclose()
    return str(error.value)


async def test_every_reading_is_one_message_under_its_meter(tmp_path: Path) -> None:
    with running(tmp_path) as foreign:
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
    with running(tmp_path) as foreign:
        sink = sink_of(foreign.port, timeout=3.0)
        await sink.write(house(1, at_ms=0), "")
        writing = asyncio.create_task(sink.write(big, ""))
        await asyncio.sleep(0.15)
        await asyncio.to_thread(foreign.kill)
        with pytest.raises(SinkUnavailable, match=r"no connection|no broker"):
            await asyncio.wait_for(writing, _WAIT_S_MAX)
        foreign.start()
        await written(sink, big)
        assert sorted(set(foreign.rows())) == sorted(rows_of(house(1, at_ms=0)) + rows_of(big))


async def test_a_broker_that_is_back_at_once_costs_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as foreign:
        sink = sink_of(foreign.port)
        await sink.write(house(10), "")
        await asyncio.to_thread(foreign.kill)
        writing = asyncio.create_task(sink.write(house(100, at_ms=0), ""))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(foreign.start)
        await asyncio.wait_for(writing, _WAIT_S_MAX)
        await sink.aclose()
        assert sorted(foreign.rows()) == sorted(rows_of(house(10)) + rows_of(house(100, at_ms=0)))


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """It accepts, and hangs."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1]
    over.set()
    listening.close()
    await listening.wait_closed()
    await asyncio.sleep(0.01)


async def test_a_broker_that_hangs_is_given_up_in_time() -> None:
    async with silent_server() as port:
        sink = sink_of(port, timeout=2.0)
        with pytest.raises(SinkUnavailable, match=r"no answer within 2 s|no broker answers"):
            await asyncio.wait_for(sink.write(house(10), ""), 2.0)
        await asyncio.wait_for(sink.aclose(), 1.0)


async def test_a_cancelled_write_leaves_no_thread_behind(tmp_path: Path) -> None:
    async with silent_server() as port:
        before = threading.active_count()
        sink = sink_of(port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sink.write(house(10), ""), 0.3)
        await sink.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
        assert threading.active_count() <= before


async def test_names_stay_names(tmp_path: Path) -> None:
    names = ["a.b", "c d/é", "..", "x\r\n"]
    with running(tmp_path) as foreign:
        readings = batch(*(columns(name, {"active_energy_import": [1]}) for name in names))
        await written(sink_of(foreign.port, topic="{meter}"), readings)
        assert sorted(meter for meter, _, _ in foreign.rows()) == sorted(names)
        assert {topic for topic, _, _ in foreign.messages()} == {"a_b", "c_d__", "__", "x__"}


async def test_single_values(tmp_path: Path) -> None:
    with running(tmp_path) as foreign:
        sink = sink_of(foreign.port, topic="{meter}-{quantity}", message_key="", message="{value}")
        await written(sink, house(1, meters=1))
        assert sorted(foreign.messages()) == [
            ("m0-active_energy_import", None, b"0"),
            ("m0-voltage", None, b"230.1"),
        ]


async def test_what_is_too_large_for_us_is_rejected(tmp_path: Path) -> None:
    with running(tmp_path) as foreign:
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
    with running(tmp_path, size_max=2_000) as foreign:
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
    with running(tmp_path, create=False) as foreign:
        assert "the topic is not there" in await refused(sink_of(foreign.port, timeout=3.0))


async def test_who_may_come_in(tmp_path: Path) -> None:
    with running(tmp_path, user="joe", password="s3cret") as foreign:
        await written(sink_of(foreign.port, username="joe", password=Secret("s3cret")), house(1))
        wrong = sink_of(foreign.port, username="joe", password=Secret("wr0ng"))
        message = await asyncio.wait_for(refused(wrong), 5.0)
        assert "does not let us in" in message
        assert "wr0ng" not in message


@pytest.fixture(scope="session")
def kafka_certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate each for the broker and for us."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
    for name, more in (("ca", []), ("server", signed), ("client", signed)):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
        command = ["openssl", "req", "-x509", *key, *more, *files]
        subprocess.run(command, cwd=folder, check=True, timeout=60, capture_output=True)
    return folder


async def test_tls_with_a_client_certificate(tmp_path: Path, kafka_certificates: Path) -> None:
    files = {name: str(kafka_certificates / name) for name in ("ca.crt", "server.crt", "server.key")}
    options = {"ca": files["ca.crt"], "certificate": files["server.crt"], "key": files["server.key"]}
    ca = kafka_certificates / "ca.crt"
    ours = {"certificate": kafka_certificates / "client.crt", "key": kafka_certificates / "client.key"}
    with running(tmp_path, **options) as foreign:
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
