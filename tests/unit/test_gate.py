"""Who may call what: every route, every role, and what an attacker tries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match, Mount, Route

from access_house import CHANGE, PASSWORD, add_token, add_user, bearer, by, log_in
from api_house import House, house, pzem
from wattbook.access import change_tokens, change_users
from wattbook.api.app import make_app
from wattbook.api.permits import PERMITS, Anyone, Special
from wattbook.model.principal import Role, Scope

LAN = "192.168.7.30"
API = 'allow = ["192.168.7.0/24"]\nlegacy = ["energy"]\nenergy_meter = "heat-pump"'
BEHIND = f'{API}\nproxies = ["127.0.0.1", "192.168.7.1"]'
MEMBERS = {Role.VIEWER: "vera", Role.OPERATOR: "otto", Role.ADMIN: "anna"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, API) as home:
        yield home


@pytest.fixture
def peopled(home: House) -> House:
    for role in (Role.ADMIN, Role.OPERATOR, Role.VIEWER):
        add_user(home, MEMBERS[role], role)
    return home


def routes_of(home: House) -> set[tuple[str, str]]:
    """(method, path) of everything the application answers."""
    gate = make_app(home.context)._app  # type: ignore[attr-defined]
    found: set[tuple[str, str]] = set()
    for route in gate._needs.routes:
        if isinstance(route, Mount):
            found.add(("GET", route.path))
        else:
            assert isinstance(route, Route | APIRoute), f"a kind of route that the gate was not made for: {route}"
            found |= {(method, route.path) for method in route.methods or () if method != "HEAD"}
    return found


def test_every_route_is_in_the_table(home: House) -> None:
    missing = routes_of(home) - PERMITS.keys()
    assert not missing, f"add to api/permits.py who may call {sorted(missing)}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_the_look_up_of_an_address_agrees_with_the_router(home: House, method: str) -> None:
    needs = make_app(home.context)._app._needs  # type: ignore[attr-defined]
    paths = {path for _, path in PERMITS} | {filled(path) for _, path in PERMITS} | {"/nowhere", "", "*"}
    for path in paths | {f"{path}/" for path in paths} | {f"{path}/life" for path in paths}:
        for root in ("", "/root", "/api"):
            request = {"type": "http", "method": method, "path": path, "root_path": root, "headers": []}
            routed = next((route for route in needs.routes if route.matches(request)[0] is Match.FULL), None)
            wanted = PERMITS.get((method, routed.path), Special.UNLISTED) if routed else Anyone.KNOWN
            assert needs.of(request) is wanted, (path, root)


def filled(path: str) -> str:
    return path.replace("{meter}", "main-a").replace("{sink}", "x").replace("/assets", "/assets/x")


def allowed(role: Role | None, need: Any) -> bool:
    match need:
        case Anyone.PUBLIC | Anyone.SEED:
            return True
        case Anyone.KNOWN:
            return role is not None
        case Special.FIRST_USER:
            return role is Role.ADMIN
        case _:
            return role is not None and need in role.scopes


@pytest.mark.parametrize("address", ["127.0.0.1", LAN])
@pytest.mark.parametrize("role", [None, *Role])
async def test_the_matrix_of_roles(peopled: House, role: Role | None, address: str) -> None:
    peopled.context.live.close()  # the stream ends at once
    for method, path in sorted(routes_of(peopled)):
        async with peopled.client_from(address) as client:
            if role:
                assert (await log_in(client, MEMBERS[role])).status_code == 200
            answer = await client.request(
                method, filled(path), headers=CHANGE, content=b"{}" if method == "POST" else b""
            )
        if path == "/api/v1/login":
            continue
        refused = answer.status_code == (403 if role else 401)
        assert refused != allowed(role, PERMITS[method, path]), (method, path, role, answer.text[:200])
        if refused:
            assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("scope", list(Scope))
async def test_the_matrix_of_scopes(peopled: House, scope: Scope) -> None:
    token = add_token(peopled, scope)
    peopled.context.live.close()
    async with peopled.client_from(LAN) as client:
        for method, path in sorted(routes_of(peopled)):
            need = PERMITS[method, path]
            if not isinstance(need, Scope):
                continue
            answer = await client.request(method, filled(path), headers=bearer(token), content=b"{}")
            assert (answer.status_code == 403) != (need is scope), (method, path, answer.text[:200])


async def test_a_token_needs_no_header_and_no_cookie(peopled: House) -> None:
    token = add_token(peopled, Scope.PUSH)
    async with peopled.client_from(LAN) as client:
        answer = await client.post("/api/v1/readings", content=b"[]", headers=bearer(token))
        assert answer.status_code == 200
        wrong = await client.post("/api/v1/readings", content=b"[]", headers=bearer(token[:-1] + "x"))
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
        twice = [("authorization", f"Bearer {token}"), ("authorization", "Bearer x")]
        assert (await client.post("/api/v1/readings", content=b"[]", headers=twice)).status_code == 400
        change_tokens(peopled.people, {"do": "revoke", "name": "program"}, by(peopled))
        assert (await client.post("/api/v1/readings", content=b"[]", headers=bearer(token))).status_code == 401


async def test_until_a_password_is_set_this_machine_is_answered_and_nobody_else(home: House) -> None:
    home.keep(pzem())
    for address, status in (("127.0.0.1", 200), ("::1", 200), (LAN, 403)):
        async with home.client_from(address) as client:
            for path in ("/api/v1/meters", "/metrics", "/api/v1/readings/latest", "/api/v1/openapi.json"):
                answer = await client.get(path)
                assert answer.status_code == status, path
                assert status == 200 or "wattbook user add" in answer.json()["error"]
            assert (await client.get("/electricity_meter/api/v1.0/energy")).status_code == 200
            assert (await client.get("/api/v1/me")).json()["may_set_password"] == (status == 200)


async def test_the_first_password_is_set_from_this_machine_alone(home: House) -> None:
    order = {"do": "add", "name": "anna", "password": PASSWORD, "role": "admin"}
    async with home.client_from(LAN) as client:
        assert (await client.post("/api/v1/users", json=order, headers=CHANGE)).status_code == 403
        assert (await log_in(client)).status_code == 401
    async with home.client as client:
        assert (await client.post("/api/v1/users", json=order)).status_code == 403  # without the header
        token = {"do": "create", "name": "x", "scopes": ["users"]}
        assert (await client.post("/api/v1/tokens", json=token, headers=CHANGE)).status_code == 403  # no back door
        assert (await client.get("/api/v1/users")).status_code == 403
        assert (await client.post("/api/v1/users", json=order, headers=CHANGE)).status_code == 200
        assert (await client.get("/api/v1/meters")).status_code == 401  # from now on
        assert (await client.post("/api/v1/users", json=order | {"name": "eve"}, headers=CHANGE)).status_code == 401


async def test_two_at_once_do_not_both_set_the_first_password(home: House) -> None:
    async with home.client as client:
        orders = [
            {"do": "add", "name": name, "password": PASSWORD, "role": "admin"} for name in ("one", "two", "three")
        ]
        answers = await asyncio.gather(*(client.post("/api/v1/users", json=order, headers=CHANGE) for order in orders))
    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert len(home.people.people().users) == 1


async def test_a_session_is_the_servers_own_and_hidden(peopled: House) -> None:
    async with peopled.client_from(LAN) as client:
        client.cookies.set("wattbook", "chosen-by-an-attacker")
        first = await log_in(client)
        cookie = first.headers["set-cookie"]
        assert "chosen" not in cookie
        for attribute in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert attribute.casefold() in cookie.casefold()
        assert "secure" not in cookie.casefold() and "domain" not in cookie.casefold()  # plain http, this host alone
    old = first.cookies["wattbook"]
    async with peopled.client_from(LAN) as client:
        client.cookies.set("wattbook", old)
        second = (await log_in(client)).cookies["wattbook"]
        assert second != old
    for session, status in ((old, 401), (second, 200)):
        async with peopled.client_from(LAN) as client:
            answer = await client.get("/api/v1/meters", headers={"cookie": f"wattbook={session}"})
            assert answer.status_code == status


@pytest.mark.parametrize("foreign", ['seen={"news": 1}', "list[0]=a", "a@b=1", "path=/", "consent", 'half="open'])
async def test_another_services_odd_cookie_ends_no_session(peopled: House, foreign: str) -> None:
    async with peopled.client_from(LAN) as client:
        session = (await log_in(client)).cookies["wattbook"]
    for cookies in (f"{foreign}; wattbook={session}", f"wattbook={session}; {foreign}"):
        async with peopled.client_from(LAN) as client:
            answer = await client.get("/api/v1/meters", headers={"cookie": cookies})
            assert answer.status_code == 200


async def test_logging_out_ends_the_session_itself(peopled: House) -> None:
    async with peopled.client_from(LAN) as client:
        session = (await log_in(client)).cookies["wattbook"]
        assert (await client.post("/api/v1/logout")).status_code == 403  # a foreign form logs nobody out
        assert (await client.post("/api/v1/logout", headers=CHANGE)).status_code == 200
        answer = await client.get("/api/v1/meters", headers={"cookie": f"wattbook={session}"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example.org", **CHANGE},
        {"origin": "null", **CHANGE},
        {"sec-fetch-site": "cross-site", **CHANGE},
        {"sec-fetch-site": "same-site", **CHANGE},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", **CHANGE},
        {"content-type": "text/plain"},
    ],
)
async def test_a_foreign_page_changes_nothing_with_our_session(peopled: House, headers: dict[str, str]) -> None:
    async with peopled.client_from(LAN) as client:
        await log_in(client)
        for path in ("/api/v1/users", "/api/v1/tokens", "/api/v1/sinks/x", "/api/v1/me", "/api/v1/meters/main-a/life"):
            answer = await client.post(path, content=b'{"do":"remove","name":"vera"}', headers=headers)
            assert answer.status_code == 403, path
    assert peopled.people.people().user("vera")


async def test_a_link_from_elsewhere_may_be_followed(peopled: House) -> None:
    async with peopled.client_from(LAN) as client:
        await log_in(client)
        followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert (await client.get("/", headers=followed)).status_code == 200
        embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert (await client.get("/api/v1/meters", headers=embedded)).status_code == 403


async def test_who_is_not_logged_in_is_shown_the_way_in(peopled: House) -> None:
    async with peopled.client_from(LAN) as client:
        answer = await client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert (await client.get("/login")).status_code == 200
        assert (await client.get("/api/v1/nothing")).status_code == 401  # not even what is there


async def test_the_first_visit_is_asked_for_a_password(tmp_path: Path) -> None:
    with house(tmp_path, f'ask_password = true\nallow = ["{LAN}"]') as home:
        async with home.client as client:
            answer = await client.get("/")
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
            later = await client.get("/", headers={"cookie": "wattbook_later=1"})
            assert later.status_code == 200
            assert (await client.get("/api/v1/meters")).status_code == 200  # programs on this machine go on
        async with home.client_from(LAN) as client:
            assert (await client.get("/")).headers["location"] == "/login"  # which says where one is chosen


async def test_wrong_passwords_tell_nothing_and_cost_time(peopled: House) -> None:
    async with peopled.client_from(LAN) as client:
        told = {(await log_in(client, name, "wrong")).text for name in ("anna", "nobody")}
        assert told == {'{"error":"the name or the password is wrong"}'}
        for _ in range(5):
            answer = await log_in(client, "anna", "wrong")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert set(answer.json()) == {"error"}


async def test_one_changes_ones_own_password_with_the_old_one(peopled: House) -> None:
    new = {"do": "passwd", "password": "another four words"}
    async with peopled.client_from(LAN) as client:
        await log_in(client, "vera")
        wrong = await client.post("/api/v1/me", json=new | {"old": "no"}, headers=CHANGE)
        assert (wrong.status_code, wrong.json()["error"]) == (403, "the old password is wrong")
        assert (await client.post("/api/v1/me", json=new | {"old": PASSWORD}, headers=CHANGE)).status_code == 200
        assert (await client.get("/api/v1/meters")).status_code == 401
        assert (await log_in(client, "vera", "another four words")).status_code == 200


async def test_who_did_it_is_not_what_the_request_says(peopled: House) -> None:
    peopled.keep(pzem())
    order = {"do": "replace", "from": "2026-11-21T12:00:00Z", "why": "new", "who": "somebody else"}
    async with peopled.client_from(LAN) as client:
        await log_in(client, "otto")
        answer = await client.post("/api/v1/meters/main-a/life", json=order, headers=CHANGE)
        assert answer.status_code == 201, answer.text
    told = [event for event in peopled.context.reader.read("", 100).events if event.subject == "main-a"]
    assert [event.actor for event in told] == [f"otto {LAN}"]


async def test_a_stream_ends_with_its_session(peopled: House) -> None:
    app = make_app(peopled.context)
    async with peopled.client_from(LAN) as client:
        session = (await log_in(client, "vera")).cookies["wattbook"]
    received, ended = asyncio.Queue[Any](), asyncio.Event()

    async def receive() -> Any:
        await ended.wait()
        return {"type": "http.disconnect"}

    scope = httpx.Request("GET", "http://127.0.0.1:8600/api/v1/live")
    stream = asyncio.create_task(
        app(
            {
                "type": "http", "method": "GET", "path": scope.url.path, "raw_path": b"", "query_string": b"",
                "headers": [(b"host", b"127.0.0.1:8600"), (b"cookie", f"wattbook={session}".encode())],
                "client": (LAN, 5), "server": ("192.168.7.2", 8600), "scheme": "http", "http_version": "1.1",
            },
            _first(receive), received.put,
        )
    )  # fmt: skip
    assert (await received.get())["status"] == 200
    change_users(peopled.people, {"do": "remove", "name": "vera"}, by(peopled))
    peopled.keep(pzem())
    await asyncio.wait_for(stream, 10)
    assert b"main-a" not in b"".join(received.get_nowait().get("body", b"") for _ in range(received.qsize()))


def _first(then: Any) -> Any:
    """The whole, empty request; afterwards what comes then."""
    sent = False

    async def receive() -> Any:
        nonlocal sent
        if sent:
            return await then()
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


async def test_people_who_cannot_be_read_let_nobody_in(peopled: House) -> None:
    peopled.people.path.write_text("{")
    for path in ("/api/v1/meters", "/", "/metrics"):
        answer = await peopled.client.get(path)
        assert (answer.status_code, set(answer.json())) == (503, {"error"})


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {"x-forwarded-for": "192.168.7.30"}, 200),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, 403),  # not in allow
        ("127.0.0.1", {"x-forwarded-for": "192.168.7.30, 203.0.113.9"}, 403),  # the first is the client's own claim
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9, 192.168.7.30"}, 200),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9, 192.168.7.30, 192.168.7.1"}, 200),  # two proxies of ours
        ("127.0.0.1", {"x-forwarded-for": "nonsense"}, 403),
        ("127.0.0.1", {}, 403),  # a proxy that does not say for whom
        ("192.168.7.1", {}, 403),
        ("192.168.7.1", {"x-forwarded-for": "192.168.7.30"}, 200),
        ("192.168.7.30", {"x-forwarded-for": "127.0.0.1"}, 200),  # no proxy of ours: what it says is not heard
    ],
)
async def test_whom_a_proxy_stands_for(tmp_path: Path, peer: str, headers: dict[str, str], status: int) -> None:
    with house(tmp_path, BEHIND) as home:
        token = add_token(home, Scope.READ)
        async with home.client_from(peer) as client:
            answer = await client.get("/api/v1/meters", headers={**headers, **bearer(token)})
            assert answer.status_code == status, answer.text


async def test_who_comes_through_a_proxy_is_not_this_machine(tmp_path: Path) -> None:
    with house(tmp_path, BEHIND) as home:
        async with home.client as client:
            for forwarded in ("127.0.0.1", "192.168.7.30"):
                answer = await client.get("/api/v1/me", headers={"x-forwarded-for": forwarded})
                assert answer.json()["kind"] == "none" and not answer.json()["may_set_password"]
            spoofed = await client.get("/api/v1/me", headers={"authorization": "Wattbook-Local guess"})
            assert spoofed.status_code == 401


async def test_a_proxy_that_is_not_named_is_not_this_machine(home: House) -> None:
    for header in ("x-forwarded-for", "forwarded"):
        answer = await home.client.get("/api/v1/meters", headers={header: "192.168.7.30"})
        assert answer.status_code == 403
        assert '[api] proxies = ["127.0.0.1"]' in answer.json()["error"]


async def test_behind_tls_the_cookie_is_bound_to_it(tmp_path: Path) -> None:
    with house(tmp_path, BEHIND) as home:
        add_user(home)
        async with home.client as client:
            https = {"x-forwarded-for": LAN, "x-forwarded-proto": "https"}
            order = {"name": "anna", "password": PASSWORD}
            answer = await client.post("/api/v1/login", json=order, headers={**https, **CHANGE})
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-wattbook=")
            assert "secure" in cookie.casefold()
            assert answer.json()["encrypted"]
