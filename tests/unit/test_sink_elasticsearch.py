import json
from pathlib import Path
from typing import Any

import pytest

from given_batches import batch, columns
from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks.elasticsearch import DataStreamSink, ElasticsearchSettings
from wattbook.sinks.elasticsearch_bulk import Outcome, check, encode_bulk, outcome
from wattbook.sinks.elasticsearch_index import index_template
from wattbook.transports.http_client import ANSWER_SIZE_MAX, Answer
from wattbook.values import Secret

AROUND = Surroundings(site="House", meters={"main a": MeterFacts(location="house/panel")})
AT = 1_763_680_923_120  # 2025-11-20T23:22:03.120Z


def _made(**given: Any) -> Any:
    return ElasticsearchSettings(name="elastic", **given).make(AROUND)


def test_without_a_template_every_value_stands_under_its_name() -> None:
    ((index, content),) = _made().documents.by_place(batch(columns("main a", (AT, {"voltage": 230.1})))).items()
    action, document, *rest = encode_bulk("index", content).split(b"\n")
    assert index == "wattbook" and rest == [b""]
    assert json.loads(action) == {"index": {"_id": "House/main a/2025-11-20T23:22:03.120Z"}}
    assert json.loads(document) == {
        "@timestamp": "2025-11-20T23:22:03.120Z", "site": "House", "meter": "main a", "quality": "good",
        "voltage": 230.1,
    }  # fmt: skip


def test_an_index_a_month_and_a_meter() -> None:
    sink = _made(index="energy-{meter:slug}-{at:utc YYYY.MM}")
    month_ms = 31 * 86_400_000
    found = sink.documents.by_place(batch(columns("main a", (AT, {"voltage": 1.0}), (AT + month_ms, {"voltage": 2.0}))))
    assert list(found) == ["energy-main_a-2025.11", "energy-main_a-2025.12"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"url": "127.0.0.1:9200"}, 'one is "http://127.0.0.1:9200"'),
        ({"url": "https://elastic:hush@es"}, "not in the URL"),
        ({"username": "elastic"}, 'either "username" and "password", or "api_key"'),
        ({"password": Secret("hush")}, 'either "username" and "password", or "api_key"'),
        ({"username": "u", "password": Secret("hush"), "api_key": Secret("hush")}, "or none of them"),
        ({"index": "Energy"}, '"Energy" can be no index'),
        ({"index": "energy-{meter}"}, "becomes so by"),
        ({"index": "energy-{voltage}"}, "what a meter measures"),
        ({"data_stream": True, "document": {"v": "{voltage}"}}, 'needs an "@timestamp"'),
        ({"data_stream": True, "index": "energy-{at:YYYY}"}, "divides itself by time"),
        ({"document": {"v": "{voltag}"}}, 'did you mean "voltage"'),
    ],
)
def test_what_is_wrong_is_said_when_the_file_is_read(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as raised:
        _made(**given)
    assert says in str(raised.value) and "hush" not in str(raised.value)


def test_secrets_are_sent_and_not_shown() -> None:
    by_key = _made(api_key=Secret("hush"))
    by_user = _made(username="elastic", password=Secret("hush"), ca=Path("/etc/ca.pem"))
    assert by_key.client.headers == {"Authorization": "ApiKey hush"}
    assert by_user.client.headers == {"Authorization": "Basic ZWxhc3RpYzpodXNo"}
    assert not {"hush", "ZWxhc3RpYzpodXNo"} & set(repr(by_user).replace("'", " ").split())
    assert "hush" not in repr(by_key) and "hush" not in repr(by_user)


def test_a_data_stream_takes_no_corrections() -> None:
    assert isinstance(_made(data_stream=True), DataStreamSink)
    assert (_made(data_stream=True).append_only, _made().append_only) == (True, False)
    assert json.loads(index_template("x-*", stream=True))["data_stream"] == {}


def _answer(*items: Any, status: int = 200) -> Answer:
    errors = any("error" in result for item in items for result in item.values())
    return Answer(status, json.dumps({"errors": errors, "items": items}))


_GOOD = {"index": {"status": 201}}
_WRONG = {"index": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "failed to\nparse"}}}
_THERE = {"create": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "is there"}}}
_BUSY = {"index": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "full"}}}
_STRICT = {"index": {"status": 400, "error": {"type": "strict_dynamic_mapping_exception", "reason": "[v] not allowed"}}}
_FULL = {"index": {"status": 429, "error": {"type": "cluster_block_exception", "reason": "flood-stage watermark"}}}


def test_each_document_has_its_own_answer() -> None:
    assert outcome(_answer(_GOOD, _GOOD), ["a", "b"], "es") == Outcome()
    found = outcome(_answer(_GOOD, _WRONG, _THERE), ["a", "b", "c"], "es")
    assert found == Outcome({"b": "document_parsing_exception: failed to parse"}, skipped=1)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_answer(_GOOD, _BUSY), "es: it has too much to do: es_rejected_execution_exception: full"),
        (_answer(_WRONG, _STRICT), "es: status 400: strict_dynamic_mapping_exception"),
        (_answer(_GOOD, _FULL), "flood-stage watermark"),
        (Answer(401, '{"error":{"type":"security_exception","reason":"no"},"status":401}'), "does not know this user"),
        (Answer(403, '{"error":{"type":"security_exception","reason":"r"}}'), "rights do not suffice: security_exc"),
        (Answer(400, '{"error":"no handler found"}'), "es: status 400: no handler found"),
        (Answer(502, "<html> bad\n gateway"), "es: status 502: <html> bad gateway"),
        (Answer(200, "<html>"), "this is no Elasticsearch: <html>"),
        (Answer(200, "[]"), "this is no Elasticsearch"),
        (_answer(_WRONG), "this is no Elasticsearch"),
    ],
)
def test_what_brings_the_batch_again(answer: Answer, says: str) -> None:
    with pytest.raises(SinkUnavailable) as raised:
        outcome(answer, ["a", "b"], "es")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(413, "Request Entity Too Large"),
        Answer(400, '{"error":{"type":"action_request_validation_exception","reason":"id is too long"}}'),
        Answer(200, "x" * ANSWER_SIZE_MAX),
    ],
)
def test_what_makes_the_batch_come_in_parts(answer: Answer) -> None:
    with pytest.raises(SinkRefused):
        outcome(answer, ["a", "b"], "es")


def test_a_right_that_is_missing_is_told_with_its_place() -> None:
    with pytest.raises(SinkUnavailable, match=r"es: index template x: these rights do not suffice$"):
        check(Answer(403, ""), "es: index template x")
