"""The NATS sink and a real nats-server."""

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import nkeys
import pytest

from false_server import false_server
from foreign_nats import ForeignNats
from foreign_process import running
from nats_server import NatsServer
from sink_writes import WRITE_S_MAX, refused, written
from stream_batches import batch, columns, house, rows_of
from wattbook.model import SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks import Sink
from wattbook.sinks.nats import NatsSettings
from wattbook.values import Secret


def sink_of(server: NatsServer, **more: Any) -> Sink:
    more = {"stream": "readings", "url": f"nats://127.0.0.1:{server.port}", **more}
    return NatsSettings(name="stream", **more).make(Surroundings(site="House"))


async def test_every_reading_is_one_message_under_its_meters_subject(tmp_path: Path) -> None:
    with running(ForeignNats(tmp_path)) as foreign:
        await written(sink_of(foreign), house(300))
        assert sorted(foreign.rows()) == rows_of(house(300))
        subject, body = foreign.messages("readings")[0]
    assert subject == "wattbook.House.m0"
    assert json.loads(body) == {
        "meter": "m0",
        "at": "2026-11-21T01:02:03.000Z",
        "values": {"active_energy_import": 0, "voltage": 230.1},
        "quality": "good",
        "site": "House",
    }


async def test_what_comes_twice_is_dropped_and_a_correction_is_not(tmp_path: Path) -> None:
    correction = batch(columns("m0", {"active_energy_import": [5.0]}))
    with running(ForeignNats(tmp_path)) as foreign:
        await written(sink_of(foreign), house(10), house(10), correction)
        assert len(foreign.rows()) == 101


async def test_a_killed_server_has_what_was_acknowledged_and_takes_the_rest(tmp_path: Path) -> None:
    with running(ForeignNats(tmp_path)) as foreign:
        sink = sink_of(foreign)
        await sink.write(house(100), "")
        foreign.kill()
        with pytest.raises(SinkUnavailable, match=r"no connection|ended the connection"):
            await sink.write(house(100, at_ms=0), "")
        foreign.start()
        await sink.write(house(100, at_ms=0), "")
        await sink.aclose()
        assert sorted(set(foreign.rows())) == sorted(rows_of(house(100)) + rows_of(house(100, at_ms=0)))


async def test_a_server_killed_in_mid_batch(tmp_path: Path) -> None:
    big = house(2_000)
    with running(ForeignNats(tmp_path)) as foreign:
        sink = sink_of(foreign, in_flight=500)
        writing = asyncio.create_task(sink.write(big, ""))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(foreign.kill)
        with pytest.raises(SinkUnavailable):
            await asyncio.wait_for(writing, WRITE_S_MAX)
        foreign.start()
        await written(sink, big)
        assert sorted(set(foreign.rows())) == rows_of(big)


_GREETING = b'INFO {"server_id":"x","version":"2.9.0","headers":true,"max_payload":1048576,"auth_required":true}\r\n'


@pytest.mark.parametrize(("greeting", "pong"), [(b"", b""), (_GREETING, b""), (_GREETING, b"PONG\r\n")])
async def test_a_server_that_hangs_is_given_up_in_time(greeting: bytes, pong: bytes) -> None:
    """It accepts and says nothing; or it greets us, and takes no more."""
    async with false_server(greeting, pong=pong) as port:
        sink = NatsSettings(name="x", url=f"nats://127.0.0.1:{port}", timeout=2.0).make(Surroundings())
        before = asyncio.all_tasks()
        with pytest.raises(SinkUnavailable, match="no answer within"):
            await asyncio.wait_for(sink.write(house(10_000), ""), 2.0)
        await asyncio.sleep(0.01)
        left = {str(task.get_coro()) for task in asyncio.all_tasks() - before}
        assert not [each for each in left if "Client" in each or "Subscription" in each]


async def test_a_cancelled_write_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(ForeignNats(tmp_path)) as foreign:
        sink = sink_of(foreign)
        await sink.write(house(1), "")
        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sink.write(house(2_000), ""), 0.05)
        await asyncio.sleep(0.01)
        assert not asyncio.all_tasks() - before
        await written(sink, house(2_000))
        assert sorted(set(foreign.rows())) == rows_of(house(2_000))


async def test_names_stay_names(tmp_path: Path) -> None:
    names = ["a.b", "c >", "*", "$JS.API.STREAM.DELETE.readings", "x\r\nPUB y 0"]
    with running(ForeignNats(tmp_path)) as foreign:
        await written(sink_of(foreign), batch(*(columns(name, {"active_energy_import": [1]}) for name in names)))
        assert sorted(meter for meter, _, _ in foreign.rows()) == sorted(names)
        subjects = {subject for subject, _ in foreign.messages("readings")}
    assert all(subject.count(".") == 2 for subject in subjects)
    assert "wattbook.House.c%20%3E" in subjects


async def test_too_large_for_the_server_is_rejected(tmp_path: Path) -> None:
    with running(NatsServer(tmp_path, lines="max_payload: 400")) as server:
        sink = sink_of(server, message={"reading": "{id}", "filling": "{location:upper} " + "x" * 100})
        large = replace(columns("m" * 90, {"voltage": [230.0]}), site="s" * 300)
        written = await sink.write(batch(large, columns("m1", {"voltage": [230.0]})), "")
        await sink.aclose()
        assert [(each.meter, each.site) for each in written.rejected] == [("m" * 90, "s" * 300)]
        assert "the server takes 400" in written.rejected[0].reason
        assert len(server.messages("readings")) == 1


async def test_single_values_under_a_subject_of_each_quantity(tmp_path: Path) -> None:
    with running(ForeignNats(tmp_path)) as foreign:
        sink = sink_of(foreign, subject="house.{meter}.{quantity}", message="{value}")
        await written(sink, house(1, meters=1))
        assert sorted(foreign.messages("readings")) == [
            ("house.m0.active_energy_import", b"0"),
            ("house.m0.voltage", b"230.1"),
        ]


async def test_no_stream_takes_the_subject(tmp_path: Path) -> None:
    with running(ForeignNats(tmp_path)) as foreign:
        assert 'no stream takes messages to "wattbook.House.m0"' in await refused(sink_of(foreign, stream=""))
        assert "no stream takes messages" in await refused(sink_of(foreign, stream_subjects=("other.>",)))


async def test_jetstream_is_off(tmp_path: Path) -> None:
    with running(NatsServer(tmp_path, jetstream=False)) as server:
        assert "JetStream is not switched on" in await refused(sink_of(server))


async def test_nobody_there(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    assert f"nats://127.0.0.1:{server.port}: no connection" in await refused(sink_of(server))
    assert "no host of this name" in await refused(sink_of(server, url="nats://nowhere.invalid"))


async def test_who_may_come_in(tmp_path: Path) -> None:
    lines = 'authorization { user: "joe", password: "s3cret" }'
    with running(NatsServer(tmp_path, lines=lines)) as server:
        await written(sink_of(server, username="joe", password=Secret("s3cret")), house(1))
        assert "does not let us in" in await refused(sink_of(server))
        message = await refused(sink_of(server, username="joe", password=Secret("wr0ng")))
        assert "does not let us in" in message
        assert "wr0ng" not in message


async def test_a_token(tmp_path: Path) -> None:
    with running(NatsServer(tmp_path, ["--auth", "t0ken"])) as server:
        await written(sink_of(server, token=Secret("t0ken")), house(1))
        assert "does not let us in" in await refused(sink_of(server, token=Secret("another")))


async def test_an_nkey(tmp_path: Path) -> None:
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    (tmp_path / "user.nk").write_bytes(seed)
    (tmp_path / "bad.nk").write_bytes(b"nonsense")
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    with running(NatsServer(tmp_path, lines=f'authorization {{ users: [ {{ nkey: "{public}" }} ] }}')) as server:
        await written(sink_of(server, nkey=tmp_path / "user.nk"), house(1))
        assert "invalid" in (await refused(sink_of(server, nkey=tmp_path / "bad.nk"))).lower()
        assert "No such file" in await refused(sink_of(server, nkey=tmp_path / "none.nk"))
        assert "as nsc writes them" in await refused(sink_of(server, credentials=tmp_path / "bad.nk"))


async def test_tls_with_a_client_certificate(tmp_path: Path, certificates: Path) -> None:
    lines = f"""tls {{ cert_file: "{certificates}/server.crt", key_file: "{certificates}/server.key",
        ca_file: "{certificates}/ca.crt", verify: true }}"""
    with running(NatsServer(tmp_path, lines=lines)) as server:
        url = f"tls://127.0.0.1:{server.port}"
        ours = {"certificate": certificates / "client.crt", "key": certificates / "client.key"}
        await written(sink_of(server, url=url, ca=certificates / "ca.crt", **ours), house(1))
        assert "not trusted" in await refused(sink_of(server, url=url, **ours))
        assert "no such certificate file" in await refused(sink_of(server, url=url, ca=certificates / "none.crt"))
        assert 'does it ask for a "certificate" of ours?' in await refused(
            sink_of(server, url=url, ca=certificates / "ca.crt")
        )


async def test_without_tls_no_secret_is_told() -> None:
    """The library would go on in the clear."""
    heard = bytearray()
    async with false_server(_GREETING, heard=heard) as port:
        url = f"tls://127.0.0.1:{port}"
        settings = NatsSettings(name="x", url=url, username="joe", password=Secret("s3cret"), timeout=2.0)
        assert "does not offer TLS" in await refused(settings.make(Surroundings()))
    assert b"s3cret" not in heard
