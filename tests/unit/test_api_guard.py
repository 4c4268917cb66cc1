"""Who may ask: hosts, origins, networks and bounds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from access_house import add_token, bearer
from api_house import House, house
from wattbook.api import guard
from wattbook.config import ApiSettings
from wattbook.model import ConfigError
from wattbook.model.principal import Scope as May


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'allow = ["192.168.7.0/24", "fd00::/8"]\nhosts = ["meters.example.org"]') as home:
        yield home


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8600", 200),
        ("localhost", 200),
        ("LOCALHOST:8600", 200),
        ("[::1]:8600", 200),
        ("192.168.7.2:8600", 200),
        ("meters.example.org", 200),
        ("meters.example.org.:80", 200),
        (socket.gethostname(), 200),
        ("evil.example.org", 421),
        ("127.0.0.1.evil.example.org", 421),
        ("localhost.evil.example.org", 421),
    ],
)
async def test_only_known_names(home: House, host: str, status: int) -> None:
    answer = await home.client.get("/api/v1/meters", headers={"host": host})
    assert answer.status_code == status
    if status != 200:
        assert "[api] hosts" in answer.json()["error"]


@pytest.mark.parametrize(
    ("client", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("192.168.7.30", 200),
        ("::ffff:192.168.7.30", 200),
        ("fd12::1", 200),
        ("fe80::1%eth0", 403),
        ("192.168.8.30", 403),
        ("2001:db8::1", 403),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/meters", "/metrics"])
async def test_only_known_networks(home: House, client: str, status: int, path: str) -> None:
    token = add_token(home, May.READ, May.METRICS)  # whoever is not this machine must show who it is, too
    answer = await home.client_from(client).get(path, headers=bearer(token))
    assert answer.status_code == status
    if status != 200:
        assert "[api] allow" in answer.json()["error"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8600", 200),
        ("https://127.0.0.1:8600", 200),
        ("http://127.0.0.1:9999", 403),
        ("https://evil.example.org", 403),
        ("null", 403),
        ("127.0.0.1:8600", 403),
        ("file://127.0.0.1:8600", 403),
    ],
)
async def test_only_our_own_pages(home: House, origin: str, status: int) -> None:
    read = await home.client.get("/api/v1/meters", headers={"origin": origin})
    sent = await home.client.post("/api/v1/readings", headers={"origin": origin}, content=b"[]")
    assert read.status_code == status
    assert (sent.status_code == 403) == (status == 403)


async def test_a_forwarded_address_is_not_believed(home: House) -> None:
    answer = await home.client_from("203.0.113.9").get("/api/v1/meters", headers={"x-forwarded-for": "127.0.0.1"})
    assert answer.status_code == 403


async def test_too_many_headers(home: House) -> None:
    many = {f"x-{number}": "1" for number in range(guard.HEADERS_MAX + 1)}
    assert (await home.client.get("/api/v1/meters", headers=many)).status_code == 431


async def test_ordinary_addresses_take_small_bodies_only(home: House) -> None:
    answer = await home.client.post("/api/v1/meters", content=b" " * (guard.BODY_MAX + 1))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


async def test_answers_are_safe_in_a_browser(home: House) -> None:
    for path, cached in (("/api/v1/meters", "no-store"), ("/api/v1/nothing", "no-store"), ("/", "no-")):
        headers = (await home.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"].startswith(cached)
        assert "access-control-allow-origin" not in headers


async def _nobody(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("never asked")


def test_a_wrong_network_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"\[api\] allow: \"192.168.0.0/33\" is no network"):
        guard.Guard(_nobody, ApiSettings(allow=("192.168.0.0/33",)))
