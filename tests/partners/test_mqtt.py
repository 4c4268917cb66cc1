"""Our subscriber and a real mosquitto with its own clients."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mosquitto_server import Mosquitto, mosquitto
from wattbook.codecs.mqtt import PING, Message, Version
from wattbook.model import ConfigError, Unreachable
from wattbook.transports.mqtt import BrokerSettings, Connection, TlsSettings, connect, parse_broker, session_name

_WAIT_S_MAX = 30.0  # far above what anything takes; a test that needs it has failed


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


WELCOME, SUBSCRIBED = b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x01"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[BrokerSettings]:
    """A server that is no mosquitto."""
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield BrokerSettings("127.0.0.1", listening.sockets[0].getsockname()[1], "test")
    finally:
        listening.close()
        await listening.wait_closed()


def settings_of(broker: Mosquitto, client_id: str = "test") -> BrokerSettings:
    return BrokerSettings("127.0.0.1", broker.port, client_id)


async def receive(connection: Connection, count: int) -> list[Message]:
    messages: list[Message] = []
    async with asyncio.timeout(_WAIT_S_MAX):
        while len(messages) < count:
            messages += await connection.receive(1000)
    return messages


@pytest.mark.parametrize("version", Version)
async def test_what_a_plain_client_publishes_arrives(broker: Mosquitto, version: Version) -> None:
    connection = await connect(settings_of(broker), ["a/b", "other"], [version])
    await asyncio.to_thread(broker.publish, "a/b", "one", "zwölf")
    messages = await receive(connection, 2)
    connection.acknowledge(messages)
    await connection.aclose()
    assert [(message.topic, message.payload.decode(), message.retained) for message in messages] == [
        ("a/b", "one", False),
        ("a/b", "zwölf", False),
    ]


@pytest.mark.parametrize("version", Version)
async def test_the_session_keeps_what_was_not_acknowledged(broker: Mosquitto, version: Version) -> None:
    settings = settings_of(broker)
    first = await connect(settings, ["a"], [version])
    await asyncio.to_thread(broker.publish, "a", "1", "2", "3")
    messages = await receive(first, 3)
    first.acknowledge(messages[:1])
    await first.aclose()
    await asyncio.to_thread(broker.publish, "a", "4")
    second = await connect(settings, ["a"], [version])
    again = await receive(second, 3)
    await second.aclose()
    assert [message.payload for message in again] == [b"2", b"3", b"4"]


async def test_more_than_the_brokers_own_limit_may_wait_for_the_acknowledgement(broker: Mosquitto) -> None:
    """Twenty is all that mosquitto sends ahead to a client of version 3.1.1; a commit for every twenty is too slow."""
    connection = await connect(settings_of(broker), ["a"])
    await asyncio.to_thread(broker.publish, "a", *map(str, range(500)))
    assert len(await receive(connection, 500)) == 500
    await connection.aclose()


async def test_a_stranger_is_forgotten(broker: Mosquitto) -> None:
    settings = settings_of(broker)
    first = await connect(settings, ["old", "new"])
    await first.aclose()
    second = await connect(settings, ["new"])
    await asyncio.to_thread(broker.publish, "old", "1")
    second.acknowledge(await receive(second, 1))
    second.forget("old")
    await second.aclose()
    third = await connect(settings, ["new"])
    await asyncio.to_thread(broker.publish, "old", "2")
    await asyncio.to_thread(broker.publish, "new", "3")
    assert [message.payload for message in await receive(third, 1)] == [b"3"]
    await third.aclose()


async def test_a_broker_that_goes_is_unreachable_and_takes_us_back(broker: Mosquitto) -> None:
    settings = settings_of(broker)
    connection = await connect(settings, ["a"])
    waiting = asyncio.create_task(connection.receive(1))
    await asyncio.to_thread(broker.stop)
    with pytest.raises(Unreachable, match=f"mqtt://127.0.0.1:{broker.port} "):
        await asyncio.wait_for(waiting, _WAIT_S_MAX)
    await connection.aclose()
    with pytest.raises(Unreachable, match="no broker at"):
        await connect(settings, ["a"])
    await asyncio.to_thread(broker.start)
    again = await connect(settings, ["a"])
    await again.aclose()


async def test_a_dismissal_is_told_in_words() -> None:
    """mosquitto 2.0 only closes the connection when a second client comes with our id; others say why."""

    async def dismiss(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(WELCOME)
        await reader.read(1000)
        writer.write(SUBSCRIBED + b"\xe0\x01\x8e")
        writer.close()

    async with server(dismiss) as settings:
        connection = await connect(settings, ["a"])
        with pytest.raises(Unreachable, match="another client uses the same client id"):
            await asyncio.wait_for(connection.receive(1), _WAIT_S_MAX)
        await connection.aclose()


async def test_a_silent_peer_is_found_out() -> None:
    """A server that welcomes us and then never answers a ping, as after a pulled cable."""

    async def fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(WELCOME)
        await reader.read(1000)
        writer.write(SUBSCRIBED)
        while await reader.read(1000):
            pass
        writer.close()

    async with server(fall_silent) as settings:
        connection = await connect(replace(settings, keepalive_s=1), ["a"])
        with pytest.raises(Unreachable, match="silent for"):
            await asyncio.wait_for(connection.receive(1), _WAIT_S_MAX)
        await connection.aclose()


async def test_a_broker_that_wants_to_hear_from_us_more_often_does() -> None:
    """Its Server Keep Alive of a second takes the place of our half minute: three signs of life in one."""
    pings = asyncio.Semaphore(0)

    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x06\x00\x00\x03\x13\x00\x01")
        while data := await reader.read(1000):
            if b"\x82" in data:
                writer.write(SUBSCRIBED)
            for _ in range(data.count(PING)):
                writer.write(b"\xd0\x00")
                pings.release()
        writer.close()

    async with server(impatient) as settings:
        connection = await connect(replace(settings, keepalive_s=60), ["a"])
        async with asyncio.timeout(_WAIT_S_MAX):
            for _ in range(3):
                await pings.acquire()
        await connection.aclose()


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", b""])
async def test_an_old_broker_is_spoken_to_in_its_own_version(answer: bytes) -> None:
    versions = []

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version = (await reader.read(1000))[8]
        versions.append(version)
        if version == Version.V3:
            writer.write(b"\x20\x02\x00\x00")
            await reader.read(1000)
            writer.write(b"\x90\x03\x00\x01\x01")
            await reader.read(1000)
        else:
            writer.write(answer)
        writer.close()

    async with server(old) as settings:
        connection = await connect(settings, ["a"])
        await connection.aclose()
    assert versions == [Version.V5, Version.V3]


async def test_what_is_no_broker_is_said() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with server(web) as settings:
        with pytest.raises(Unreachable, match="no MQTT"):
            await connect(settings, ["a"])


async def test_wrong_password(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "joe", "right"], check=True, timeout=20)
    passwords.chmod(0o644)
    with mosquitto(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
        good = parse_broker(f"mqtt://joe:right@127.0.0.1:{broker.port}", client_id="test")
        await (await connect(good, ["a"])).aclose()
        bad = parse_broker(f"mqtt://joe:wrong@127.0.0.1:{broker.port}", client_id="test")
        with pytest.raises(ConfigError) as refused:
            await connect(bad, ["a"])
    assert "wrong" not in str(refused.value).replace("wrong user or password", "")


async def test_tls_with_a_client_certificate(tmp_path: Path, certificates: Path) -> None:
    lines = [
        f"cafile {certificates}/ca.crt",
        f"certfile {certificates}/server.crt",
        f"keyfile {certificates}/server.key",
    ]
    with mosquitto(tmp_path, *lines, "require_certificate true") as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        ours = TlsSettings(*(str(certificates / name) for name in ("ca.crt", "client.crt", "client.key")))
        connection = await connect(parse_broker(url, client_id="test", tls=ours), ["a"])
        tls = ["--cafile", ours.ca_file, "--cert", ours.certificate_file, "--key", ours.key_file]
        publish = asyncio.to_thread(broker.publish, "a", "secret", options=tls)
        _, messages = await asyncio.gather(publish, receive(connection, 1))
        await connection.aclose()
        with pytest.raises(ConfigError, match="its certificate is not trusted"):
            await connect(parse_broker(url, client_id="test"), ["a"])
    assert messages[0].payload == b"secret"


def test_nothing_is_lost_when_the_consumer_is_killed(tmp_path: Path, broker: Mosquitto) -> None:
    """Killed three times when it has kept a batch and the next one, of 500 messages, is heard but not kept."""
    kept, each = tmp_path / "kept", 2_000
    kept.touch()
    asyncio.run(_begin_session(broker))
    for meter in "abc":
        broker.publish(f"meters/{meter}/reading", *(f'{{"power":{number}}}' for number in range(each)))
    for _ in range(3):
        size = kept.stat().st_size
        with consumer(broker, kept):
            wait_until(lambda size=size: kept.stat().st_size > size)
            wait_until(lambda: kept.with_suffix(".diary").read_bytes().endswith(b"("))  # the next batch is being kept
    expected = {f"{meter} {number}" for meter in "abc" for number in range(each)}
    with consumer(broker, kept):
        wait_until(lambda: expected <= set(kept.read_text().splitlines()))


@contextmanager
def consumer(broker: Mosquitto, kept: Path) -> Iterator[None]:
    """Run the consumer; it ends by kill -9."""
    program = Path(__file__).with_name("mqtt_consumer.py")
    process = subprocess.Popen([sys.executable, str(program), str(broker.port), str(kept)])
    try:
        yield
    finally:
        process.kill()
        process.wait(20)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_S_MAX
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


async def _begin_session(broker: Mosquitto) -> None:
    """Let the broker know the session before anything is published; it keeps nothing for those it never saw."""
    connection = await connect(settings_of(broker, "killed"), [f"meters/{meter}/reading" for meter in "abc"])
    await connection.aclose()


@pytest.mark.parametrize(
    ("url", "host", "port", "user"),
    [
        ("mqtt://broker", "broker", 1883, ""),
        ("mqtts://broker", "broker", 8883, ""),
        ("mqtt://joe:a%40b@10.0.0.1:1884", "10.0.0.1", 1884, "joe"),
        ("mqtt://[::1]:1883", "::1", 1883, ""),
    ],
)
def test_broker_addresses(url: str, host: str, port: int, user: str) -> None:
    settings = parse_broker(url, client_id="x")
    assert (settings.host, settings.port, settings.user) == (host, port, user)
    assert "a@b" not in repr(settings)


@pytest.mark.parametrize(
    "url", ["mqtt://", "http://broker", "mqtt://joe:secret@b:99999", "mqtt://b/path", "mqtt://b?x=1"]
)
def test_what_is_no_broker_address(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_broker(url, client_id="x")
    assert "secret" not in str(error.value)


def test_a_session_name_is_stable_and_fits_every_broker() -> None:
    assert session_name("site", "line") == session_name("site", "line") != session_name("sit", "eline")
    assert len(session_name("x")) == 23
    assert session_name("x").isalnum()
