"""/api/v1/audit: who changed what, in pages, for admins alone; and that nobody acts in another's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from access_house import add_token, add_user, bearer, log_in
from api_house import NOW, House, house
from wattbook.model import Event
from wattbook.model.principal import Role, Scope
from wattbook.store import event_rows


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        yield home


def _note(home: House, kind: str, actor: str = "wattbook", **body: object) -> None:
    home.book.append_event(Event(kind, "main-a", NOW, body, actor)).result(30)


async def test_changes_are_told_the_newest_first(home: House) -> None:
    add_user(home)
    async with home.client as client:
        await log_in(client)
        _note(home, "meter.away", reason="nobody answers")
        _note(home, "meter.reset", "anna 10.0.0.1", why="a new battery", was=[1, 2, 3])
        answer = (await client.get("/api/v1/audit")).json()
        assert [each["kind"] for each in answer["changes"]] == ["meter.reset", "user.login", "user.added"]
        assert answer["before"] is None
        reset = answer["changes"][0]
        assert (reset["who"], reset["subject"], reset["body"]) == (
            "anna 10.0.0.1",
            "main-a",
            {"why": "a new battery"},
        )
        first = (await client.get("/api/v1/audit", params={"limit": 1})).json()
        rest = (await client.get("/api/v1/audit", params={"before": first["before"]})).json()
        assert first["changes"] + rest["changes"] == answer["changes"]


async def test_a_page_looks_at_a_bounded_number_of_events(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_rows, "_LOOKED_MAX", 3)
    add_user(home)
    token = bearer(add_token(home, Scope.USERS))
    for _ in range(7):
        _note(home, "meter.away")
    found, before, pages = [], 10**9, 0
    async with home.client as client:
        while before:
            answer = (await client.get("/api/v1/audit", params={"before": before}, headers=token)).json()
            found += [each["kind"] for each in answer["changes"]]
            before, pages = answer["before"], pages + 1
    assert found == ["token.created", "user.added"]
    assert pages == 4  # 9 events: 3, 3, 3, and one that finds that there are no more


async def test_a_long_body_is_left_out(home: House) -> None:
    add_user(home)
    _note(home, "meter.corrected", "anna", was=["x" * 5000], why="long")
    async with home.client as client:
        await log_in(client)
        changes = (await client.get("/api/v1/audit")).json()["changes"]
    assert [each["body"] for each in changes if each["kind"] == "meter.corrected"] == [{}]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "before=0", f"before={2**63}", "limit=x"])
async def test_what_cannot_be_asked(home: House, query: str) -> None:
    add_user(home)
    async with home.client as client:
        await log_in(client)
        assert (await client.get(f"/api/v1/audit?{query}")).status_code == 400


async def test_it_is_for_admins(home: House) -> None:
    add_user(home)
    add_user(home, "otto", Role.OPERATOR)
    async with home.client as client:
        assert (await client.get("/api/v1/audit")).status_code == 401
        await log_in(client, "otto")
        assert (await client.get("/api/v1/audit")).status_code == 403
