"""HTTP without a server: what is sent, and what is wrong with settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from columns_tools import batch, columns, every
from wattbook.model import Batch, SinkRefused, SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks import Sink
from wattbook.sinks.http import BODY_SIZE_MAX, HttpSettings, HttpSink
from wattbook.sinks.http_lector import LectorSink, vectors
from wattbook.sinks.http_posting import Post, parse_address, readings_refused
from wattbook.transports.http_client import Answer

PRAGUE = Surroundings("house", ZoneInfo("Europe/Prague"), {"main/a": MeterFacts("house/panel", "pm710")})
AT = "2026-11-21T01:02:03Z"
READING = batch(columns("main/a", (AT, {"voltage": 230.1, "active_energy_import": 25409587})))


def sink(url: str = "http://127.0.0.1/x", **keys: Any) -> Sink:
    table = {"name": "other", "kind": "http", "url": url, **keys}
    return TypeAdapter(HttpSettings).validate_python(table).make(PRAGUE)


def posts(what: Batch, **keys: Any) -> list[Post]:
    made = sink(**keys)
    if isinstance(made, LectorSink):
        return [post for each in what.columns for post in made._posts(each)]
    assert isinstance(made, HttpSink)
    return list(made._of_many(what) if made.many else made._of_one_each(what))


def test_the_json_of_a_reading_unless_told_otherwise() -> None:
    (post,) = posts(READING)
    assert json.loads(post.body) == {
        "meter": "main/a", "at": "2026-11-21T01:02:03.000Z",
        "values": {"voltage": 230.1, "active_energy_import": 25409587}, "quality": "good",
    }  # fmt: skip
    assert post.headers["Idempotency-Key"].startswith("house/main/a/2026-11-21T01:02:03.000Z-")


def test_a_body_and_an_address_by_template() -> None:
    body = {"when": "{at:epoch}", "data": {"kWh": "{active_energy_import:kWh}", "power": "{active_power}"}}
    (post,) = posts(READING, url="http://h/a/{meter}?at={at:epoch_ms}", body=body, identity_header="")
    assert json.loads(post.body) == {"when": 1795222923, "data": {"kWh": 25409.587}}
    assert (post.path, dict(post.headers)) == ("main%2Fa?at=1795222923000", {})


def test_a_body_of_single_values_is_sent_for_each() -> None:
    found = posts(READING, body={"key": "{meter}.{quantity}", "value": "{value}"})
    assert [json.loads(post.body)["value"] for post in found] == [230.1, 25409587]
    assert len({post.headers["Idempotency-Key"] for post in found}) == 2
    assert {post.readings[0] for post in found} == {("main/a", 1795222923000, "")}


def test_many_readings_go_in_arrays_of_a_bounded_size() -> None:
    found = posts(batch(every("a", AT, 6000), every("b", AT, 3)), many=True)
    assert len(found) > 1 and all(len(post.body) < BODY_SIZE_MAX + 100 for post in found)
    assert sum(len(json.loads(post.body)) for post in found) == 6003 == sum(len(post.readings) for post in found)


def test_of_one_identity_the_last_counts_and_its_key_differs() -> None:
    first, second = (columns("a", (AT, {"voltage": value})) for value in (1.0, 2.0))
    (post,) = posts(batch(first, second))
    assert json.loads(post.body)["values"] == {"voltage": 2}
    (before,) = posts(batch(first))
    assert before.headers != post.headers == posts(batch(second))[0].headers


LECTOR = {
    "voltage_l1": 231.0, "voltage_l2": 232.0, "voltage_l3": 233.0, "current_l1": 1.0, "current_l2": 2.0,
    "current_l3": 3.0, "active_power": -1500.0, "active_energy_import": 25409587.0, "voltage_thd_l1": 1.0,
    "voltage_thd_l3": 1.0,
}  # fmt: skip


def test_lectors_form() -> None:
    """Currents without N are three; a code with a hole in it is none."""
    (post,) = posts(
        batch(columns("main/a", (AT, LECTOR), ("2026-11-21T01:02:04Z", {"temperature": 20}))),
        format="lector", url="http://h:8000/central/", node="7", analysers={"main/a": "3"},
    )  # fmt: skip
    form = {name: value for name, (value,) in parse_qs(post.body.decode(), strict_parsing=True).items()}
    assert post.path == "/ws/v2/history/save/7/3/"
    assert (form["DATA_HORA"], form["MODEL"]) == ("21/11/2026 02:02:03", "PM710")
    assert json.loads(form["LECTURA"]) == {
        "TPF": [231, 232, 233], "IPF": [1, 2, 3], "PAT": [-1.5], "CEA": [25409.587],
    }  # fmt: skip


def test_lectors_codes_of_each_row() -> None:
    rows = columns("a", (AT, {"frequency": 50}), ("2026-11-21T01:02:04Z", {"voltage_l1": 1, "voltage_l2": 2}))
    assert list(vectors(rows)) == [{"FRE": [50]}, {"TPF": [1, 2]}]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"url": "ftp://h/"}, "must be like http"),
        ({"url": "http://user:hidden@{meter}/"}, "must be like http"),
        ({"url": "http://h/{voltage}"}, "not of values"),
        ({"url": "http://h/{meter}", "format": "lector"}, "has no places"),
        ({"node": "{voltage}", "format": "lector"}, "not by values"),
        ({"body": {"a": "{metre}"}}, 'nothing is called "metre"'),
        ({"username": "u", "token": "hidden"}, "in place of `username`"),
        ({"headers": {"X-Key": "hidden\nX: y"}}, "'X-Key' must be one line"),
    ],
)
def test_what_is_wrong_is_told_without_secrets(keys: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        sink(**{"url": "http://h/", **keys})
    assert "hidden" not in str(told.value)


def test_secrets_do_not_show() -> None:
    settings = TypeAdapter(HttpSettings).validate_python(
        {"name": "x", "kind": "http", "url": "http://u:hidden@h/?key=hidden", "token": "hidden",
         "headers": {"X-Key": "hidden"}}
    )  # fmt: skip
    assert "hidden" not in repr(settings) and "hidden" not in repr(settings.make(PRAGUE))


def test_what_a_server_says_is_told_without_secrets() -> None:
    posting = sink(token="hidden", url="http://u:hidden@h/p?key=hidden").posting  # type: ignore[attr-defined]
    assert posting._refusal(Answer(422, "you sent hidden")) == "422 Unprocessable Entity: you sent ***"
    with pytest.raises(SinkUnavailable) as told:
        posting._refusal(Answer(503, "later", "120"))
    assert str(told.value) == "http://h/p: 503 Service Unavailable: later (again after 120)"


def test_one_refused_reading_of_many_is_looked_for() -> None:
    with pytest.raises(SinkRefused, match="2 readings in one request: 400"):
        readings_refused(Post("", b"", [("a", 1, ""), ("b", 1, "")]), "400")


def test_an_address_without_places_is_one_path() -> None:
    assert parse_address("https://h", PRAGUE).paths(every("a", AT, 2)) == ["", ""]
