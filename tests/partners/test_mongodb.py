"""The sink and the maker's client against a small server of the maker's wire protocol, and against a stranger's."""

import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from foreign_mongodb import ForeignMongodb
from foreign_process import listening, running
from given_batches import batch, columns, many
from ports import free_port
from running import until
from wattbook.config.sinks import read_sinks
from wattbook.model import SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.mongodb import MongoSettings
from wattbook.sinks.mongodb_write import MongoSink
from wattbook.values import Secret

AROUND = Surroundings(site="House")
AT = 1_763_680_923_120


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForeignMongodb]:
    with running(ForeignMongodb(tmp_path)) as found:
        yield found


def _settings(server: ForeignMongodb, **given: Any) -> MongoSettings:
    told = {
        "url": Secret(f"mongodb://127.0.0.1:{server.port}"), "database": "home", "auth_source": "home",
        "username": server.user, "password": Secret(server.password), **given,
    }  # fmt: skip
    return MongoSettings(name="mongo", **told)


async def _write(sink: MongoSink, *parts: Any) -> Any:
    return await sink.write(batch(*parts), "kept")


async def test_the_table_of_the_suite_writes(server: ForeignMongodb, tmp_path: Path) -> None:
    table = tomllib.loads(server.table(server.port))["sink"]
    (settings,), problems = read_sinks(table, "", tmp_path)
    assert not problems
    sink = settings.make(AROUND)
    written = await sink.write(batch(columns("m0", (AT, {"active_energy_import": 5.0, "voltage": 230.0}))), "kept")
    await sink.aclose()
    assert written.bookmark == "kept" and not written.rejected
    assert server.rows() == [("m0", AT, 5.0)]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
async def test_a_user_is_known_by_either_mechanism(server: ForeignMongodb, mechanism: Any) -> None:
    sink = _settings(server, mechanism=mechanism).make(AROUND)
    await _write(sink, columns("m0", (AT, {"voltage": 230.0})))
    await sink.aclose()
    assert len(server.documents()) == 1


async def test_seed_000_goes_on_in_its_own_collection(tmp_path: Path) -> None:
    """Database home, collection energy, SCRAM-SHA-1, authSource home; the camera's old documents stay as they are."""
    with running(ForeignMongodb(tmp_path, user="old-energy")) as server:
        with server.client() as client:
            client["home"]["energy"].insert_one({"T1": 4200, "T2": 21209, "timestamp": 1609459200.123})
        template = {
            "T1": "{active_energy_import_t1:kWh}", "T2": "{active_energy_import_t2:kWh}", "timestamp": "{at:epoch}",
        }  # fmt: skip
        sink = _settings(server, collection="energy", document=template).make(AROUND)
        registers = {"active_energy_import_t1": 4_200_177.0, "active_energy_import_t2": 21_209_409.0}
        for _ in range(2):
            await _write(sink, columns("utility", (AT, registers)))
        await sink.aclose()
        with server.client() as client:  # as a chart would ask
            found = list(client["home"]["energy"].find({}, {"_id": 0}).sort("timestamp", 1))
        assert [(each["T1"], each["T2"], each["timestamp"]) for each in found] == [
            (4200, 21209, 1609459200.123), (4200.177, 21209.409, 1763680923.12),
        ]  # fmt: skip


async def test_a_correction_replaces_and_what_comes_twice_is_there_once(server: ForeignMongodb) -> None:
    sink = _settings(server).make(AROUND)
    await _write(sink, columns("m0", (AT, {"voltage": 1.0, "frequency": 50.0}), (AT + 5000, {"voltage": 2.0})))
    await _write(sink, columns("m0", (AT + 5000, {"voltage": 2.0}), (AT, {"voltage": 3.0})))
    await sink.aclose()
    found = {each["_id"]: each for each in server.documents()}
    assert [each["voltage"] for each in found.values()] == [3.0, 2.0]
    assert "frequency" not in found["House/m0/2025-11-20T23:22:03.120Z"]


async def test_a_document_that_the_server_does_not_take_is_named(server: ForeignMongodb) -> None:
    with server.client() as client:
        client["home"]["system.rules"].insert_one({"_id": "readings", "field": "voltage", "most": 400})
    sink = _settings(server).make(AROUND)
    written = await _write(sink, columns("m0", (AT, {"voltage": 230.0}), (AT + 1, {"voltage": 999.0})))
    await sink.aclose()
    (rejected,) = written.rejected
    assert (rejected.meter, rejected.at_ms) == ("m0", AT + 1)
    assert "Document failed validation" in rejected.reason and "$lte" in rejected.reason
    assert len(server.documents()) == 1


async def test_killed_and_started_again(server: ForeignMongodb) -> None:
    sink = _settings(server).make(AROUND)
    await sink.write(many(3, 1000, ["active_energy_import"]), "")
    server.kill()
    with pytest.raises(SinkUnavailable):
        await sink.write(many(3, 2000, ["active_energy_import"]), "")
    server.start()
    await sink.write(many(3, 2000, ["active_energy_import"]), "")
    await sink.aclose()
    assert len(set(server.rows())) == len(server.rows()) == 6000


async def test_killed_in_the_middle_of_a_batch(server: ForeignMongodb) -> None:
    sink = _settings(server).make(AROUND)
    whole = many(10, 5000, ["active_energy_import", "voltage"])
    await sink.write(many(1, 1, ["voltage"]), "")
    threading.Timer(0.3, server.kill).start()
    with pytest.raises(SinkUnavailable):
        while True:
            await sink.write(whole, "")
    until(lambda: not listening(server.port))
    server.start()
    await sink.write(whole, "")
    await sink.aclose()
    assert len(server.rows()) == 50_000


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"password": Secret("wrong-hush")}, "does not know this user and password"),
        ({"auth_source": "admin"}, "another database does: see auth_source"),
        ({"username": "", "password": None}, "may not write here"),
    ],
)
async def test_who_is_not_known_is_told_so(server: ForeignMongodb, given: dict[str, Any], says: str) -> None:
    sink = _settings(server, **given).make(AROUND)
    with pytest.raises(SinkUnavailable) as raised:
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))
    assert says in str(raised.value) and "hush" not in str(raised.value)
    assert sink._client is None


async def test_a_host_that_nobody_knows() -> None:
    sink = MongoSettings(name="m", url=Secret("mongodb://u:hush@no-such-host.invalid"), timeout=2).make(AROUND)
    with pytest.raises(SinkUnavailable, match=r"MongoDB is away: no-such-host\.invalid:27017") as raised:
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))
    assert "hush" not in str(raised.value) and "Topology" not in str(raised.value)


async def test_a_network_that_accepts_and_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = Secret(f"mongodb://127.0.0.1:{silent.getsockname()[1]}")
        sink = MongoSettings(name="m", url=url, timeout=2).make(AROUND)
        begin = time.monotonic()
        with pytest.raises(SinkUnavailable, match="MongoDB"):
            await _write(sink, columns("m0", (AT, {"voltage": 1.0})))
        assert time.monotonic() - begin < 6


async def test_a_stranger_s_server_holds_the_same_documents(server: ForeignMongodb, tmp_path: Path) -> None:
    """NX-27017 speaks the same protocol and was written by others: the judge of our small server."""
    program, port = Path(sys.executable).with_name("nx-27017"), free_port()
    command = [program, "--db", tmp_path / "nx.db", "--port", str(port), "--log-file", tmp_path / "nx.log",
               "--pid-file", tmp_path / "nx.pid"]  # fmt: skip
    stranger = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listening(port))
        theirs = MongoSettings(name="nx", url=Secret(f"mongodb://127.0.0.1:{port}/home")).make(AROUND)
        for sink in (theirs, _settings(server).make(AROUND)):
            await sink.write(many(3, 50, ["active_energy_import", "voltage"]), "")
            await _write(sink, columns("m0", (0, {"voltage": -1.0})))
            await sink.aclose()
        with pymongo.MongoClient("127.0.0.1", port, tz_aware=True) as client:
            found = {each["_id"]: each for each in client["home"]["readings"].find()}
    finally:
        stranger.terminate()
        stranger.wait(20)
    assert found == {each["_id"]: each for each in server.documents()}
    assert len(found) == 150
