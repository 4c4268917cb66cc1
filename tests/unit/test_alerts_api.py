"""/api/v1/alerts: how rules stand, what was told, orders and their mistakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from alert_house import PATIENCE_S, Hands, Run, power_rule, settings, told
from wattbook.access import Access, PeopleFile
from wattbook.api import ApiContext
from wattbook.api.app import make_app
from wattbook.api.stream import events
from wattbook.engine.keep import BookKeeper
from wattbook.model import Event

RULES = power_rule("over") + '[[notify]]\nname = "anna"\nurl = "nothing://secret-word"\nremind = "1h"\n'


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(config=settings(tmp_path, RULES))


def _context(run: Run, config: object) -> ApiContext:
    return ApiContext(
        config=config, statuses=list, reader=run.reader, keeper=BookKeeper(run.book, run.live),  # type: ignore[arg-type]
        heard=lambda meter, at, count: None, live=run.live, clock=run.clock, statistics=run.book.statistics,
        alerts=run.alerts, access=Access(PeopleFile(config.people), run.clock, run.book.append_event),  # type: ignore[attr-defined, arg-type]
    )  # fmt: skip


def _client(run: Run, config: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(
        make_app(_context(run, config)), client=("127.0.0.1", 50000), raise_app_exceptions=False
    )
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8600")


async def test_rules_their_state_and_history(house: SimpleNamespace) -> None:
    run = Run(house.config, Hands())
    async with _client(run, house.config) as client:
        rule = (await client.get("/api/v1/alerts")).json()["rules"][0]
        assert (rule["state"], rule["about"]) == ("quiet", [])
        await run.hear(told(0, active_power=6000.0))
        answer = (await client.get("/api/v1/alerts")).json()
        rule = answer["rules"][0]
        assert (rule["state"], rule["value"], rule["since"]) == ("raised", 6000.0, "2026-11-21T11:00:00.000Z")
        assert rule["about"][0]["text"] == "main-a: Active power 6 kW, above 5 kW"
        assert rule["watches"] == {"quantity": "active_power", "limit": 5000.0, "lasting": 0.0, "hysteresis": 0.0}
        assert answer["targets"][0]["service"] == "nothing"
        assert "secret-word" not in str(answer)
        done = (await client.post("/api/v1/alerts/over", json={"do": "mute", "for": "2h", "who": "anna"})).json()
        await run.settled()
        rule = (await client.get("/api/v1/alerts")).json()["rules"][0]
        assert (rule["muted"], rule["muted_until"]) == (True, "2026-11-21T13:00:00.000Z")
        history = (await client.get("/api/v1/alerts/history", params={"limit": 1})).json()
        assert [(each["event"], each["who"]) for each in history["events"]] == [("muted", "anna")]
        assert history["before"] == done["number"]
        more = (await client.get("/api/v1/alerts/history", params={"before": history["before"]})).json()
        assert [each["event"] for each in more["events"]] == ["raised"]
        assert more["before"] is None
        of_rule = (await client.get("/api/v1/alerts/history", params={"rule": "over"})).json()
        assert [each["event"] for each in of_rule["events"]] == ["muted", "raised"]
        assert (await client.get("/api/v1/alerts/history", params={"rule": "ovr"})).json()["events"] == []
    await run.stop()


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("alerts/ovr", {"do": "test"}, 404, 'no alert is called "ovr" (did you mean "over"?)'),
        ("alerts/over", {"do": "mut"}, 400, '(did you mean "mute"?)'),
        ("alerts/over", {"do": "mute", "fr": "2h"}, 400, 'nothing is called "fr" in an order (did you mean "for"?)'),
        ("alerts/over", {"do": "mute", "for": 2}, 400, "a duration is a text"),
        ("alerts/over", {"do": "mute", "for": "99999999999d"}, 400, '"for"'),
        ("alerts/over", {"do": "unmute", "for": "2h"}, 400, '"unmute" takes no "for"'),
        ("notify/ana", {"do": "test"}, 404, '(did you mean "anna"?)'),
        ("notify/anna", {"do": "mute"}, 400, '"do" is one of test'),
        ("notify/anna", {"do": "test"}, 400, "anna: apprise does not understand the address"),
    ],
)
async def test_mistakes_are_said(
    house: SimpleNamespace, path: str, body: dict[str, object], status: int, said: str
) -> None:
    run = Run(house.config, Hands())
    async with _client(run, house.config) as client:
        answer = await client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == status, answer.text
        assert said in answer.json()["error"]
    await run.stop()


async def test_a_test_of_a_rule_is_an_event(house: SimpleNamespace) -> None:
    run = Run(house.config, Hands())
    async with _client(run, house.config) as client:
        number = (await client.post("/api/v1/alerts/over", json={"do": "test"})).json()["number"]
    await run.settled()
    assert [(event.seq, event.body["severity"]) for event in run.whole_events()] == [(number, "warning")]
    await run.stop()


async def test_the_live_stream_tells_of_what_is_raised_muted_and_over(house: SimpleNamespace) -> None:
    run = Run(house.config, Hands())
    stream, some = events(_context(run, house.config), None, ""), events(_context(run, house.config), ["main-a"], "")

    async def told_next() -> dict[str, int]:
        async with asyncio.timeout(PATIENCE_S):
            while b"event: alerts" not in (event := await anext(stream)):
                pass
        return json.loads(event.rpartition(b"data: ")[2])  # type: ignore[no-any-return]

    assert await told_next() == {"raised": 0, "changed": 0}
    await anext(some)
    await run.hear(told(0, active_power=6000.0))
    raised = await told_next()
    assert raised == {"raised": 1, "changed": run.whole_events()[-1].seq}
    await run.note(Event("alert.muted", "over", run.clock.now(), {"severity": "warning"}))
    muted = await told_next()
    assert muted == {"raised": 1, "changed": run.whole_events()[-1].seq} and muted["changed"] > raised["changed"]
    await run.hear(told(5, active_power=100.0))
    assert await told_next() == {"raised": 0, "changed": run.whole_events()[-1].seq}
    run.live.close()
    assert b"event: alerts" not in b"".join([event async for event in some])
    await stream.aclose()
    await run.stop()


async def test_metrics_tell_which_rules_are_raised_and_what_was_not_delivered(house: SimpleNamespace) -> None:
    run = Run(house.config, Hands())
    async with _client(run, house.config) as client:
        assert 'wattbook_alert_raised{rule="over",severity="warning"} 0' in (await client.get("/metrics")).text
        await run.hear(told(0, active_power=6000.0))
        await client.post("/api/v1/notify/anna", json={"do": "test"})
        text = (await client.get("/metrics")).text
        assert 'wattbook_alert_raised{rule="over",severity="warning"} 1' in text
        assert 'wattbook_notify_sent_total{target="anna"} 0' in text
        assert 'wattbook_notify_failed_total{target="anna"} 1' in text
    await run.stop()


async def test_a_house_without_alerts_answers(tmp_path: Path) -> None:
    config = settings(tmp_path, "")
    run = Run(config, Hands())
    async with _client(run, config) as client:
        assert (await client.get("/api/v1/alerts")).json() == {"rules": [], "targets": []}
        assert (await client.get("/api/v1/alerts/history")).json() == {"events": [], "before": None}
        assert (await client.get("/api/v1/alerts/history", params={"limit": 0})).status_code == 400
    await run.stop()
