"""The wizard's routes: what may be asked and written from a browser, and the words for what may not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api_house import House, house

PUSHED = {"model": "push", "name": "press"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        yield home


async def post(home: House, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with home.client as client:
        answer = await client.post(f"/api/v1/wizard/{path}", json=body)
        return answer.status_code, answer.json()


async def test_what_there_is_to_choose_from(home: House) -> None:
    async with home.client as client:
        told = (await client.get("/api/v1/wizard")).json()
        assert (await client.get("/api/v1/wizard/scan")).json() is None
    assert {"name": "rs485", "port": "/dev/null"} in told["lines"]
    assert {"push", "pzem-016"} <= {model["name"] for model in told["models"]}
    assert told["scan"] is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"do": "start", "port": "/etc/passwd"}, "this machine has no serial port /etc/passwd"),
        ({"do": "start", "port": ""}, '"port" is a serial port or an address'),
        ({"do": "start", "port": "mqtt://host"}, "no Modbus meter is asked over mqtt://"),
        ({"do": "start", "port": "htp://host"}, 'no line begins with "htp://"'),
        ({"do": "start", "port": "tcp://"}, "needs a host"),
        ({"do": "start", "port": {"file": "/etc/passwd"}}, "port: "),
        ({"do": "dance"}, "do: "),
        ({"do": "start", "port": "tcp://host", "write": "/etc/passwd"}, 'unknown key "write"'),
    ],
)
async def test_a_scan_that_is_refused_says_why(home: House, body: dict[str, Any], words: str) -> None:
    status, answer = await post(home, "scan", body)
    assert (status, words in answer["error"]) == (400, True), answer


async def test_to_stop_where_nothing_is_scanned_is_no_mistake(home: House) -> None:
    assert await post(home, "scan", {"do": "stop"}) == (200, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"model": "pzem-16", "port": "tcp://host"}, 'did you mean "pzem-016"'),
        ({"model": "pzem-016", "port": "/dev/full"}, "this machine has no serial port /dev/full"),
        ({"model": "pzem-016"}, '"port" is'),
        ({"port": "tcp://host"}, '"model" is missing'),
    ],
)
async def test_a_test_that_cannot_be_says_why(home: House, body: dict[str, Any], words: str) -> None:
    status, answer = await post(home, "test", body)
    assert (status, words in answer["error"]) == (400, True), answer


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": "main-a"}, "name", 'two meters are called "main-a"'),
        ({"name": "a/b"}, "name", "a name is up to 100 characters"),
        ({"every": "often"}, "every", "a duration is a text like"),
        ({"source": "wind"}, "source", "one of: "),
        ({"model": "psuh"}, "model", 'did you mean "push"'),
        ({"line": "rs48"}, "line", 'did you mean "rs485"'),
        ({"location": "x" * 201}, "location", "200"),
        ({"model": "pzem-016", "line": "rs485", "address": "x"}, "address", "a Modbus address is a number"),
    ],
)
async def test_a_mistake_stands_beside_its_field_in_the_words_of_the_file(
    home: House, change: dict[str, Any], field: str, words: str
) -> None:
    before = home.context.config.path.read_text()
    status, answer = await post(home, "meter", PUSHED | change)
    assert status == 400
    assert words in answer["fields"][field]
    assert answer["fields"][field].split("; ")[0] in answer["error"]
    assert home.context.config.path.read_text() == before


async def test_a_meter_is_written_and_comments_stay(home: House) -> None:
    path = home.context.config.path
    path.write_text(f"# mine\n{path.read_text()}# the end")
    name = 'press "2" { file = "x" }'  # text stays text
    status, answer = await post(home, "meter", PUSHED | {"name": name, "location": "plant"})
    assert (status, answer["file"], answer["restart"]) == (201, "wattbook.toml", True)
    text = path.read_text()
    assert text.startswith("# mine\n") and "# the end\n" in text and text.endswith(answer["written"])
    assert tomllib.loads(text)["meter"][-1] == {"name": name, "model": "push", "location": "plant"}


@pytest.mark.parametrize("extra", [{"password": {"file": "/etc/passwd"}}, {"name": {"env": "HOME"}}, {"profiles": "/"}])
async def test_no_reference_and_no_path_is_written(home: House, extra: dict[str, Any]) -> None:
    before = home.context.config.path.read_text()
    status, _ = await post(home, "meter", PUSHED | extra)
    assert status == 400
    assert home.context.config.path.read_text() == before
