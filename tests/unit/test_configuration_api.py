"""wattbook.toml from a browser: what it says, forms for it, changes, and what may not be written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api_house import House, house

PATH = "/api/v1/configuration"
ALERT = {"name": "over 5 kW", "kind": "above", "quantity": "active_power", "limit": 5000}
MORE = """
[[notify]]
name = "anna"  # the boss
url = "json://user:hush-hush@127.0.0.1:9/"
alerts = []

[[sink]]
name = "post"
kind = "http"
url = "http://127.0.0.1:9/"
token = { file = "token.txt" }
headers = { X-Key = "of-the-house", X-Other = { env = "PATH" } }
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "token.txt").write_text("a-token-nobody-sees\n")
    (tmp_path / "outside").symlink_to("/etc")
    with house(tmp_path, more=MORE) as home:
        yield home


async def get(home: House, path: str = "") -> Any:
    async with home.client as client:
        answer = await client.get(PATH + path)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def post(home: House, body: object, path: str = "") -> tuple[int, Any]:
    async with home.client as client:
        answer = await client.post(PATH + path, content=json.dumps(body), headers={"x-wattbook": "1"})
        return answer.status_code, answer.json()


async def add(home: House, table: str, **keys: object) -> tuple[int, Any]:
    return await post(home, {"do": "add", "table": table, "keys": keys})


async def change(home: House, table: str, of: str = "", /, **keys: object) -> tuple[int, Any]:
    return await post(home, {"do": "change", "table": table, "name": of, "keys": keys})


def text(home: House) -> str:
    found: str = home.context.config.path.read_text()
    return found


async def test_what_the_file_says_is_told_without_secrets(home: House) -> None:
    told = await get(home)
    assert (told["file"], told["state"], told["problems"]) == ("wattbook.toml", "in force", [])
    assert told["since"] == "2026-11-21T12:00:00.000Z"
    tables = told["tables"]
    assert tables["site"] == {"name": "House", "timezone": "Europe/Prague"}
    assert tables["backup"] is None and tables["supply"] == {} and len(tables["meter"]) == 6
    assert tables["notify"] == [{"name": "anna", "url": {"secret": True}, "alerts": []}]
    assert tables["sink"][0]["token"] == {"secret": True, "from": "file"}
    assert tables["sink"][0]["headers"] == {"X-Key": {"secret": True}, "X-Other": {"secret": True, "from": "env"}}
    whole = json.dumps(told)
    assert not any(word in whole for word in ("hush-hush", "token.txt", "nobody-sees", "of-the-house", "PATH"))


async def test_the_forms_ask_what_the_settings_say(home: House) -> None:
    forms = await get(home, "/forms")
    lasting = next(key for key in forms["alert"]["kinds"]["imbalance"] if key["key"] == "lasting")
    assert lasting == {
        "key": "lasting", "type": "duration", "default": "10min", "required": False, "min": 0, "max": 2678400,
        "help": "it is so for this long before it is said; silent: so long without a word",
    }  # fmt: skip
    assert [key["key"] for key in forms["site"]["keys"]] == ["name", "timezone", "language", "commit_every", "on_reset"]
    assert set(forms["sink"]["kinds"]) | set(forms["sink"]["missing"]) == set(forms["sink"]["keys"][1]["choices"])
    every = [key for table in forms.values() for key in table["keys"]]
    every += [key for table in forms.values() for keys in table.get("kinds", {}).values() for key in keys]
    types = {
        "text",
        "number",
        "whole",
        "duration",
        "day time",
        "flag",
        "choice",
        "list",
        "secret",
        "zone",
        "path",
        "map",
    }
    assert all(key["help"] and key["type"] in types for key in every)


async def test_a_rule_is_added_changed_and_removed(home: House) -> None:
    before = text(home)
    status, answer = await add(home, "alert", **ALERT)
    assert (status, answer["applied"]) == (200, False), answer
    assert answer["written"].splitlines()[0] == "[[alert]]" and text(home).startswith(before)
    assert (await get(home))["state"] == "changed"
    assert (await change(home, "alert", "over 5 kW", limit=6000, lasting="10min", name="over 6 kW"))[0] == 200
    rule = tomllib.loads(text(home))["alert"][0]
    assert rule == {**ALERT, "limit": 6000, "lasting": "10min", "name": "over 6 kW"}
    assert (await change(home, "alert", "over 6 kW", lasting=None))[0] == 200
    assert "lasting" not in tomllib.loads(text(home))["alert"][0]
    assert (await post(home, {"do": "remove", "table": "alert", "name": "over 6 kW"}))[0] == 200
    assert text(home).rstrip() == before.rstrip()
    events = [event for event in home.context.reader.read("", 100).events if event.kind == "configuration.changed"]
    assert [(event.subject, event.body["do"]) for event in events] == [
        ("over 5 kW", "add"), ("over 5 kW", "change"), ("over 6 kW", "change"), ("over 6 kW", "remove"),
    ]  # fmt: skip
    assert events[2].body["keys"] == {"lasting": None} and events[0].actor == "api 127.0.0.1"


@pytest.mark.parametrize("do", ["add", "change"])
async def test_backups_are_set_up_where_there_were_none(home: House, do: str) -> None:
    status, answer = await post(home, {"do": do, "table": "backup", "keys": {"dir": "../elsewhere"}})
    assert status == 400 and "place above" in answer["fields"]["dir"]
    status, answer = await post(home, {"do": do, "table": "backup", "keys": {}})
    assert status == 400 and "dir" in answer["fields"] and "[backup]" not in text(home)
    status, answer = await post(home, {"do": do, "table": "backup", "keys": {"dir": "copies", "keep": 3}})
    assert status == 200 and answer["written"] == '[backup]\ndir = "copies"\nkeep = 3'
    assert (await get(home))["tables"]["backup"] == {"dir": "copies", "keep": 3}
    status, answer = await post(home, {"do": "change", "table": "backup", "keys": {"keep": None, "at": "03:00"}})
    assert status == 200 and tomllib.loads(text(home))["backup"] == {"dir": "copies", "at": "03:00"}
    assert (await post(home, {"do": "remove", "table": "backup"}))[0] == 200
    assert (await get(home))["tables"]["backup"] is None


async def test_secrets_stay_unless_they_are_given(home: House) -> None:
    told = (await get(home))["tables"]
    status, answer = await post(
        home, {"do": "change", "table": "sink", "name": "post", "keys": {**told["sink"][0], "many": True}}
    )
    assert status == 200, answer
    sink = tomllib.loads(text(home))["sink"][0]
    assert sink["token"] == {"file": "token.txt"} and sink["many"] is True
    assert sink["headers"] == {"X-Key": "of-the-house", "X-Other": {"env": "PATH"}}
    assert "***" in answer["written"] and "of-the-house" not in answer["written"]
    assert (await change(home, "notify", "anna", severity="critical"))[0] == 200
    assert "hush-hush" in text(home) and "# the boss" in text(home)


async def test_a_kept_secret_is_sent_to_no_new_place(home: House) -> None:
    status, answer = await change(home, "sink", "post", url="http://evil.example/")
    assert status == 400 and set(answer["fields"]) == {"token", "headers"}, answer
    status, answer = await change(home, "sink", "post", url="http://ok.example/", token="new", headers=None)
    assert status == 200, answer


@pytest.mark.parametrize(
    ("table", "keys", "field", "words"),
    [
        ("alert", {**ALERT, "limit": "much"}, "limit", "number"),
        ("alert", {**ALERT, "lasting": 600}, "lasting", "a duration is a text"),
        ("alert", {**ALERT, "kind": "abov"}, "kind", 'did you mean "above"'),
        ("alert", {**ALERT, "quantity": "power"}, "quantity", "no quantity is called"),
        ("alert", {**ALERT, "limt": 1}, "limt", 'unknown key "limt" (did you mean "limit"?)'),
        ("alert", {**ALERT, "meters": ["nobody"]}, "meters", 'no meter is called "nobody"'),
        ("alert", {**ALERT, "name": "a/b"}, "name", "a name is up to 100 characters"),
        ("notify", {"name": "x", "url": {"file": "/etc/passwd"}}, "url", "a secret is given as a text"),
        ("notify", {"name": "x", "url": {"env": "HOME"}}, "url", "a secret is given as a text"),
        ("notify", {"name": "x", "url": "fcm://p/d?KeyFile=/etc/shadow"}, "url", "names a file"),
        ("notify", {"name": "x", "url": "slack://a/b/c?%74emplate=/etc/passwd"}, "url", "names a file"),
        ("notify", {"name": "x", "url": "syslog://"}, "url", "this machine itself"),
        ("notify", {"name": "x", "url": "nonsense"}, "url", "it is no address"),
        ("sink", {"name": "s", "kind": "csv", "file": "/etc/cron.d/{meter}"}, "file", "lies in"),
        ("sink", {"name": "s", "kind": "csv", "file": "../x/{meter}.csv"}, "file", "no place above"),
        ("sink", {"name": "s", "kind": "csv", "file": "a/../../x.csv"}, "file", "no place above"),
        ("sink", {"name": "s", "kind": "csv", "file": "outside/x.csv"}, "file", "lies in"),
        ("sink", {"name": "s", "kind": "csv", "file": "{meter}"}, "file", "something of its own"),
        ("sink", {"name": "s", "kind": "csv", "file": "wattbook.toml"}, "file", "something of its own"),
        ("sink", {"name": "s", "kind": "csv", "file": ["a"]}, "file", "a path is a text"),
        ("sink", {"name": "s", "kind": "sql", "file": "wattbook.db"}, "file", "something of its own"),
        ("sink", {"name": "s", "kind": "sql", "file": "wattbook.db.people"}, "file", "something of its own"),
        ("sink", {"name": "s", "kind": "sql", "url": "mysql://u@h/d?read_default_file=/etc/my.cnf"}, "url", "options"),
        ("sink", {"name": "s", "kind": "mongodb", "url": "mongodb://h/?tlsCAFile=/etc/passwd"}, "url", "names a file"),
        ("sink", {"name": "s", "kind": "http", "url": "http://h/", "ca": "/etc/ssl/cert.pem"}, "ca", "lies in"),
        ("sink", {"name": "s", "kind": "http", "url": "http://h/", "token": {"file": "x"}}, "token", "as a text"),
        ("sink", {"name": "s", "kind": "http", "url": "http://h/", "headers": {"A": {"env": "X"}}}, "headers", "text"),
        ("sink", {"name": "s", "kind": "htp"}, "kind", 'did you mean "http"'),
        ("backup", {"dir": "/mnt/disk"}, "dir", "lies in"),
        ("backup", {"dir": "."}, "dir", "lies in"),
        ("line", {"name": "l", "port": "/etc/passwd"}, "port", "no serial port /etc/passwd"),
        ("line", {"name": "l", "ports": ["/etc/passwd"]}, "ports", "no serial port"),
        ("line", {"name": "l", "port": "mqtt://h", "password": {"file": "/x"}}, "password", "as a text"),
        ("meter", {"name": "workshop", "model": "push"}, "name", 'two meters are called "workshop"'),
        ("meter", {"name": "m", "model": "pzem-016", "line": "rs485", "address": 4}, "", "the address 4"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_beside_its_key(
    home: House, table: str, keys: dict[str, Any], field: str, words: str
) -> None:
    before = text(home)
    status, answer = await add(home, table, **keys)
    assert status == 400 and words in answer["fields"].get(field, ""), answer
    assert text(home) == before


async def test_odd_ends_of_lines_in_texts_move_no_mistake(home: House) -> None:
    prices = '[[tariff]]\ncurrency = "CZK"\n[[tariff.energy]]\nname = "all"\nprice = "free"\n'
    odd = "# pasted from a page\u2028and a form\x85of lines\n"
    home.context.config.path.write_text(odd + text(home))
    status, answer = await add(home, "alert", **{**ALERT, "kind": "over"})
    assert (status, [*answer["fields"]]) == (400, ["kind"]), answer
    home.context.config.path.write_text(broken := text(home) + prices)
    assert [each["line"] for each in (await get(home))["problems"]] == [broken.count("\n")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"do": "change", "table": "site", "keys": {"book": "/etc/x.db"}}, "cannot be set from a browser"),
        ({"do": "change", "table": "site", "keys": {"profiles": "/etc"}}, "cannot be set from a browser"),
        ({"do": "change", "table": "api", "keys": {"listen": "0.0.0.0:80"}}, '"api" cannot be set from a browser'),
        ({"do": "change", "table": "log", "keys": {"level": "debug"}}, '"log" cannot be set from a browser'),
        ({"do": "add", "table": "proxy", "keys": {"line": "rs485"}}, '"proxy" cannot be set from a browser'),
        ({"do": "add", "table": "alert]]\n[api]\nx", "keys": {}}, "cannot be set from a browser"),
        ({"do": "add", "table": "alert", "keys": {'a = 1\n[api]\nlisten = "0.0.0.0:1"': 1}}, "a key is made of"),
        ({"do": "change", "table": "alert", "name": "x", "keys": {}}, 'no alert is called "x"'),
        ({"do": "remove", "table": "backup"}, "there is no [backup]"),
        ({"do": "drop", "table": "alert"}, "do: "),
        ({"do": "add", "table": "alert", "keys": [], "x": 1}, "keys: "),
        ({"do": "add", "table": "alert", "keys": {"name": "\ud800"}}, "no JSON"),
        ({"do": "add", "table": "alert", "keys": {"limit": 2**70}}, "a number"),
        ({"do": "add", "table": "alert", "keys": {"meters": ["x"] * 3000}}, "at most 2000"),
        ({"do": "add", "table": "alert", "keys": {"name": "x" * 5000}}, "at most 4000 characters"),
        ({"do": "add", "table": "alert", "keys": {"meters": [[[[[[[[1]]]]]]]]}}, "at most 6 deep"),
        ({"do": "change", "table": "sink", "name": "post", "keys": {"kind": "csv"}}, "stays of its kind"),
        ({"do": "remove", "table": "meter", "name": "barn"}, 'no meter is called "barn"'),
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused(home: House, body: dict[str, Any], words: str) -> None:
    before = text(home)
    status, answer = await post(home, body)
    assert status == 400 and words in answer["error"], answer
    assert text(home) == before


@pytest.mark.parametrize("key", ["book", "profiles"])
async def test_where_the_book_is_cannot_be_taken_away_with_its_table(home: House, key: str) -> None:
    (home.context.config.path.parent / "own").mkdir()
    said = {"book": "own/wattbook.db", "profiles": "own"}[key]
    before = text(home).replace("[site]", f'[site]\n{key} = "{said}"')
    home.context.config.path.write_text(before)
    status, answer = await post(home, {"do": "remove", "table": "site"})
    assert status == 400 and f'"{key}", which cannot be set from a browser' in answer["error"], answer
    assert text(home) == before


@pytest.mark.parametrize("limit", ["NaN", "Infinity", "1e999"])
async def test_what_is_no_number_in_json_is_none_here(home: House, limit: str) -> None:
    body = json.dumps({"do": "add", "table": "alert", "keys": ALERT}).replace("5000", limit)
    async with home.client as client:
        answer = await client.post(PATH, content=body, headers={"x-wattbook": "1"})
    assert answer.status_code == 400, answer.text


async def test_texts_are_texts_whatever_stands_in_them(home: House) -> None:
    evil = 'x"\n[api]\nlisten = "0.0.0.0:1"\n# \\" \\u0041 \'\'\' """'
    status, answer = await change(home, "meter", "workshop", location=evil)
    assert status == 200, answer
    whole = tomllib.loads(text(home))
    assert next(each for each in whole["meter"] if each["name"] == "workshop")["location"] == evil
    assert "listen" not in whole["api"]
    key = 'a" = 1\n[log]\nlevel = "debug'
    assert (await change(home, "sink", "post", body={key: [1.5, {"b.c": True}]}))[0] == 200
    whole = tomllib.loads(text(home))
    assert whole["sink"][0]["body"] == {key: [1.5, {"b.c": True}]} and "log" not in whole


async def test_a_file_broken_by_hand_is_told_and_not_changed(home: House) -> None:
    file = home.context.config.path
    file.write_text(text(home) + "\n[[alert]\n")
    told = await get(home)
    assert told["state"] == "broken" and told["tables"]["site"]["name"] == "House"
    (problem,) = told["problems"]
    assert problem["line"] == len(text(home).splitlines()) and "not TOML" in problem["message"]
    status, answer = await add(home, "alert", **ALERT)
    assert status == 409 and answer["problems"] == told["problems"]
    assert (await post(home, {}, "/apply"))[0] == 409
    async with home.client as client:
        about = (await client.get("/api/v1/about")).json()
    assert (
        about["configuration"]["state"] == "broken"
        and f"wattbook.toml:{problem['line']}:" in (about["configuration"]["problem"])
    )


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        ('[[line]]\nname = "new"\nport = "tcp://[::"', "no address"),
        ('[[line]]\nname = "new"\nport = "/dev/\\u0000"', "u0000"),
        (f"[deep]\nkey = {'[' * 5000}", "not TOML"),
        (f"[long]\nkey = {'9' * 5000}", "not TOML"),
    ],
)
async def test_a_slip_in_the_file_is_told_whatever_it_is(home: House, slip: str, words: str) -> None:
    home.context.config.path.write_text(f"{text(home)}\n{slip}\n")
    told = await get(home)
    assert told["state"] == "broken" and words in told["problems"][0]["message"]
    status, answer = await post(home, {}, "/apply")
    assert status == 409 and answer["problems"] == told["problems"]


async def test_an_address_of_a_form_that_is_none_is_told(home: House) -> None:
    status, answer = await add(home, "sink", kind="sql", name="x", url="sql://[::1")
    assert status == 400 and "no address" in json.dumps(answer)


async def test_where_a_secret_is_kept_is_told_by_no_problem(home: House) -> None:
    file = home.context.config.path
    file.write_text(text(home).replace("token.txt", "/root/elsewhere").replace('"PATH"', '"NO_SUCH_NAME"'))
    told = await get(home)
    assert told["state"] == "broken" and len(told["problems"]) == 2
    assert "elsewhere" not in json.dumps(told) and "NO_SUCH_NAME" not in json.dumps(told)


async def test_paths_beside_the_book_are_taken(home: House) -> None:
    assert (await add(home, "sink", name="c", kind="csv", file="readings/{meter}.csv"))[0] == 200
    assert (await add(home, "backup", dir="backups"))[0] == 200
    assert (await add(home, "line", name="net", port="tcp://192.168.1.20:502"))[0] == 200
    assert (await add(home, "meter", name="m", model="pzem-016", line="net", address="7"))[0] == 200
    assert tomllib.loads(text(home))["meter"][-1]["address"] == 7
