"""The routes, on a real book, without sockets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from api_house import NOW, House, house, pushed, pzem
from wattbook.api import ingest
from wattbook.api.legacy import energy
from wattbook.api.stream import events
from wattbook.engine.status import DarkSpan, SupplyNow
from wattbook.model import BookError, Quality, Reading
from wattbook.profiles import Display

ENERGY = "/electricity_meter/api/v1.0/energy"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'legacy = ["energy"]\nenergy_meter = "heat-pump"') as home:
        yield home


async def get(home: House, path: str, status: int = 200) -> Any:
    answer = await home.client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


async def post(home: House, content: bytes, status: int = 200, **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await home.client.post("/api/v1/readings", content=content, headers=names)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_about_says_where_the_book_is(home: House) -> None:
    about = await get(home, "/api/v1/about")
    assert (about["site"], about["timezone"]) == ("House", "Europe/Prague")
    assert about["book"] == str(home.book.path)
    assert about["gap"] is None


async def test_what_a_page_opens_with_is_what_its_parts_answer(home: House) -> None:
    parts = {
        "about": "about", "me": "me", "meters": "meters", "virtual": "meters/virtual", "supply": "supply",
        "quantities": "quantities", "readings": "readings/latest",
    }  # fmt: skip
    empty = await get(home, "/api/v1/opening")
    assert empty["past"] == empty["readings"] == empty["quantities"] == []
    home.keep(*(pzem(ago_s=ago_s, power=100.0 + ago_s) for ago_s in (4_000, 1_800, 5)), pzem("generator"))
    opening = await get(home, "/api/v1/opening")
    past = "/api/v1/query?meter=generator&meter=main-a&quantity=active_power&from=-60min&points=720&columns=true"
    assert opening.pop("past") == await get(home, past)
    assert opening == {name: await get(home, f"/api/v1/{path}") for name, path in parts.items()}
    assert opening["me"]["kind"] and opening["readings"]


async def test_the_charts_of_many_meters_have_fewer_points_each(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattbook.api.opening._ALL_POINTS_MAX", 40)
    instants = range(3_500, 0, -50)
    home.keep(*(pzem(name, ago_s=at, power=at % 7.0) for name in ("main-a", "generator") for at in instants))
    past = (await get(home, "/api/v1/opening"))["past"]
    assert [each["meter"] for each in past] == ["generator", "main-a"]
    assert all(4 <= len(each["columns"]["value"]) <= 20 for each in past)


async def test_a_page_opens_whatever_is_wrong_with_the_past(
    home: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise BookError("the book cannot be read there")

    home.keep(replace(pzem(), values={"active_power": 812.5, "of_a_later_version": 1.0}))
    monkeypatch.setattr("wattbook.api.opening.ask", refuse)
    opening = await get(home, "/api/v1/opening")
    assert opening["past"] == [] and "the book cannot be read there" in caplog.text
    assert [each["name"] for each in opening["quantities"]] == ["active_power"]
    assert opening["readings"][0]["values"]["active_power"] == 812.5


async def test_meters_tell_state_and_progress(home: House) -> None:
    status = home.statuses["heat-pump"]
    status.state, status.reason, status.since = "away", "no answer", NOW
    status.heard_bytes, status.expected_bytes = 120, 560
    status.counters.garbled = 3
    meters = {meter["name"]: meter for meter in await get(home, "/api/v1/meters")}
    assert list(meters) == ["main-a", "generator", "heat-pump", "workshop", "barn"]
    pump = meters["heat-pump"]
    assert (pump["state"], pump["reason"], pump["since"]) == ("away", "no answer", "2026-11-21T12:00:00.000Z")
    assert pump["progress"] == {"heard": 120, "expected": 560}
    assert pump["counters"]["garbled"] == 3
    assert pump["title"].startswith("ZPA")
    assert meters["generator"]["source"] == "generator"
    assert meters["main-a"]["progress"] is None


async def test_latest_is_an_array_of_reading_json(home: House) -> None:
    home.keep(pzem(ago_s=5), pzem("generator"))
    home.keep(pzem())
    both = await get(home, "/api/v1/readings/latest")
    assert {reading["meter"]: reading["at"] for reading in both} == {
        "main-a": "2026-11-21T12:00:00.000Z",
        "generator": "2026-11-21T12:00:00.000Z",
    }
    one = await get(home, "/api/v1/readings/latest?meter=main-a")
    assert one == [
        {
            "meter": "main-a",
            "at": "2026-11-21T12:00:00.000Z",
            "values": {"voltage": 230.1, "current": 6.52, "active_power": 1500, "active_energy_import": 25409587},
            "quality": "good",
        }
    ]


async def test_quantities_without_names_are_those_in_use(home: House) -> None:
    home.keep(pzem())
    names = [each["name"] for each in await get(home, "/api/v1/quantities")]
    assert names == ["active_energy_import", "active_power", "current", "voltage"]
    (one,) = await get(home, "/api/v1/quantities?name=voltage_l12_max")
    assert (one["unit"], one["title"], one["kind"]) == ("V", "Voltage, L1-L2, maximum", "gauge")


async def test_query_raw_values_and_energy(home: House) -> None:
    home.keep(*(pzem("workshop", ago_s=3600 - 60 * k, energy=1000.0 + 10 * k) for k in range(61)))
    raw = await get(home, "/api/v1/query?meter=workshop&quantity=voltage&from=-1h")
    assert (raw["unit"], raw["every"], len(raw["points"])) == ("V", None, 60)
    assert raw["points"][0] == {"at": "2026-11-21T11:00:00.000Z", "value": 230.1, "quality": "good"}
    steps = await get(home, "/api/v1/query?meter=workshop&quantity=active_energy_import&from=-1h&every=15min")
    assert [point["value"] for point in steps["points"]] == [150, 150, 150, 150]
    assert {point["quality"] for point in steps["points"]} == {"measured"}


@pytest.mark.parametrize("start", ["2026-11-21T12:30:00+01:00", "2026-11-21T12:30:00%2B01:00", "2026-11-21T12:30"])
async def test_query_takes_instants_however_they_were_written(home: House, start: str) -> None:
    home.keep(pzem(ago_s=3600), pzem(ago_s=60))
    answer = await get(home, f"/api/v1/query?meter=main-a&quantity=voltage&from={start}")
    assert [point["at"] for point in answer["points"]] == ["2026-11-21T11:59:00.000Z"]


async def test_query_of_a_meter_that_told_nothing_is_empty(home: House) -> None:
    assert (await get(home, "/api/v1/query?meter=barn&quantity=voltage"))["points"] == []


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/query?meter=main-b&quantity=voltage", 404, 'did you mean "main-a"?'),
        ("/api/v1/query?meter=main-a&quantity=volts", 400, 'did you mean "voltage"?'),
        ("/api/v1/query?meter=main-a&quantity=voltage&every=1x", 400, "is no step of time"),
        ("/api/v1/query?meter=main-a&quantity=voltage&aggregate=men", 400, 'did you mean "mean"?'),
        ("/api/v1/query?meter=main-a&quantity=voltage&from=soon", 400, '"soon" is no instant'),
        ("/api/v1/query?meter=main-a&quantity=voltage&from=now&to=-1h", 400, "lies before"),
        ("/api/v1/query?meter=main-a&quantity=voltage&from=2000-01-01&every=1s", 400, "choose a longer one"),
        ("/api/v1/query?quantity=voltage", 400, '"meter" is missing'),
        ("/api/v1/query?meter=main-a&quantity=voltage&every=" + "9" * 99, 400, '"every"'),
        ("/api/v1/readings/latest?meter=main-b", 404, "no meter is called"),
        ("/api/v1/live?meter=main-b", 404, "no meter is called"),
        ("/api/v1/quantities?name=volts", 400, "no quantity is called"),
        ("/api/v1/meter", 404, 'did you mean "/api/v1/meters"?'),
        ("/x", 404, "see /api/v1/docs"),
        ("/assets/../../app.py", 404, "nothing is at"),
        ("/assets/%2e%2e/%2e%2e/app.py", 404, "nothing is at"),
        ("/api/v1/readings", 405, "GET is not for this address; it takes POST"),
    ],
)
async def test_wrong_questions_are_told_in_one_shape(home: House, path: str, status: int, words: str) -> None:
    home.keep(pzem())
    answer = await get(home, path, status)
    assert list(answer) == ["error"]
    assert words in answer["error"]


@pytest.mark.parametrize("path", ["/api/v1/meters", "/metrics", "/api/v1/live", "/api/v1/openapi.json"])
async def test_head_is_get_without_a_body(home: House, path: str) -> None:
    assert (await home.client.head(path)).status_code == 200


async def test_a_fault_is_told_without_its_inside(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    home.book.close()
    home.context.reader.close()
    answer = await home.client.get("/api/v1/readings/latest")
    assert answer.status_code in (400, 503)
    assert "Traceback" not in answer.text


# ---- sending readings


async def test_sent_readings_are_in_the_book_once(home: House) -> None:
    body = json.dumps(pushed(100)).encode()
    assert await post(home, body) == {"new": 100, "same": 0, "conflicts": 0}
    assert home.context.reader.latest(["workshop"], now=home.context.clock.now())[0].values["active_power"] == 99.0
    assert await post(home, body) == {"new": 0, "same": 100, "conflicts": 0}
    changed = [{**reading, "values": {"active_power": -1}} for reading in pushed(100)[:7]]
    assert await post(home, json.dumps(changed).encode()) == {"new": 0, "same": 0, "conflicts": 7}


async def test_what_was_sent_late_does_not_turn_back_the_last_instant(home: House) -> None:
    await post(home, json.dumps(pushed(3)).encode())
    await post(home, json.dumps({**pushed(1)[0], "at": "2026-11-20T00:00:00Z"}).encode())
    assert home.statuses["workshop"].last_at == NOW - timedelta(seconds=1)


async def test_the_first_sent_reading_makes_its_meter_present(home: House) -> None:
    await post(home, json.dumps(pushed(3)).encode())
    status = home.statuses["workshop"]
    assert (status.state, status.counters.answers) == ("present", 3)
    assert status.last_at == NOW - timedelta(seconds=1)
    assert home.statuses["barn"].state == "starting"


async def test_history_is_taken_for_meters_on_a_line_too_and_says_nothing_of_who_is_heard_now(home: House) -> None:
    past = b'{"meter":"main-a","at":"2025-11-21T08:00:00Z","values":{"voltage":1}}'
    answer = await home.client.post("/api/v1/readings?history=1", content=past)
    assert answer.json() == {"new": 1, "same": 0, "conflicts": 0}
    assert home.statuses["main-a"].counters.answers == 0
    unknown = await home.client.post("/api/v1/readings?history=1", content=past.replace(b"main-a", b"main-q"))
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("content", "headers", "new"),
    [
        (json.dumps(pushed(1)[0]).encode(), {}, 1),
        (json.dumps(pushed(4)).encode(), {"content_type": "application/json; charset=utf-8"}, 4),
        ("\n".join(map(json.dumps, pushed(3))).encode(), {"content_type": "application/x-ndjson"}, 3),
        (json.dumps(pushed(1)[0]).encode(), {"content_type": "application/x-www-form-urlencoded"}, 1),
        (b"meter,at,voltage\nworkshop,2026-11-21T08:00:00Z,230.1\nbarn,2026-11-21T08:00:00Z,\n", {}, 0),
        (gzip.compress(json.dumps(pushed(9)).encode()), {"content_encoding": "gzip"}, 9),
        (json.dumps(pushed(5000)).encode(), {}, 5000),
        (json.dumps([{**pushed(1)[0], "site": "House"}]).encode(), {}, 1),
    ],
    ids=["object", "array", "ndjson", "curl -d", "table", "gzip", "large", "own site"],
)
async def test_every_form_of_sending(home: House, content: bytes, headers: dict[str, str], new: int) -> None:
    if content.startswith(b"meter,"):
        headers, new, content = {"content_type": "text/csv"}, 1, content.rsplit(b"\n", 2)[0] + b"\n"
    assert (await post(home, content, **headers))["new"] == new
    assert {reading.site for reading in home.context.reader.latest(now=home.context.clock.now())} == {""}


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b'{"meter":"workshp","at":"2026-11-21T08:00:00Z","values":{"voltage":1}}', {}, 404, 'mean "workshop"?'),
        (b'{"meter":"main-a","at":"2026-11-21T08:00:00Z","values":{"voltage":1}}', {}, 409, 'read on line "rs485"'),
        (b'{"meter":"barn","at":"2026-11-21T08:00:00Z","values":{"volts":1}}', {}, 400, "volts"),
        (b'{"meter":"barn","at":"2026-11-21T08:00:00","values":{"voltage":1}}', {}, 400, "at"),
        (b'{"meter":"barn","at":"2099-11-21T08:00:00Z","values":{"voltage":1}}', {}, 400, "ahead of this machine"),
        (b'{"meter":"barn","at":"1899-12-31T00:00:00Z","values":{"voltage":1}}', {}, 400, "no year from 1900 to 2200"),
        (b'{"meter":"barn","at":"0001-01-01T00:00:00Z","values":{"voltage":1}}', {}, 400, "no year from 1900 to 2200"),
        (
            b"meter,at,voltage\nbarn,2026-11-21T08:00Z,1\nbarn,1899-12-31T00:00Z,1",
            {"content_type": "text/csv"},
            400,
            "reading 2: 1899-12-31",
        ),
        (b'{"meter":"barn","at":"2026-11-21T08:00:00Z","values":{"voltage":1},"site":"B"}', {}, 404, 'not of "B"'),
        (b"not json", {}, 400, "JSON"),
        (b"", {}, 400, ""),
        (b"\x1f\x8b", {"content_encoding": "gzip"}, 400, "cut off"),
        (b"x" * 99, {"content_encoding": "gzip"}, 400, "not gzip"),
        (b"{}", {"content_encoding": "br"}, 415, "send gzip"),
        (b"{}", {"content_type": "text/xml"}, 415, "text/csv"),
        (b" " * 16_000_001, {}, 413, "larger than 16000000"),
        (gzip.compress(b" " * 16_000_001), {"content_encoding": "gzip"}, 413, "unpacks to more"),
    ],
)
async def test_what_cannot_be_taken_is_refused_in_words(
    home: House, content: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    answer = await post(home, content, status, **headers)
    assert words in answer["error"]
    assert home.context.reader.latest(now=home.context.clock.now()) == []


async def test_what_a_body_unpacks_to_is_held_too(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "HELD_MAX", 10_000)
    client, body = home.client, json.dumps(pushed(80)).encode()
    assert len(body) < 10_000 < len(body) + len(gzip.compress(body))
    for _ in range(2):  # what was refused is held no longer
        refused = await client.post(
            "/api/v1/readings", content=gzip.compress(body), headers={"content-encoding": "gzip"}
        )
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert (await client.post("/api/v1/readings", content=body)).json()["new"] == 80


async def test_one_wrong_row_refuses_the_whole_body(home: House) -> None:
    rows = [*pushed(5), {**pushed(1)[0], "values": {"volts": 1}}]
    answer = await post(home, json.dumps(rows).encode(), 400)
    assert "6" in answer["error"]
    assert home.context.reader.latest(now=home.context.clock.now()) == []


# ---- the address of the replaced program


def two_tariffs(**values: float) -> Reading:
    return Reading("heat-pump", NOW, values)


async def test_energy_is_what_flask_answered(home: House) -> None:
    before = await home.client.get(ENERGY)
    assert before.content == b'{"energy":{"highTarif":0,"lowTarif":0,"suma":0}}\n'
    home.keep(
        two_tariffs(
            active_energy_import=25409587.0, active_energy_import_t1=4200177.0, active_energy_import_t2=21209409.0
        )
    )
    after = await home.client.get(ENERGY)
    assert after.content == (b'{"energy":{"highTarif":"0004200.177","lowTarif":"0021209.409","suma":"0025409.587"}}\n')
    assert after.headers["content-type"] == "application/json"


async def test_energy_of_a_partial_or_doubted_readout_is_what_it_was(home: House) -> None:
    names = ("active_energy_import", "active_energy_import_t1", "active_energy_import_t2")
    whole = dict(zip(names, (3000.0, 1000.0, 2000.0), strict=True))
    home.keep(Reading("heat-pump", NOW - timedelta(days=3), whole))
    home.keep(Reading("heat-pump", NOW - timedelta(days=2), {"active_energy_import": 3001.0}))
    home.keep(Reading("heat-pump", NOW - timedelta(days=1), {**whole, names[0]: 9e9}, Quality.SUSPECT))
    client = home.client  # one application, asked as the house goes on
    shown = b'{"energy":{"highTarif":"0000001.000","lowTarif":"0000002.000","suma":"0000003.001"}}\n'
    assert (await client.get(ENERGY)).content == shown
    home.keep(Reading("heat-pump", NOW - timedelta(seconds=2), {names[1]: 1001.0}))
    home.keep(Reading("heat-pump", NOW - timedelta(seconds=1), {names[2]: 2001.0}))
    assert (await client.get(ENERGY)).content == shown.replace(b"1.000", b"1.001").replace(b"2.000", b"2.001")


async def test_energy_is_off_unless_asked_for(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        assert "nothing is at" in (await get(home, ENERGY, 404))["error"]


@pytest.mark.parametrize(
    ("values", "display", "expected"),
    [
        ({"active_energy_import": 1.0}, Display(7, 3), b'{"highTarif":0,"lowTarif":0,"suma":"0000000.001"}'),
        ({"active_energy_import": 1499.0}, Display(6, 0), b'{"highTarif":0,"lowTarif":0,"suma":"000001"}'),
        ({"active_energy_import_t1": 5.0}, None, b'{"highTarif":"0000000.005","lowTarif":0,"suma":0}'),
    ],
)
def test_energy_shows_the_digits_of_the_profile(
    values: dict[str, float], display: Display | None, expected: bytes
) -> None:
    assert energy(values, display) == b'{"energy":' + expected + b"}\n"


# ---- /metrics


async def test_metrics_are_openmetrics(home: House) -> None:
    home.statuses["main-a"].state = "present"
    home.statuses["main-a"].location = 'a "quoted" \\ place\nof two lines'
    home.statuses["main-a"].counters.polls = 7
    home.statuses["main-a"].last_at = NOW
    home.statuses["generator"].state = "away"
    home.keep(replace(pzem(), doubt={"current": Quality.SUSPECT}), pzem("generator", power=99.0))
    home.keep(Reading("heat-pump", NOW, {"active_power": 1.0}))  # of the last run; it was not heard in this one
    answer = await home.client.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    (polls,) = [s for s in families["wattbook_meter_polls"].samples if s.labels["meter"] == "main-a"]
    assert (polls.value, polls.labels["location"]) == (7, 'a "quoted" \\ place\nof two lines')
    power = {sample.labels["meter"]: sample.value for sample in families["wattbook_active_power_watts"].samples}
    assert power == {"main-a": 1500.0}, "a meter that is away has no present value"
    assert "wattbook_current_amperes" not in families, "a value in doubt is no fact"
    up = {sample.labels["meter"]: sample.value for sample in families["wattbook_meter_up"].samples}
    assert (up["main-a"], up["generator"]) == (1, 0)
    assert families["wattbook_book_writable"].samples[0].value == 1
    assert families["wattbook_book_readings"].samples[0].value == 3
    assert answer.text.endswith("# EOF\n")


# ---- the description


async def test_every_route_is_described_with_an_example(home: House) -> None:
    description = await get(home, "/api/v1/openapi.json")
    paths = description["paths"]
    assert set(paths) >= {
        "/api/v1/about", "/api/v1/meters", "/api/v1/readings/latest", "/api/v1/query", "/api/v1/live",
        "/api/v1/readings", "/metrics", ENERGY,
    }  # fmt: skip
    for path, methods in paths.items():
        for method, operation in methods.items():
            told, *others = operation["responses"]["200"]["content"].values()
            assert "example" in told, (method, path)
            assert all(other == {"schema": {"type": "string", "format": "binary"}} for other in others), (method, path)
            assert operation["summary"]


async def test_examples_of_the_description_are_answered_so(home: House) -> None:
    """The keys that the page of the API shows are the keys that come."""
    home.keep(pzem())
    paths = (await get(home, "/api/v1/openapi.json"))["paths"]
    queries = {"/api/v1/query": "?meter=main-a&quantity=active_energy_import&every=1h&from=-1h"}
    for path in ("/api/v1/about", "/api/v1/meters", "/api/v1/readings/latest", "/api/v1/quantities", "/api/v1/query"):
        example = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
        answer = await get(home, path + queries.get(path, ""))
        shown, came = (example[0], answer[0]) if isinstance(example, list) else (example, answer)
        assert set(shown) == set(came), path


async def test_values_of_doubt_are_told(home: House) -> None:
    home.keep(Reading("main-a", NOW, {"voltage": 999.0}, doubt={"voltage": Quality.SUSPECT}))
    (reading,) = await get(home, "/api/v1/readings/latest")
    assert reading["doubt"] == {"voltage": "suspect"}


async def test_the_supply_is_told_with_since_when_and_the_last_dark_span(home: House) -> None:
    unknown = await get(home, "/api/v1/supply")
    assert (unknown["state"], unknown["since"], unknown["for_s"], unknown["dark"]) == ("unknown", None, None, None)
    assert unknown["last_at"] == {"utility": None, "generator": None}
    home.keep(pzem("generator", ago_s=5))
    dark = DarkSpan(NOW - timedelta(hours=2), NOW - timedelta(hours=1), "this machine was off")
    home.supply(SupplyNow("generator", NOW - timedelta(hours=1), dark))
    answer = await get(home, "/api/v1/supply")
    assert (answer["state"], answer["since"], answer["for_s"]) == ("generator", "2026-11-21T11:00:00.000Z", 3600.0)
    assert answer["dark"]["from"] == "2026-11-21T10:00:00.000Z"
    assert answer["last_at"] == {"utility": None, "generator": "2026-11-21T11:59:55.000Z"}
    text = (await home.client.get("/metrics")).text
    assert 'wattbook_supply{state="generator"} 1' in text and 'wattbook_supply{state="utility"} 0' in text
    list(text_string_to_metric_families(text))


async def test_where_no_meter_can_tell_the_supply_is_null(home: House) -> None:
    home.supply(SupplyNow())
    assert (await get(home, "/api/v1/supply"))["state"] is None
    assert "wattbook_supply" not in (await home.client.get("/metrics")).text


async def test_who_watches_all_meters_is_told_of_the_supply(home: House) -> None:
    home.supply(SupplyNow("utility", NOW))
    stream = events(home.context, None, "")
    first = b"".join([await anext(stream) for _ in range(3)])
    assert b'event: supply\ndata: {"state":"utility","since":"2026-11-21T12:00:00.000Z"' in first
    home.supply(SupplyNow("generator", NOW))
    assert b'"state":"generator"' in await anext(stream)
    await stream.aclose()
    some = events(home.context, ["main-a"], "")
    assert b"supply" not in b"".join([await anext(some) for _ in range(2)])
    await some.aclose()
