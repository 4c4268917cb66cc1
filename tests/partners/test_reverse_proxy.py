"""nginx as the manual has it, before a daemon: who comes through it is who it says, and nobody is this machine."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ports import free_port
from running import daemon, until, wattbook
from test_access_daemon import PASSWORD, Browser, make_certificate

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
MANUAL = Path(__file__).parents[2] / "docs/how-to/reverse-proxy.md"
HOUSE = """
[api]
listen = "127.0.0.1:0"
proxies = ["127.0.0.1"]


[[meter]]
name = "pushed"
model = "push"
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def configuration(folder: Path, port: int, url: str) -> Path:
    """The manual's server, with this test's names and ports, in files of its own."""
    found = re.search(r"^```nginx\n(.*?)^```", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    server = (
        found[1]
        .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        .replace("/etc/ssl/meters.pem", str(folder / "house.pem"))
        .replace("/etc/ssl/meters.key", str(folder / "house.key"))
        .replace("http://127.0.0.1:8600", url.rstrip("/"))
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}\n}}\n"
    )
    return file


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[Path, Browser]]:
    make_certificate(tmp_path)
    config = tmp_path / "wattbook.toml"
    config.write_text(HOUSE, encoding="utf-8")
    with daemon(config, tmp_path / "log") as (url, _):
        port = free_port()
        file = configuration(tmp_path, port, url)
        process = subprocess.Popen([str(NGINX), "-c", file, "-p", tmp_path], stdin=subprocess.DEVNULL)
        try:
            until(lambda: answers(port))
            yield config, Browser(f"https://127.0.0.1:{port}/", tmp_path / "house.pem")
        finally:
            process.terminate()
            process.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_through_nginx(proxied: tuple[Path, Browser]) -> None:
    config, browser = proxied
    # Though nginx and its client are on this machine, nobody behind it is: the first password is not for the world.
    status, me = browser.ask("api/v1/me")
    assert (status, me["kind"], me["may_set_password"], me["encrypted"]) == (200, "none", False, True)
    assert browser.ask("api/v1/meters")[0] == 403
    order = {"do": "add", "name": "eve", "password": PASSWORD, "role": "admin"}
    assert browser.ask("api/v1/users", order)[0] == 403
    assert browser.ask("api/v1/users", order, **{"x-forwarded-for": "127.0.0.1"})[0] == 403
    assert wattbook("user", "add", "anna", "--stdin", "-c", config, given=f"{PASSWORD}\n").returncode == 0
    assert browser.log_in("anna") == 200
    (cookie,) = browser.jar
    assert (cookie.name, cookie.secure) == ("__Host-wattbook", True)
    assert browser.ask("api/v1/meters")[0] == 200
    assert browser.ask("api/v1/users", {"do": "role", "name": "anna", "role": "admin"})[0] == 200
    assert browser.ask("api/v1/logout", {}, origin="https://evil.example.org")[0] == 403


def test_who_goes_round_the_proxy_is_not_answered(proxied: tuple[Path, Browser]) -> None:
    config, browser = proxied
    url = config.with_name("wattbook.db.address").read_text()
    straight = Browser(url, config.with_name("house.pem"))
    status, answer = straight.ask("api/v1/meters")
    assert status == 403 and "X-Forwarded-For" in answer["error"]
    assert wattbook("user", "add", "anna", "--stdin", "-c", config, given=f"{PASSWORD}\n").returncode == 0
    assert browser.log_in("anna") == 200
