"""The MQTT sink and a real mosquitto, with its own clients and paho as judges."""

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
import threading
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from pydantic import TypeAdapter
from tahutils.tahu import sparkplug_b_pb2

from foreign_mqtt import ForeignMqtt
from mosquitto_server import Mosquitto, mosquitto
from wattbook.codecs.reading_json import decode_many
from wattbook.model import Batch, Columns, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.mqtt import MqttSettings, MqttSink

AT_MS = 1_795_222_923_000
WAIT_S_MAX = 30.0


def sink(port: int, **keys: Any) -> MqttSink:
    table = {"name": "broker", "kind": "mqtt", "url": f"mqtt://127.0.0.1:{port}", **keys}
    settings = TypeAdapter(MqttSettings).validate_python(table, context={"folder": Path()})
    return settings.make(Surroundings("House"))


def columns(meter: str = "m0", start: int = 0, rows: int = 1, name: str = "active_energy_import") -> Columns:
    instants = array("q", [AT_MS + 1000 * (start + row) for row in range(rows)])
    values = {name: array("d", [float(start + row) for row in range(rows)])}
    return Columns("", meter, instants, array("q", range(rows)), values, array("B", [0] * rows))


def batch(*parts: Columns) -> Batch:
    return Batch(parts, (), "1")


class Judge:
    """paho, listening to topics."""

    def __init__(self, port: int, *topics: str) -> None:
        self.heard: list[paho.MQTTMessage] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda client, data, message: self.heard.append(message)
        self._client.connect("127.0.0.1", port)
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.subscribe([(topic, 1) for topic in topics])
        self._client.loop_start()
        assert ready.wait(WAIT_S_MAX)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, 1).wait_for_publish(WAIT_S_MAX)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    async def wait(self, count: int, topic: str = "") -> list[paho.MQTTMessage]:
        """The messages on topics that begin so, when there are so many."""
        end = time.monotonic() + WAIT_S_MAX
        while len(found := [each for each in list(self.heard) if each.topic.startswith(topic)]) < count:
            assert time.monotonic() < end, [(each.topic, each.payload) for each in self.heard]
            await asyncio.sleep(0.02)
        return found


@contextlib.contextmanager
def judge(port: int, *topics: str) -> Iterator[Judge]:
    listening = Judge(port, *topics)
    try:
        yield listening
    finally:
        listening.close()


@asynccontextmanager
async def closing(made: MqttSink) -> AsyncIterator[MqttSink]:
    try:
        yield made
    finally:
        await made.aclose()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.mark.parametrize("keys", [{}, {"version": "3.1.1"}, {"qos": 0}, {"in_flight": 1}, {"rate": 2000, "batch": 500}])
async def test_every_reading_arrives_and_says_who_it_is(broker: Mosquitto, keys: dict[str, Any]) -> None:
    with judge(broker.port, "wattbook/House/+") as listening:
        async with closing(sink(broker.port, **keys)) as made:
            for start in (0, 200):
                written = await made.write(batch(columns("m0", start, 200), columns("m+/1", start, 200)), "")
                assert written.rejected == ()
            messages = await listening.wait(800)
    readings = [reading for message in messages for reading in decode_many(message.payload)]
    assert {message.topic for message in messages} == {"wattbook/House/m0", "wattbook/House/m%2B%2F1"}
    assert {(each.site, each.meter) for each in readings} == {("House", "m0"), ("House", "m+/1")}
    assert len({(each.meter, each.at) for each in readings}) == 800 == len(readings)
    assert sum(each.values["active_energy_import"] for each in readings) == 2 * sum(range(400))


async def test_state_is_kept_by_the_broker_and_a_backlog_does_not_turn_it_back(broker: Mosquitto) -> None:
    async with closing(sink(broker.port, state="state/{meter}/{quantity}", state_payload="{value}")) as made:
        await made.write(batch(columns(start=1000)), "")
        await made.write(batch(columns(start=0, rows=500)), "")
    with judge(broker.port, "state/#") as listening:
        (message,) = await listening.wait(1)
    assert (message.topic, message.payload, message.retain) == ("state/m0/active_energy_import", b"1000", True)


async def test_online_and_offline_are_kept(broker: Mosquitto) -> None:
    async with closing(sink(broker.port)) as made:
        await made.write(batch(columns()), "")
        with judge(broker.port, "wattbook/House") as listening:
            assert [each.payload for each in await listening.wait(1)] == [b"online"]
            await made.aclose()
            assert [each.payload for each in await listening.wait(2)] == [b"online", b"offline"]
            await made.write(batch(columns(start=1)), "")
            assert [each.payload for each in await listening.wait(3)][-1] == b"online"
            assert made._publisher is not None
            made._publisher.abort()  # as a dead network would: the will speaks
            assert [each.payload for each in await listening.wait(4)][-1] == b"offline"


async def test_a_broker_killed_in_mid_batch_loses_nothing_that_was_done(tmp_path: Path) -> None:
    foreign = ForeignMqtt(tmp_path)
    await asyncio.to_thread(foreign.start)
    table = {"url": f"mqtt://127.0.0.1:{foreign.port}", "subscribed": True}
    async with closing(sink(foreign.port, **table)) as made:
        await made.write(batch(columns(rows=10)), "")
        assert len(await asyncio.to_thread(foreign.rows)) == 10
        writing = asyncio.create_task(made.write(batch(columns(start=10, rows=20_000)), ""))
        await asyncio.sleep(0.1)
        foreign.kill()
        with pytest.raises(SinkUnavailable, match="closed the connection"):
            await writing
        with pytest.raises(SinkUnavailable, match="no broker at"):
            await made.write(batch(columns(start=10, rows=20_000)), "")
        await asyncio.to_thread(foreign.start)
        await made.write(batch(columns(start=10, rows=20_000)), "")
    rows = await asyncio.to_thread(foreign.rows)
    assert {(meter, at_ms) for meter, at_ms, _ in rows} == {("m0", AT_MS + 1000 * row) for row in range(20_010)}
    foreign.stop()


async def test_readings_wait_until_somebody_is_subscribed(broker: Mosquitto) -> None:
    async with closing(sink(broker.port, subscribed=True)) as made:
        with pytest.raises(SinkUnavailable, match='nobody is subscribed to "wattbook/House/m0"'):
            await made.write(batch(columns()), "")
        with judge(broker.port, "wattbook/House/+") as listening:
            await made.write(batch(columns()), "")
            await listening.wait(1)


async def test_a_broker_that_accepts_and_then_hangs_is_dropped_when_time_is_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1000)
        assert first[:1] == b"\x10"
        writer.write(b"\x20\x03\x00\x00\x00")
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass
        writer.close()
        gone.set()

    gone = asyncio.Event()
    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    made = sink(listening.sockets[0].getsockname()[1])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await made.write(batch(columns()), "")
    assert made._publisher is None
    await gone.wait()
    listening.close()
    await listening.wait_closed()


async def test_a_topic_that_is_not_ours_to_write_is_said(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic write wattbook/House\ntopic write wattbook/House/m0\n")
    with mosquitto(tmp_path, f"acl_file {tmp_path / 'acl'}") as broker:
        async with closing(sink(broker.port)) as made:
            await made.write(batch(columns("m0")), "")
            with pytest.raises(SinkUnavailable, match='not take messages on "wattbook/House/m1": this user may not'):
                await made.write(batch(columns("m1")), "")
        async with closing(sink(broker.port, status="elsewhere")) as made:
            with pytest.raises(SinkUnavailable, match='on "elsewhere"'):
                await made.write(batch(columns("m0")), "")


async def test_a_reading_too_large_for_the_broker_is_set_aside(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "max_packet_size 300") as broker, judge(broker.port, "#") as listening:
        large, small = columns("m0"), columns("m1", 5)
        async with closing(sink(broker.port, payload={"m": "{meter}", "fill": "x" * 250, "s": "{site}"})) as made:
            written = await made.write(batch(large), "")
        assert [(each.meter, each.at_ms) for each in written.rejected] == [("m0", AT_MS)]
        assert "too large" in written.rejected[0].reason
        async with closing(sink(broker.port)) as made:
            assert (await made.write(batch(small), "")).rejected == ()
        await listening.wait(1, "wattbook/House/m1")


# who we are


async def test_a_wrong_password_is_said_and_not_shown(tmp_path: Path) -> None:
    made_by = shutil.which("mosquitto_passwd")
    if made_by is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([made_by, "-b", "-c", tmp_path / "users", "house", "right"], check=True, capture_output=True)
    with mosquitto(tmp_path, f"password_file {tmp_path / 'users'}", anonymous=False) as broker:
        for version in ("auto", "3.1.1"):
            async with closing(sink(broker.port, username="house", password="wrong-one", version=version)) as made:
                with pytest.raises(SinkUnavailable) as caught:
                    await made.write(batch(columns()), "")
            assert "turned us away" in str(caught.value) and "wrong-one" not in str(caught.value)
        async with closing(sink(broker.port, url=f"mqtt://house:right@127.0.0.1:{broker.port}")) as made:
            await made.write(batch(columns()), "")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities; a server and a client of the first, a stranger of the second."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(folder, "req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name, by in (("server", "ca"), ("client", "ca"), ("stranger", "other")):
        openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


@pytest.fixture
def secure(tmp_path: Path, certificates: Path) -> Iterator[Mosquitto]:
    """A broker that asks for a certificate and takes its name for the user, as AWS IoT does."""
    files = (
        f"{kind}file {certificates / name}"
        for kind, name in (("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key"))
    )
    with mosquitto(tmp_path, *files, "require_certificate true", "use_identity_as_username true") as broker:
        yield broker


async def test_client_certificates(secure: Mosquitto, certificates: Path) -> None:
    mine = {
        "ca": certificates / "ca.pem",
        "certificate": certificates / "client.pem",
        "key": certificates / "client.key",
    }
    async with closing(sink(0, url=f"mqtts://127.0.0.1:{secure.port}", **mine)) as made:
        assert (await made.write(batch(columns(rows=1000)), "")).rejected == ()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"ca": "ca.pem"}, "certificate"),
        ({"ca": "ca.pem", "certificate": "stranger.pem", "key": "stranger.key"}, "certificate"),
        ({"ca": "other.pem", "certificate": "client.pem", "key": "client.key"}, "not trusted"),
        ({"ca": "ca.pem", "certificate": "none.pem", "key": "client.key"}, "no such certificate file"),
        ({"ca": "ca.pem", "certificate": "client.pem", "key": "stranger.key"}, "cannot be used for TLS"),
    ],
)
async def test_a_wrong_certificate_is_said(
    secure: Mosquitto, certificates: Path, files: dict[str, str], words: str
) -> None:
    keys = {key: certificates / name for key, name in files.items()}
    async with closing(sink(0, url=f"mqtts://127.0.0.1:{secure.port}", **keys)) as made:
        with pytest.raises(SinkUnavailable, match=words):
            await made.write(batch(columns()), "")


async def test_amazon_is_told_inside_tls_that_this_is_mqtt(certificates: Path) -> None:
    """A server that, like AWS IoT on port 443, looks at what is said inside TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.set_alpn_protocols(["http/1.1", "x-amzn-mqtt-ca"])
    said: asyncio.Queue[str | None] = asyncio.Queue()

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await said.put(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.close()

    listening = await asyncio.start_server(look, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    keys = {"url": f"mqtts://127.0.0.1:{port}", "ca": certificates / "ca.pem", "alpn": "x-amzn-mqtt-ca"}
    async with closing(sink(0, version="3.1.1", **keys)) as made:
        with pytest.raises(SinkUnavailable):
            await made.write(batch(columns()), "")
    assert await said.get() == "x-amzn-mqtt-ca"
    listening.close()
    await listening.wait_closed()


async def test_who_signs_on_with_a_token_takes_a_new_one_before_its_end(broker: Mosquitto) -> None:
    """As at Azure IoT Hub; mosquitto takes any password."""
    made_tokens: list[str] = []

    def make_token() -> str:
        made_tokens.append(f"token {len(made_tokens)}")
        return made_tokens[-1]

    async with closing(sink(broker.port, status="")) as made:
        made._sign_on = replace(made._sign_on, password=make_token, holds_s=0.2)
        await made.write(batch(columns()), "")
        await made.write(batch(columns(start=1)), "")
        assert len(made_tokens) == 1
        await asyncio.sleep(0.3)
        await made.write(batch(columns(start=2)), "")
        assert len(made_tokens) == 2


# Home Assistant


async def test_home_assistant_is_told_of_meters_and_again_when_it_starts(broker: Mosquitto) -> None:
    with judge(broker.port, "homeassistant/#", "wattbook/#") as listening:
        async with closing(sink(broker.port, home_assistant=True)) as made:
            await made.write(batch(columns("m0")), "")
            (config,) = await listening.wait(1, "homeassistant/device")
            listening.publish("homeassistant/status", b"online")
            again = await listening.wait(2, "homeassistant/device")
            await made.write(batch(columns("m1")), "")
            await listening.wait(3, "homeassistant/device")
            (state,) = await listening.wait(1, "wattbook/House/m0/state")
    assert again[1].payload == config.payload
    sensor = json.loads(config.payload)["components"]["active_energy_import"]
    assert sensor["state_topic"] == state.topic
    assert (sensor["device_class"], sensor["state_class"]) == ("energy", "total_increasing")


# Sparkplug


def decoded(message: paho.MQTTMessage) -> Any:
    payload = sparkplug_b_pb2.Payload()
    payload.ParseFromString(message.payload)
    return payload


async def test_sparkplug_as_its_own_library_reads_it(broker: Mosquitto) -> None:
    with judge(broker.port, "spBv1.0/#") as listening:
        async with closing(sink(broker.port, sparkplug="Plant/wattbook")) as made:
            await made.write(batch(columns("m0", 10)), "")
            birth, device, live = await listening.wait(3)
            assert [each.topic for each in (birth, device, live)] == [
                "spBv1.0/Plant/NBIRTH/wattbook",
                "spBv1.0/Plant/DBIRTH/wattbook/m0",
                "spBv1.0/Plant/DDATA/wattbook/m0",
            ]
            assert [decoded(each).seq for each in (birth, device, live)] == [0, 1, 2]
            node = {metric.name: metric for metric in decoded(birth).metrics}
            assert node["Node Control/Rebirth"].boolean_value is False
            (described,) = decoded(device).metrics
            assert (described.name, described.datatype, described.double_value) == ("active_energy_import", 10, 10.0)
            assert (described.properties.keys[0], described.properties.values[0].string_value) == ("engUnit", "Wh")
            (value,) = decoded(live).metrics
            assert (value.alias, value.timestamp) == (described.alias, AT_MS + 10_000)
            assert (value.double_value, value.is_historical, value.HasField("name")) == (10.0, False, False)

            await made.write(batch(columns("m0", 0, 3)), "")
            backlog = [decoded(each) for each in (await listening.wait(6))[3:]]
            assert [(each.seq, each.metrics[0].is_historical) for each in backlog] == [(3, True), (4, True), (5, True)]

            command = sparkplug_b_pb2.Payload()
            command.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=True)
            listening.publish("spBv1.0/Plant/NCMD/wattbook", command.SerializeToString())
            again = [each for each in await listening.wait(9) if "NCMD" not in each.topic][6:]
            assert [each.topic for each in again] == [birth.topic, device.topic]
            assert [decoded(each).seq for each in again] == [0, 1]
            assert decoded(again[1]).metrics[0].double_value == 10.0

            assert made._publisher is not None
            made._publisher.abort()
            (death,) = await listening.wait(1, "spBv1.0/Plant/NDEATH")
            number = node["bdSeq"].long_value
            assert [(each.name, each.long_value) for each in decoded(death).metrics] == [("bdSeq", number)]
            await made.write(batch(columns("m0", 11)), "")
            births = await listening.wait(3, birth.topic)
            told = {metric.name: metric.long_value for metric in decoded(births[2]).metrics}
            assert told["bdSeq"] == (number + 1) % 256
            await made.aclose()
            await listening.wait(2, "spBv1.0/Plant/NDEATH")


async def test_nothing_is_said_while_the_primary_host_is_away(broker: Mosquitto) -> None:
    def host(online: bool, timestamp: int) -> None:
        state = json.dumps({"online": online, "timestamp": timestamp})
        broker.publish("spBv1.0/STATE/scada", state, options=["-r"])

    with judge(broker.port, "spBv1.0/Plant/#") as listening:
        async with closing(sink(broker.port, sparkplug="Plant/n", sparkplug_host="scada")) as made:
            with pytest.raises(SinkUnavailable, match='primary host "scada" is not online'):
                await made.write(batch(columns()), "")
            await asyncio.to_thread(host, True, 10)
            await made.write(batch(columns()), "")
            await listening.wait(3)
            await asyncio.to_thread(host, False, 9)  # a late word of an earlier end
            await made.write(batch(columns(start=1)), "")
            await listening.wait(4)
            await asyncio.to_thread(host, False, 11)
            with pytest.raises(SinkUnavailable, match="primary host"):
                await made.write(batch(columns(start=2)), "")
            assert (await listening.wait(5))[-1].topic == "spBv1.0/Plant/NDEATH/n"
    assert not [each for each in listening.heard[:-1] if "NDEATH" in each.topic]
