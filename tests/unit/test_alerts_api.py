"""/api/v1/alerts: how rules stand, what was told, orders and their mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from alert_house import Hands, Run, power_rule, settings, told
from wattbook.access import Access, PeopleFile
from wattbook.api import ApiContext
from wattbook.api.app import make_app
from wattbook.engine.keep import BookKeeper
from wattbook.engine.live import Live

RULES = power_rule("over") + '[[notify]]\nname = "anna"\nurl = "nothing://secret-word"\nremind = "1h"\n'


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(config=settings(tmp_path, RULES))


def _client(run: Run, config: object) -> httpx.AsyncClient:
    live = Live(run.clock)  # type: ignore[arg-type]
    context = ApiContext(
        config=config, statuses=list, reader=run.reader, keeper=BookKeeper(run.book, live),  # type: ignore[arg-type]
        heard=lambda meter, at, count: None, live=live, clock=run.clock, statistics=run.book.statistics,  # type: ignore[arg-type]
        alerts=run.alerts, access=Access(PeopleFile(config.people), run.clock, run.book.append_event),  # type: ignore[attr-defined, arg-type]
    )  # fmt: skip
    transport = httpx.ASGITransport(make_app(context), client=("127.0.0.1", 50000), raise_app_exceptions=False)
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


async def test_a_house_without_alerts_answers(tmp_path: Path) -> None:
    config = settings(tmp_path, "")
    run = Run(config, Hands())
    async with _client(run, config) as client:
        assert (await client.get("/api/v1/alerts")).json() == {"rules": [], "targets": []}
        assert (await client.get("/api/v1/alerts/history")).json() == {"events": [], "before": None}
        assert (await client.get("/api/v1/alerts/history", params={"limit": 0})).status_code == 400
    await run.stop()
