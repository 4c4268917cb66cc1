"""The sink against a small Elasticsearch and a small OpenSearch, whose answers the makers' own clients judge."""

import asyncio
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foreign_elasticsearch import ForeignElasticsearch, ForeignOpenSearch
from foreign_process import running
from given_batches import batch, columns, many
from ports import free_port
from wattbook.config.sinks import read_sinks
from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.elasticsearch import ElasticsearchSettings
from wattbook.values import Secret

AROUND = Surroundings(site="House")
AT = 1_763_680_923_120
KEY = "House/m0/2025-11-20T23:22:03.120Z"


@pytest.fixture(params=[ForeignElasticsearch, ForeignOpenSearch])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForeignElasticsearch]:
    with running(request.param(tmp_path)) as found:
        yield found


def _sink(server: ForeignElasticsearch, **given: Any) -> Any:
    told = {"username": server.user, "password": Secret(server.password), **given}
    return ElasticsearchSettings(name="elastic", url=f"http://127.0.0.1:{server.port}", **told).make(AROUND)


async def _write(sink: Any, *parts: Any) -> Any:
    return await sink.write(batch(*parts), "kept")


async def test_the_table_of_the_suite_writes(server: ForeignElasticsearch, tmp_path: Path) -> None:
    (settings,), problems = read_sinks(tomllib.loads(server.table(server.port))["sink"], "", tmp_path)
    assert not problems
    sink = settings.make(AROUND)
    written = await sink.write(batch(columns("m0", (AT, {"active_energy_import": 5.0, "voltage": 230.0}))), "kept")
    await sink.aclose()
    assert written.bookmark == "kept" and not written.rejected
    assert server.rows() == [("m0", AT, 5.0)]
    (hit,) = server.documents()
    assert hit["_id"] == KEY and hit["_source"]["quality"] == "good"


async def test_an_index_template_is_made_at_first_use(server: ForeignElasticsearch) -> None:
    sink = _sink(server, document={"@timestamp": "{at}", "one": 1, "kWh": "{active_energy_import:kWh .0f}"})
    await _write(sink, columns("m0", (AT, {"active_energy_import": 5000.0})))
    await sink.aclose()
    template = server.ask("_index_template/wattbook-wattbook")["index_templates"][0]["index_template"]
    assert template["index_patterns"] == ["wattbook"] and "data_stream" not in template
    assert server.ask("wattbook/_mapping")["wattbook"]["mappings"]["properties"]["one"] == {"type": "double"}


async def test_a_template_that_is_there_is_left_as_it_is(server: ForeignElasticsearch) -> None:
    for _ in range(2):
        sink = _sink(server, index="energy-{at:utc YYYY.MM}")
        await _write(sink, columns("m0", (AT, {"voltage": 1.0}), (AT + 31 * 86_400_000, {"voltage": 2.0})))
        await sink.aclose()
    assert [hit["_index"] for hit in server.documents("energy-*")] == ["energy-2025.11", "energy-2025.12"]
    assert server.ask("_index_template/wattbook-energy-x")["index_templates"][0]["name"] == "wattbook-energy-x"


async def test_a_correction_replaces_and_what_comes_twice_is_there_once(server: ForeignElasticsearch) -> None:
    sink = _sink(server)
    await _write(sink, columns("m0", (AT, {"voltage": 1.0, "frequency": 50.0}), (AT + 5000, {"voltage": 2.0})))
    await _write(sink, columns("m0", (AT, {"voltage": 3.0}), (AT + 5000, {"voltage": 2.0})))
    await sink.aclose()
    found = {hit["_id"]: hit["_source"] for hit in server.documents()}
    assert [each["voltage"] for each in found.values()] == [3.0, 2.0]
    assert "frequency" not in found[KEY]


async def test_a_data_stream_counts_what_it_has_already(server: ForeignElasticsearch) -> None:
    sink = _sink(server, index="energy", data_stream=True)
    assert sink.append_only
    assert (await _write(sink, columns("m0", (AT, {"voltage": 1.0})))).skipped == 0
    again = await _write(sink, columns("m0", (AT, {"voltage": 9.0}), (AT + 1, {"voltage": 2.0})))
    await sink.aclose()
    assert (again.skipped, again.rejected) == (1, ())
    assert [hit["_source"]["voltage"] for hit in server.documents("energy")] == [1.0, 2.0]
    assert server.ask("_data_stream")["data_streams"] == [{"name": "energy"}]


async def test_a_data_stream_without_a_template_is_told(server: ForeignElasticsearch) -> None:
    sink = _sink(server, index="energy", data_stream=True, index_template=False)
    with pytest.raises(SinkUnavailable, match=r"data stream energy: .*no matching index template found"):
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))


async def test_a_document_that_does_not_fit_is_named(server: ForeignElasticsearch) -> None:
    first = _sink(server, index="mixed", document={"v": "{voltage}"})
    await _write(first, columns("m0", (AT, {"voltage": 1.0})))
    sink = _sink(server, index="mixed", document={"v": "{quality}", "w": "{voltage}"})
    written = await _write(sink, columns("m1", (AT, {"voltage": 1.0})))
    await first.aclose()
    await sink.aclose()
    (rejected,) = written.rejected
    assert (rejected.meter, rejected.at_ms) == ("m1", AT)
    assert "parsing_exception: failed to parse field [v] of type [double]" in rejected.reason


async def test_an_identity_that_is_too_long_is_refused(server: ForeignElasticsearch) -> None:
    sink = _sink(server, id="{id} " + "x" * 512)
    with pytest.raises(SinkRefused, match="id is too long"):
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))
    await sink.aclose()


async def test_a_busy_server_gets_the_batch_again(server: ForeignElasticsearch) -> None:
    sink = _sink(server)
    (server.folder / "busy").touch()
    with pytest.raises(SinkUnavailable, match="too much to do: es_rejected_execution_exception"):
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))
    (server.folder / "busy").unlink()
    await _write(sink, columns("m0", (AT, {"voltage": 1.0})))
    await sink.aclose()
    assert len(server.documents()) == 1


async def test_killed_and_started_again(server: ForeignElasticsearch) -> None:
    sink = _sink(server)
    await sink.write(many(2, 1500, ["active_energy_import"]), "")
    server.kill()
    with pytest.raises(SinkUnavailable, match=r"no connection|closed the connection|reset"):
        await sink.write(many(2, 3000, ["active_energy_import"]), "")
    server.start()
    await sink.write(many(2, 3000, ["active_energy_import"]), "")
    await sink.aclose()
    assert len(set(server.rows())) == len(server.rows()) == 6000


async def test_who_is_not_known_is_told_so(server: ForeignElasticsearch) -> None:
    sink = _sink(server, password=Secret("wrong-hush"))
    with pytest.raises(SinkUnavailable, match="does not know this user, password or api_key") as raised:
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))
    assert "hush" not in str(raised.value) and "hush" not in repr(sink)


async def test_a_wrong_path_is_no_fault_of_the_readings(server: ForeignElasticsearch) -> None:
    sink = _sink(server, index_template=False)
    sink.client.url += "elsewhere/"
    with pytest.raises(SinkUnavailable, match="no handler found"):
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))


async def test_nobody_there() -> None:
    sink = ElasticsearchSettings(name="e", url=f"http://127.0.0.1:{free_port()}").make(AROUND)
    with pytest.raises(SinkUnavailable, match="no connection"):
        await _write(sink, columns("m0", (AT, {"voltage": 1.0})))


def test_the_maker_s_client_reads_and_writes_our_small_server(tmp_path: Path) -> None:
    """It checks the product and the answers' shape, so it is the judge of the server that the sink is tried with."""
    elasticsearch = pytest.importorskip("elasticsearch")
    helpers = pytest.importorskip("elasticsearch.helpers")
    with (
        running(ForeignElasticsearch(tmp_path)) as server,
        elasticsearch.Elasticsearch(f"http://127.0.0.1:{server.port}", basic_auth=(server.user, server.password)) as it,
    ):
        _judge(it, helpers)


def test_opensearch_s_client_reads_and_writes_our_small_server(tmp_path: Path) -> None:
    opensearchpy = pytest.importorskip("opensearchpy")
    with running(ForeignOpenSearch(tmp_path)) as server:
        hosts = [{"host": "127.0.0.1", "port": server.port}]
        with opensearchpy.OpenSearch(hosts=hosts, http_auth=(server.user, server.password)) as it:
            _judge(it, opensearchpy.helpers)


def test_the_maker_s_client_refuses_opensearch(tmp_path: Path) -> None:
    """Why the sink asks over plain HTTP."""
    elasticsearch = pytest.importorskip("elasticsearch")
    with running(ForeignOpenSearch(tmp_path)) as server:
        address = f"http://127.0.0.1:{server.port}"
        refused = pytest.raises(elasticsearch.UnsupportedProductError)
        with elasticsearch.Elasticsearch(address, basic_auth=(server.user, server.password)) as it, refused:
            it.info()


def _judge(client: Any, helpers: Any) -> None:
    assert client.info()["tagline"]
    client.indices.put_index_template(name="t", body={"index_patterns": ["stream"], "data_stream": {}})
    assert client.indices.exists_index_template(name="t")
    assert not client.indices.exists_index_template(name="other")
    client.indices.create_data_stream(name="stream")
    actions = [
        {"_op_type": "create", "_index": "stream", "_id": "1", "@timestamp": "2026-01-01T00:00:00Z", "v": 1.5},
        {"_op_type": "index", "_index": "stream", "_id": "2", "@timestamp": "2026-01-01T00:00:00Z", "v": 1.5},
        {"_op_type": "create", "_index": "stream", "_id": "1", "@timestamp": "2026-01-01T00:00:00Z", "v": 1.5},
        {"_op_type": "create", "_index": "stream", "_id": "3", "@timestamp": "2026-01-01T00:00:00Z", "v": "much"},
        {"_op_type": "index", "_index": "plain", "_id": "1", "v": 1.5},
        {"_op_type": "index", "_index": "plain", "_id": "1", "v": 2.5},
    ]
    done, errors = helpers.bulk(client, actions, raise_on_error=False)
    assert done == 3
    assert [next(iter(error.values()))["status"] for error in errors] == [400, 409, 400]
    assert client.count(index="stream")["count"] == 1
    assert [hit["_source"] for hit in client.search(index="plain")["hits"]["hits"]] == [{"v": 2.5}]


async def test_a_network_that_accepts_and_hangs_is_left_to_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sink = ElasticsearchSettings(name="e", url=url).make(AROUND)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_write(sink, columns("m0", (AT, {"voltage": 1.0}))), 0.3)
        await sink.aclose()
