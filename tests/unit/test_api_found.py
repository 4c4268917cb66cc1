"""What throwing things at the API has found: each of these was once answered wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from access_house import CHANGE, PASSWORD, add_token, add_user, bearer
from api_house import House, house, pzem
from wattbook.api.orders import WHO_MAX
from wattbook.api.shapes import shape_of
from wattbook.api.stream import events
from wattbook.engine.order_sinks import carry_out
from wattbook.model import BookError, ConfigError
from wattbook.model.principal import Scope


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        yield home


@pytest.mark.parametrize("do", [[], {}, 1, None, [{}]])
async def test_a_deed_of_another_type_is_no_fault(home: House, do: object) -> None:
    answer = await home.client.post("/api/v1/meters/main-a/life", json={"do": do, "why": "x"})
    assert answer.status_code == 400 and answer.json()["error"].startswith('"do" is one of')


@pytest.mark.parametrize("after", ["9" * 19, "9" * 5000])
async def test_a_position_beyond_every_book_is_told_in_the_stream(home: House, after: str) -> None:
    with pytest.raises(BookError):
        home.context.reader.read(after, 1)
    home.keep(pzem())
    stream = events(home.context, None, after)
    said = b"".join([await anext(stream) for _ in range(3)])
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert b"is no position of this book" in said and b'"meter":"main-a"' in said


@pytest.mark.parametrize("who", ["x" * (WHO_MAX + 1), 1, [], {}])
@pytest.mark.parametrize("path", ["/api/v1/meters/main-a/life", "/api/v1/users", "/api/v1/tokens"])
async def test_who_orders_is_a_short_text(home: House, path: str, who: object) -> None:
    answer = await home.client.post(path, json={"do": "undo", "why": "x", "who": who}, headers=CHANGE)
    if path.endswith("tokens"):  # which nobody may order before there is a user
        assert answer.status_code == 403
        return
    assert answer.status_code == 400 and '"who" is a text' in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/api/v1/me", "GET, POST"),
        ("PUT", "/api/v1/meters/main-a/life", "GET, POST"),
        ("PATCH", "/api/v1/about", "GET"),
        ("DELETE", "/api/v1/alerts/history", "GET"),
        ("DELETE", "/api/v1/readings", "POST"),
    ],
)
async def test_another_method_is_told_every_method(home: House, method: str, path: str, allow: str) -> None:
    answer = await home.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["error"].endswith(f"it takes {allow}")


async def test_logging_in_takes_no_other_keys(home: House) -> None:
    add_user(home)
    order = {"name": "anna", "password": PASSWORD, "pasword": ""}
    answer = await home.client.post("/api/v1/login", json=order, headers=CHANGE)
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        'nothing is called "pasword" here (did you mean "password"?)',
    )


@pytest.mark.parametrize("start", [0, None, [], {}, False])
async def test_a_replay_begins_at_an_instant(home: House, start: object) -> None:
    with pytest.raises(ConfigError, match="instant as text"):
        given = {"do": "replay", "from": start}
        await carry_out(None, given, who="", zone=None, now=None)  # type: ignore[arg-type]  # before any is needed


async def test_every_route_is_described_with_what_it_may_answer(home: House) -> None:
    add_user(home)
    token = add_token(home, Scope.READ)
    described = (await home.client.get("/api/v1/openapi.json", headers=bearer(token))).json()
    for path, operations in described["paths"].items():
        for method, told in operations.items():
            assert {"400", "403", "421", "431", "503"} <= told["responses"].keys(), path
            assert "422" not in told["responses"] and "500" not in told["responses"], path
            if method == "post" and "requestBody" in told:
                assert {"408", "413", "415"} <= told["responses"].keys(), path
    assert described["paths"]["/api/v1/login"]["post"]["security"] == []
    assert described["paths"]["/api/v1/users"]["post"]["security"] == [{"token": []}, {"session": []}]


def test_what_is_there_sometimes_is_not_promised() -> None:
    shape = shape_of({"done": "create", "token": "x"}, {}, ("token",))
    assert shape["required"] == ["done"] and shape["properties"].keys() == {"done", "token"}


def test_a_shape_is_its_examples() -> None:
    loose = {"gap": {"type": ["object", "null"]}}
    assert shape_of({"a": [1.5], "b": True, "c": "x", "gap": {"d": 1}}, loose) == {
        "type": "object",
        "required": ["a", "b", "c", "gap"],
        "properties": {
            "a": {"type": "array", "items": {"type": "number"}},
            "b": {"type": "boolean"},
            "c": {"type": "string"},
            "gap": loose["gap"],
        },
    }


@pytest.mark.parametrize("history", ["", "2", "/®", "true"])
async def test_history_is_0_or_1(home: House, history: str) -> None:
    answer = await home.client.post("/api/v1/readings", params={"history": history}, json=[])
    assert answer.status_code == 400 and "history is 0 or 1" in answer.json()["error"]


async def test_a_table_is_described_in_both_of_its_forms(home: House) -> None:
    paths = (await home.client.get("/api/v1/openapi.json")).json()["paths"]
    home.keep(pzem(ago_s=60), pzem())
    asked = {"meter": "main-a", "quantity": "active_energy_import", "every": "1d", "from": "yesterday"}
    for form in ("csv", "xlsx"):
        answer = await home.client.get("/api/v1/query/table", params={**asked, "format": form})
        assert answer.status_code == 200
        for path in ("/api/v1/query/table", "/api/v1/cost/table"):  # one writes both
            described = paths[path]["get"]["responses"]["200"]["content"]
            assert answer.headers["content-type"].split(";")[0] in described


async def test_an_order_about_a_token_says_what_was_done(home: House) -> None:
    add_user(home)
    asked = {"headers": {**CHANGE, **bearer(add_token(home, *Scope))}}
    made = await home.client.post("/api/v1/tokens", json={"do": "create", "name": "new", "scopes": ["read"]}, **asked)
    gone = await home.client.post("/api/v1/tokens", json={"do": "revoke", "name": "new"}, **asked)
    assert made.json().keys() == {"done", "token"} and gone.json() == {"done": "revoke"}
