from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import BulkWriteError, NetworkTimeout, OperationFailure, ServerSelectionTimeoutError

from given_batches import batch, columns
from wattbook.model import SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks.mongodb import MongoSettings
from wattbook.sinks.mongodb_errors import in_words, rejections
from wattbook.sinks.mongodb_write import MongoSink
from wattbook.values import Secret

AROUND = Surroundings(site="House", meters={"main": MeterFacts(location="house/panel")})
AT = 1_763_680_923_120  # 2025-11-20T23:22:03.120Z


def _made(**given: Any) -> MongoSink:
    return MongoSettings(name="mongo", **given).make(AROUND)


def _stored(sink: MongoSink, *parts: Any) -> Any:
    return {place: dict(content) for place, content in sink.documents.by_place(batch(*parts)).items()}


def test_without_a_template_every_value_stands_under_its_name() -> None:
    found = _stored(_made(), columns("main", (AT, {"voltage": 230.1}), (AT + 5000, {"active_power": 12.0})))
    (first, second) = found["readings"].values()
    assert list(found["readings"]) == ["House/main/2025-11-20T23:22:03.120Z", "House/main/2025-11-20T23:22:08.120Z"]
    assert first["at"].isoformat() == "2025-11-20T23:22:03.120000+00:00"
    assert {**first, "at": None} == {"site": "House", "meter": "main", "at": None, "quality": "good", "voltage": 230.1}
    assert "voltage" not in second and second["active_power"] == 12.0


def test_the_documents_of_seed_000_go_on() -> None:
    template = {
        "T1": "{active_energy_import_t1:kWh}", "T2": "{active_energy_import_t2:kWh}", "timestamp": "{at:epoch}",
    }  # fmt: skip
    sink = _made(database="home", collection="energy", document=template)
    registers = {"active_energy_import_t1": 4_200_177.0, "active_energy_import_t2": 21_209_409.0}
    (document,) = _stored(sink, columns("main", (AT, registers)))["energy"].values()
    assert document == {"T1": 4200.177, "T2": 21209.409, "timestamp": 1763680923.12}


def test_the_later_of_two_of_one_identity_is_written() -> None:
    found = _stored(_made(), columns("main", (AT, {"voltage": 1.0})), columns("main", (AT, {"voltage": 2.0}), seq=9))
    assert [each["voltage"] for each in found["readings"].values()] == [2.0]


def test_a_document_of_each_value() -> None:
    sink = _made(document={"what": "{quantity}", "value": "{value}"}, collection="{location}")
    found = _stored(sink, columns("main", (AT, {"voltage": 230.0, "frequency": 50.0}), (AT + 1, {"voltage": 231.0})))
    assert list(found) == ["house/panel"]
    assert {key.rpartition("/")[2] for key in found["house/panel"]} == {"voltage", "frequency"}
    assert len(found["house/panel"]) == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"url": Secret("http://127.0.0.1")}, "one is"),
        ({"url": Secret("mongodb://u:to/psecret@127.0.0.1")}, "written %2F"),
        ({"password": Secret("hush")}, 'needs a "username"'),
        ({"document": {"a": "{voltag}"}}, 'did you mean "voltage"'),
        ({"document": {"_id": "{id}"}}, 'told by the key "id"'),
        ({"document": {"$set": "{voltage}"}}, 'cannot begin with "$"'),
        ({"document": {"a": object()}}, "cannot hold it"),
        ({"id": "{meter}"}, "must name each reading"),
        ({"id": "{meter} {at}", "document": {"{title}": "1", "v": "{value}"}}, "must name the {quantity} too"),
        ({"id": "{id} {quantity}"}, "nothing else can name one"),
        ({"collection": "{voltage}"}, "what a meter measures"),
    ],
)
def test_what_is_wrong_is_said_when_the_file_is_read(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as raised:
        _made(**given)
    assert says in str(raised.value)
    assert "psecret" not in str(raised.value) and "hush" not in str(raised.value)
    assert raised.value.__cause__ is None or "psecret" not in str(raised.value.__cause__)


def test_the_client_is_told_what_the_settings_say() -> None:
    settings = MongoSettings(
        name="m", username="u", password=Secret("p"), auth_source="home", ca=Path("/ca"), timeout=10
    )
    options = settings.options()
    assert {name: options[name] for name in ("username", "password", "authSource", "tls", "tlsCAFile")} == {
        "username": "u", "password": "p", "authSource": "home", "tls": True, "tlsCAFile": "/ca",
    }  # fmt: skip
    assert options["timeoutMS"] == 9000 and options["serverSelectionTimeoutMS"] == 5000
    assert "authMechanism" not in options


def test_secrets_do_not_show() -> None:
    sink = _made(url=Secret("mongodb://u:hush@127.0.0.1"), username="u", password=Secret("hush"))
    assert "hush" not in repr(sink) and "hush" not in repr(sink.settings)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OperationFailure("Authentication failed.", 18), "does not know this user and password"),
        (OperationFailure("not authorized on home", 13), "may not write here: not authorized on home"),
        (NetworkTimeout("127.0.0.1:1: timed out"), "did not answer within 27 s"),
        (
            ServerSelectionTimeoutError("h:1: refused (configured timeouts: a: 1ms), Timeout: 5s, Topology <x>"),
            "MongoDB is away: h:1: refused",
        ),
        (OperationFailure("disk full\nall of it", 14031, {"errmsg": "x"}), "MongoDB: disk full all of it"),
    ],
)
def test_errors_in_words(error: Any, says: str) -> None:
    assert says in in_words(error, 27.0)
    assert not {"Topology", "configured"} & set(in_words(error, 27.0).split())


def _bulk(*errors: dict[str, Any], concern: tuple[dict[str, Any], ...] = ()) -> BulkWriteError:
    told = [{"op": {"q": {"_id": f"k{number}"}}, **each} for number, each in enumerate(errors)]
    return BulkWriteError({"writeErrors": told, "writeConcernErrors": list(concern)})


def test_a_document_that_does_not_pass_is_refused_alone() -> None:
    details = {"details": {"operatorName": "$lte"}}
    refused = {"code": 121, "errmsg": "Document failed validation", "errInfo": details}
    twice = {"code": 11000, "errmsg": "E11000 index: timestamp_1", "keyPattern": {"timestamp": 1}}
    assert rejections(_bulk(refused, twice)) == {
        "k0": "Document failed validation {'operatorName': '$lte'}", "k1": "E11000 index: timestamp_1",
    }  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [
        _bulk({"code": 121, "errmsg": "x"}, {"code": 14031, "errmsg": "disk is full"}),
        _bulk({"code": 11000, "errmsg": "disk race", "keyPattern": {"_id": 1}}),
        _bulk(concern=({"code": 64, "errmsg": "waiting for replication timed out, disk"},)),
    ],
)
def test_what_is_not_of_one_document_brings_the_batch_again(error: BulkWriteError) -> None:
    with pytest.raises(SinkUnavailable, match=r"MongoDB: .*disk"):
        rejections(error)
