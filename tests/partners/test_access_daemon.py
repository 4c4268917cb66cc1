"""The daemon with people: https by openssl's certificate, cookie jars, commands that still work, guesses refused."""

from __future__ import annotations

import http.cookiejar
import json
import os
import pty
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from running import WAIT_S_MAX, daemon, until, wattbook

PASSWORD = "four words are enough"
HOUSE = """
[site]
name = "Test house"
commit_every = "100ms"

[api]
listen = "127.0.0.1:0"
certificate = "house.pem"
key = "house.key"

[[meter]]
name = "pushed"
model = "push"
"""


class Browser:
    """A client with a cookie jar that trusts the house's certificate and checks its name."""

    def __init__(self, url: str, certificate: Path) -> None:
        self.url, self.jar = url, http.cookiejar.CookieJar()
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(certificate)))
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), tls, urllib.request.HTTPCookieProcessor(self.jar)
        )

    def ask(self, path: str, order: object = None, **headers: str) -> tuple[int, Any]:
        """(status, JSON) of a GET, or of a POST with an order."""
        body = None if order is None else json.dumps(order).encode()
        request = urllib.request.Request(self.url + path, body, {"x-wattbook": "1", **headers})
        try:
            with self._opener.open(request, timeout=WAIT_S_MAX) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def log_in(self, name: str, password: str = PASSWORD) -> int:
        return self.ask("api/v1/login", {"name": name, "password": password})[0]


def make_certificate(folder: Path) -> None:
    """A certificate of its own for 127.0.0.1."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", folder / "house.key", "-out", folder / "house.pem", "-days", "2", "-subj", "/CN=house",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, timeout=WAIT_S_MAX,
    )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Path:
    make_certificate(tmp_path)
    config = tmp_path / "wattbook.toml"
    config.write_text(HOUSE, encoding="utf-8")
    return config


@pytest.fixture
def peopled(house: Path) -> Path:
    for name, role in (("anna", "admin"), ("otto", "operator"), ("vera", "viewer")):
        done = wattbook("user", "add", name, "--role", role, "--stdin", "-c", house, given=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
    return house


@pytest.fixture
def running(peopled: Path) -> Iterator[tuple[Path, str]]:
    with daemon(peopled, peopled.with_suffix(".log")) as (url, _):
        assert url.startswith("https://127.0.0.1:")
        yield peopled, url


def test_log_in_over_https_and_out(running: tuple[Path, str]) -> None:
    config, url = running
    browser = Browser(url, config.with_name("house.pem"))
    assert browser.ask("api/v1/meters")[0] == 401
    assert browser.log_in("anna", "wrong") == 401
    assert browser.log_in("anna") == 200
    (cookie,) = browser.jar
    assert (cookie.name, cookie.secure, cookie.path) == ("__Host-wattbook", True, "/")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert browser.ask("api/v1/meters")[0] == 200
    assert browser.ask("api/v1/me")[1]["encrypted"]
    assert browser.ask("api/v1/logout", {})[0] == 200
    assert browser.ask("api/v1/meters")[0] == 401


def test_plain_http_and_old_tls_are_not_spoken(running: tuple[Path, str]) -> None:
    config, url = running
    with pytest.raises((urllib.error.URLError, OSError)):
        urllib.request.urlopen(url.replace("https:", "http:"), timeout=WAIT_S_MAX)
    with pytest.raises(urllib.error.URLError, match="certificate"):
        urllib.request.urlopen(url, timeout=WAIT_S_MAX)  # not trusted by everybody
    old = subprocess.run(
        ["openssl", "s_client", "-tls1_1", "-connect", url.removeprefix("https://").rstrip("/")],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S_MAX, check=False,
    )  # fmt: skip
    assert old.returncode != 0
    assert config.exists()


def test_roles_over_the_wire(running: tuple[Path, str]) -> None:
    config, url = running
    reading = [{"meter": "pushed", "at": "2026-11-21T12:00:00Z", "values": {"active_power": 1.0}}]
    order = {"do": "create", "name": "x", "scopes": ["read"]}
    for name, statuses in (("vera", (200, 403, 403)), ("otto", (200, 200, 403)), ("anna", (200, 200, 200))):
        browser = Browser(url, config.with_name("house.pem"))
        assert browser.log_in(name) == 200
        found = (
            browser.ask("api/v1/readings/latest")[0],
            browser.ask("api/v1/readings", reading, **{"content-type": "application/json"})[0],
            browser.ask("api/v1/tokens", order)[0],
        )
        assert found == statuses, name


def test_wrong_passwords_are_throttled(running: tuple[Path, str]) -> None:
    config, url = running
    browser = Browser(url, config.with_name("house.pem"))
    begun = time.monotonic()
    statuses = [browser.log_in("anna", f"guess {number}") for number in range(12)]
    assert statuses[:5] == [401] * 5
    assert time.monotonic() - begun > 60 or statuses.count(429) >= 5
    status, answer = browser.ask("api/v1/login", {"name": "anna", "password": PASSWORD})
    assert (status, set(answer)) == (429, {"error"}) or status == 200  # a very slow machine has waited already


def test_commands_go_through_the_daemon_as_before(running: tuple[Path, str]) -> None:
    config, url = running
    secret = config.with_name("wattbook.db.secret")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.with_name("wattbook.db.people").stat().st_mode) == 0o600
    table = config.with_name("past.csv")
    table.write_text("meter,at,active_energy_import\npushed,2026-11-20T12:00:00Z,1000\n")
    for arguments in (
        ("import", table),
        ("user", "passwd", "vera", "--stdin"),
        ("user", "role", "vera", "operator"),
        ("meter", "replace", "pushed", "--why", "new"),
        ("user", "remove", "vera"),
        ("user", "list"),
        ("sink", "status"),
    ):
        done = wattbook(*arguments, "-c", config, given="another four words\n")
        assert done.returncode == 0, (arguments, done.stderr)
    token = wattbook("token", "create", "grafana", "--scope", "metrics", "-c", config).stdout.strip()
    browser = Browser(url, config.with_name("house.pem"))
    bearer = {"authorization": f"Bearer {token}"}
    assert browser.ask("api/v1/meters", **bearer)[0] == 403
    assert wattbook("token", "revoke", "grafana", "-c", config).returncode == 0
    assert browser.ask("api/v1/meters", **bearer)[0] == 401
    secret.write_text("somebody who may not read it")
    refused = wattbook("token", "create", "x", "-c", config)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1


def test_what_is_left_when_the_daemon_is_gone(peopled: Path) -> None:
    with daemon(peopled, peopled.with_suffix(".log")):
        pass
    assert not peopled.with_name("wattbook.db.secret").exists()
    listed = wattbook("user", "list", "--json", "-c", peopled).stdout.splitlines()
    assert [json.loads(line)["role"] for line in listed] == ["admin", "operator", "viewer"]


def test_a_renewed_certificate_is_shown_without_a_new_start(peopled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = peopled.with_suffix(".log")
    quick = peopled.with_name("quick.py")
    quick.write_text(
        "import sys\nfrom wattbook.api import serve\nserve.RENEWAL_S = 0.1\n"
        "from wattbook.cli.main import main\nmain(sys.argv[1:])\n"
    )
    with log.open("ab") as words:
        process = subprocess.Popen(
            [sys.executable, quick, "run", "-c", peopled], stdout=words, stderr=words, stdin=subprocess.DEVNULL
        )
    try:
        address = peopled.with_name("wattbook.db.address")
        until(lambda: address.exists() and address.read_text() != "")
        place = address.read_text().removeprefix("https://").strip("/").split(":")

        def shown() -> str:
            return ssl.get_server_certificate((place[0], int(place[1])), timeout=WAIT_S_MAX)

        before = shown()
        make_certificate(peopled.parent)
        until(lambda: shown() != before)
        assert shown().split() == peopled.with_name("house.pem").read_text().split()
    finally:
        process.terminate()
        process.wait(WAIT_S_MAX)


def test_the_password_is_asked_for_twice_and_not_shown(house: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wattbook", "user", "add", "anna", "-c", house],
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    seen = b""

    def asked(times: int) -> bool:
        nonlocal seen
        seen += os.read(leader, 4096)
        return seen.count(b": ") >= times

    for times in (1, 2):
        until(lambda times=times: asked(times))  # type: ignore[misc]
        os.write(leader, f"{PASSWORD}\n".encode())
    assert process.wait(WAIT_S_MAX) == 0
    os.close(leader)
    assert PASSWORD.encode() not in seen
    assert wattbook("user", "list", "-c", house).stdout.count("admin") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("user", "add", "anna"), "--stdin"),
        (("user", "add", "anna", "--stdin"), "a password has"),
        (("user", "passwd", "anna", "--stdin"), "no user is called"),
        (("token", "revoke", "x"), "no token is called"),
    ],
)
def test_what_commands_refuse(house: Path, arguments: tuple[str, ...], words: str) -> None:
    done = wattbook(*arguments, "-c", house, given="short\n")
    assert done.returncode == 2
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_certificate_that_is_none_is_told(house: Path) -> None:
    house.with_name("house.key").write_text("no key")
    done = wattbook("run", "-c", house)
    assert done.returncode == 2
    assert "cannot be used for https" in done.stderr and "house.key" in done.stderr
    house.with_name("house.key").unlink()
    assert "house.key: no such file" in wattbook("check", "-c", house).stdout + wattbook("check", "-c", house).stderr
