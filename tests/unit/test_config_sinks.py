import re
import sys
import tomllib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from wattbook.config import examine, load
from wattbook.config.sinks import read_sinks
from wattbook.config.text import Problem
from wattbook.model import ConfigError
from wattbook.sinks import KINDS, settings_class
from wattbook.sinks.mongodb import MongoSettings

HOUSE = """
[site]
name = "House"
timezone = "Europe/Prague"

[[meter]]
name = "main-a"
location = "house/panel/a"
model = "push"

[[meter]]
name = "heat-pump"
location = "house/cellar"
model = "push"
"""
LINE = len(HOUSE.splitlines())  # the first [[sink]] stands on the next one
SINK = '[[sink]]\nname = "mongo"\nkind = "mongodb"\n'


def _examined(folder: Path, sinks: str) -> Sequence[Problem]:
    path = folder / "wattbook.toml"
    path.write_text(HOUSE + sinks, encoding="utf-8")
    return examine(path)[1]


def _read(folder: Path, sinks: str) -> Any:
    found, problems = read_sinks(tomllib.loads(sinks)["sink"], sinks, folder)
    assert not problems, problems
    return found[0]


def test_a_good_table_becomes_the_settings_of_its_kind(tmp_path: Path) -> None:
    (tmp_path / "wattbook.toml").write_text(HOUSE + SINK + 'every = "15min"\nmeters = ["main-*"]\n')
    (sink,) = load(tmp_path / "wattbook.toml").sinks
    assert isinstance(sink, MongoSettings)
    assert (sink.name, sink.every, sink.meters, sink.batch) == ("mongo", 900.0, ("main-*",), 5000)


def test_several_of_one_kind_stand_side_by_side(tmp_path: Path) -> None:
    assert not _examined(tmp_path, SINK + SINK.replace("mongo", "second", 1))


@pytest.mark.parametrize(
    ("sinks", "line", "says"),
    [
        ('[[sink]]\nname = "m"\n', 1, '[[sink]] 1: "kind" is missing'),
        (SINK.replace('"mongodb"', '"mongdb"'), 3, 'no kind of sink is called "mongdb" (did you mean "mongodb"?)'),
        (SINK.replace('"mongodb"', "5"), 3, 'no kind of sink is called "5"'),
        (SINK.replace('name = "mongo"\n', ""), 1, '[[sink]] 1: "name" is missing'),
        (SINK + 'databse = "home"\n', 4, '[[sink]] 1: unknown key "databse" (did you mean "database"?)'),
        (SINK + SINK.replace("mongo", "b", 1) + "batch = 0\n", 7, "[[sink]] 2: batch: "),
        (SINK + 'timeout = "5"\n', 4, "timeout: a duration is a text like"),
        (SINK + 'every = "100ms"\n', 4, "every: "),
        (SINK + 'aggregate = "average"\nevery = "1min"\n', 4, "aggregate: cannot be 'average'"),
        (SINK.replace('"mongodb"', '"mqtt"\nurl = "mqtt://h"') + "qos = 7\n", 5, "qos: cannot be 7; one of: 0, 1"),
        (SINK + 'start = "tomorrow"\n', 4, 'start: must be "beginning", "now" or a date'),
        (SINK + "tls = 3\n", 4, "tls: "),
        (SINK + 'ca = "ca.crt"\n', 4, "ca.crt: no such file"),
        (SINK + 'mechanism = "SCRAM-SHA-2"\n', 4, 'did you mean "SCRAM-SHA-256"'),
        (SINK + 'aggregate = "mean"\n', 4, 'sink "mongo": needs "every", the interval'),
        (SINK + 'every = "1.5s"\n', 4, 'sink "mongo": must be whole seconds'),
        (SINK + 'meters = ["mian-a"]\n', 4, 'sink "mongo": no meter is called "mian-a" (did you mean "main-a"?)'),
        (SINK + 'quantities = ["voltge*"]\n', 4, 'no quantity is called "voltge*"'),
        (SINK + 'locations = ["house/cellr"]\n', 4, 'no meter is at "house/cellr" (did you mean "house/cellar"?)'),
        (
            SINK + 'collection = "{metre}"\n',
            3,
            'sink "mongo": {metre}: nothing is called "metre" (did you mean "meter"?)',
        ),
        (SINK + SINK, 5, 'sink "mongo": this name is there twice'),
    ],
)
def test_each_problem_has_its_line_and_its_words(tmp_path: Path, sinks: str, line: int, says: str) -> None:
    problems = _examined(tmp_path, sinks)
    assert [problem.line for problem in problems] == [LINE + line], problems
    assert says in problems[0].message


def test_what_is_below_a_location_is_at_it(tmp_path: Path) -> None:
    assert not _examined(tmp_path, SINK + 'locations = ["house/panel", "house/cellar"]\nquantities = ["voltage*"]\n')
    assert _examined(tmp_path, SINK + 'locations = ["house/pan"]\n')


def test_a_wrong_sink_does_not_hide_what_is_wrong_with_the_next(tmp_path: Path) -> None:
    second = SINK.replace("mongo", "b", 1)
    wrong = _examined(tmp_path, SINK + 'databse = "x"\n' + second + 'meters = ["mian-a"]\n')
    assert [problem.line - LINE for problem in wrong] == [4, 8]
    assert ["databse" in wrong[0].message, "mian-a" in wrong[1].message] == [True, True]


@pytest.mark.parametrize(
    "secret",
    [
        'passwrd = "hush"\n',
        'password = ["hush"]\n',
        'password = { env = "NAME", hush = "hush" }\n',
        'url = "mongodb://u:hu/hush@127.0.0.1"\n',
        'url = "hush://u:hush@127.0.0.1"\n',
        'password = "hush"\n',
        'password = "hush"\nusername = "u"\ncollection = "{hus}"\n',
    ],
)
def test_no_message_and_no_settings_show_a_secret(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(HOUSE + SINK + secret, encoding="utf-8")
    config, problems = examine(path)
    assert problems and "hush" not in str(problems) and "hush" not in repr(config)


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    sink = _read(tmp_path, SINK + 'username = "u"\npassword = { file = "secret" }\n')
    assert sink.password.reveal() == "hush" and "hush" not in repr(sink)


def test_a_secret_that_is_not_there_is_told(tmp_path: Path) -> None:
    (problem,) = _examined(tmp_path, SINK + 'password = { env = "WATTBOOK_NO_SUCH" }\n')
    assert problem.line == LINE + 4 and "the environment has no variable WATTBOOK_NO_SUCH" in problem.message
    assert problem.message.endswith('; set it here too, or use { file = "PATH" }')


def test_paths_are_those_beside_the_configuration(tmp_path: Path) -> None:
    sink = _read(tmp_path, SINK + 'ca = "tls/ca.pem"\ncertificate = "/etc/own.pem"\n')
    assert (sink.ca, sink.certificate) == (tmp_path.resolve() / "tls/ca.pem", Path("/etc/own.pem"))


def test_a_package_that_is_missing_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymongo", None)
    words = 'a sink of kind "mongodb" needs the package pymongo: pip install "wattbook[mongodb]"'
    with pytest.raises(ConfigError, match=re.escape(words)):
        settings_class("mongodb")
    (problem,) = _examined(tmp_path, '[[sink]]\nname = "m"\nkind = "mongodb"\n')
    assert problem.message == f"[[sink]] 1: {words}"


def test_a_package_that_a_library_misses_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("nkeys", "wattbook.sinks.nats_"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nacl", None)
    (problem,) = _examined(tmp_path, '[[sink]]\nname = "n"\nkind = "nats"\n')
    assert 'needs the package nacl: pip install "wattbook[nats]"' in problem.message


def test_every_kind_that_needs_more_names_an_extra_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    there = [kind for kind in KINDS.values() if kind.extra and find_spec(f"wattbook.sinks.{kind.module}")]
    assert {kind.extra for kind in there} <= project["optional-dependencies"].keys()


@pytest.mark.parametrize(
    "line", ['headers = "Authorization: s3cret"', 'url = ["http://u:s3cret@host"]', 'meters = "s3cret"']
)
def test_a_value_of_another_shape_is_not_shown_for_it_may_hold_a_secret(tmp_path: Path, line: str) -> None:
    url = "" if line.startswith("url") else 'url = "http://host"\n'
    path = tmp_path / "wattbook.toml"
    path.write_text(f'[[sink]]\nname = "x"\nkind = "http"\n{url}{line}\n', encoding="utf-8")
    _, problems = examine(path)
    assert problems and "s3cret" not in "".join(problem.message for problem in problems)
