"""schemathesis against the running daemon: every operation of its own OpenAPI, with right and wrong data.

Nothing is left out: what is dangerous has a folder, a webhook and ports of its own. New routes are found by themselves.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fuzz_data import BODIES, HEADERS, KINDS
from fuzz_house import PASSWORD, FuzzHouse, fuzz_house

TORTURE = bool(os.environ.get("WATTBOOK_TORTURE"))
SEED = int(os.environ.get("WATTBOOK_SEED", random.randrange(10**6) if os.environ.get("WATTBOOK_TORTURE") else 1))
DEEP = "AST constructor recursion depth mismatch"  # a fault of Python's own parser, met by the fuzzer, not by us
EXAMPLES, EXAMPLES_LONG = 15, 500  # of each operation, besides those that its shape demands
FUZZ_S_MAX = 300.0
WAIT_S = 30.0
HERE = Path(__file__).parent
ROUTERS = "192.168.1.20"  # stands in examples; where the fuzz runs a real one may be


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzHouse]:
    with fuzz_house(tmp_path_factory.mktemp("fuzz")) as house:
        yield house
    assert "Traceback" not in (said := house.log.read_text(encoding="utf-8")), said[-5000:]


def ask(
    house: FuzzHouse, method: str, path: str, body: bytes | None = None, kind: str = "application/json", **headers: str
) -> tuple[int, Any]:
    """(status, JSON). `token` is a header of its own; what is no JSON is None."""
    if token := headers.pop("token", ""):
        headers["authorization"] = f"Bearer {token}"
    if body is not None:
        headers["content-type"] = kind
    connection = http.client.HTTPConnection(urlsplit(house.url).netloc, timeout=WAIT_S)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        told = (answer.headers["content-type"] or "").startswith("application/json")
        return answer.status, json.loads(answer.read()) if told else None
    finally:
        connection.close()


def description(house: FuzzHouse) -> dict[str, Any]:
    status, described = ask(house, "GET", "/api/v1/openapi.json", token=house.admin)
    assert status == 200
    return dict(described)


def operations(house: FuzzHouse) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, address with its example names, what is said of it)."""
    for path, methods in description(house)["paths"].items():
        for method, told in methods.items():
            address = path
            for one in told.get("parameters", ()):
                if one["in"] == "path":
                    address = address.replace("{" + one["name"] + "}", one["schema"].get("examples", ["x"])[0])
            yield method.upper(), address.replace(" ", "%20"), told


def fuzz(house: FuzzHouse, folder: Path, *arguments: str, examples: int = EXAMPLES) -> str:
    """Run schemathesis against the house; return what it said."""
    done = _fuzzed(house, folder, SEED, examples, arguments)
    if done.returncode and DEEP in done.stdout and "= FAILURES =" not in done.stdout:
        done = _fuzzed(house, folder, SEED + 1, examples, arguments)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    return done.stdout


def _fuzzed(
    house: FuzzHouse, folder: Path, seed: int, examples: int, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    described = json.dumps(description(house)).replace(ROUTERS, "127.0.0.1")
    (folder / "openapi.json").write_text(described, encoding="utf-8")
    command = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml", "run",
        "openapi.json", "--url", house.url, "--seed", str(seed), "--no-color", "-n", str(examples), *arguments,
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=None if TORTURE else FUZZ_S_MAX, check=False
    )


def alive(house: FuzzHouse) -> None:
    """The daemon answers, and who asked was heard to the end."""
    assert ask(house, "GET", "/api/v1/about", token=house.admin)[0] == 200


def test_every_operation_keeps_to_its_description(house: FuzzHouse, tmp_path: Path) -> None:
    """No fault; status, type and body as described; wrong data refused, without a token too; 405 with Allow."""
    fuzz(house, tmp_path, "-H", f"Authorization: Bearer {house.admin}", "-H", "x-wattbook: 1")
    alive(house)


def test_what_needs_a_session_keeps_to_its_description(house: FuzzHouse, tmp_path: Path) -> None:
    cookie = log_in(house, "eve")
    only = ["--include-path", "/api/v1/me", "--include-path", "/api/v1/query", "--exclude-checks", "ignored_auth"]
    fuzz(house, tmp_path, "-H", f"Cookie: {cookie}", "-H", "x-wattbook: 1", *only)
    alive(house)


def log_in(house: FuzzHouse, name: str) -> str:
    """The cookie of a session."""
    order = json.dumps({"name": name, "password": PASSWORD}).encode()
    connection = http.client.HTTPConnection(urlsplit(house.url).netloc, timeout=WAIT_S)
    connection.request("POST", "/api/v1/login", order, {"content-type": "application/json", "x-wattbook": "1"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()
    return (answer.headers["set-cookie"] or "").partition(";")[0]


@pytest.mark.torture
@pytest.mark.skipif(not TORTURE, reason="make torture")
def test_long(house: FuzzHouse, tmp_path: Path) -> None:
    """Many more examples of the same."""
    said = fuzz(
        house, tmp_path, "-H", f"Authorization: Bearer {house.admin}", "-H", "x-wattbook: 1", examples=EXAMPLES_LONG
    )
    print(SEED, said[-1000:])
    alive(house)


def test_nobody_and_a_viewer_are_refused(house: FuzzHouse) -> None:
    """What is not public needs a token; what changes something needs more than to look."""
    for method, address, told in operations(house):
        public = not told["security"]
        status, body = ask(house, method, address, b"{}" if method == "POST" else None)
        assert (status in (401, 404)) is not public or address.startswith("/api/v1/live"), (
            method,
            address,
            status,
            body,
        )
        if public or method == "GET" or address in ("/api/v1/me", "/api/v1/logout"):
            continue
        status, body = ask(house, method, address, b"{}", token=house.viewer)
        assert status == 403 and set(body) == {"error"}, (method, address, status, body)


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_in_words(house: FuzzHouse, name: str) -> None:
    for method, address, told in operations(house):
        if "requestBody" not in told:
            continue
        status, body = ask(house, method, address, BODIES[name], token=house.admin, **{"x-wattbook": "1"})
        empty = address == "/api/v1/readings" and name == "an array"  # no reading is as good as any number of them
        assert 400 <= status < 500 or (empty and status == 200), (method, address, status, body)
        assert empty or isinstance(body["error"], str), (method, address, body)


@pytest.mark.parametrize("kind", KINDS)
def test_another_content_type_is_no_fault(house: FuzzHouse, kind: str) -> None:
    """Only what says that it is JSON, or says nothing, is read as JSON."""
    for method, address, told in operations(house):
        if "requestBody" in told:
            status, body = ask(house, method, address, b"<x/>", kind, token=house.admin, **{"x-wattbook": "1"})
            gone = status == 404 and any(one["in"] == "path" for one in told.get("parameters", ()))  # the fuzz orders
            assert (gone or status == KINDS[kind]) and isinstance(body["error"], str), (method, address, status, body)


@pytest.mark.parametrize("name", HEADERS)
def test_odd_headers_are_no_fault(house: FuzzHouse, name: str) -> None:
    """Refused or answered, and the connection does not stay open for ever."""
    place = urlsplit(house.url)
    with socket.create_connection((place.hostname, place.port), timeout=WAIT_S) as connection:
        answer = b""
        with suppress(OSError):  # the daemon may end it before it has heard all of that
            connection.sendall(HEADERS[name])
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
    status = int(answer.split(b" ", 2)[1]) if answer else 0
    assert status == 0 or 400 <= status < 500, answer
    alive(house)


def test_the_stream_begins_with_what_is_and_goes_on(house: FuzzHouse) -> None:
    """Whatever Last-Event-ID says: values that are there, then new ones, as events."""
    reading = {"meter": "heat-pump", "at": "2026-11-20T01:02:03.000Z", "values": {"voltage": 230.1}}
    for last in ("", "0", "-1", "9" * 300, "x", "1;2", "\x01"):
        connection = http.client.HTTPConnection(urlsplit(house.url).netloc, timeout=WAIT_S)
        headers = {"authorization": f"Bearer {house.admin}", "last-event-id": last}
        connection.request("GET", "/api/v1/live?meter=heat-pump", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/event-stream"), last
        assert answer.readline() == b"retry: 2000\n"
        ask(house, "POST", "/api/v1/readings?history=0", json.dumps([reading]).encode(), token=house.admin)
        connection.close()
    alive(house)
