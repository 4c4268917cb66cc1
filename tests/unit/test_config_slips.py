"""Whatever a text of the configuration is changed to: it is told as a problem, or taken, and nothing else happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from wattbook.config import examine

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
SLIPS = (
    "",
    "[",
    "{meter",
    "tcp://[::",
    "rtu+tcp://[x]:502",
    "http://[::1",
    "https://h:99999",
    "tcp://ℂ／x:1",  # a host that NFKC makes another of, which urlsplit refuses
    "\0",
    "9" * 400,
)
SINKS = """
[site]
name = "House"
timezone = "Europe/Prague"
[[meter]]
name = "heat-pump"
model = "push"
[[sink]]
kind = "{kind}"
name = "other"
url = "{url}"
"""
KINDS = ("influxdb", "sql", "mongodb", "elasticsearch", "mqtt", "http", "prometheus", "kafka", "nats")


def _places() -> Iterator[tuple[str, re.Match[str]]]:
    """Every key of the examples that takes a text, once, as it stands in one of them."""
    seen = set()
    for example in EXAMPLES:
        text, table = example.read_text(), ""
        for line in re.finditer(r"^.*$", text, re.MULTILINE):
            table = line[0] if line[0].startswith("[") else table
            for found in re.finditer(r'(\w+) = \[?("[^"\n]*")', line[0]):
                if (table, found[1]) not in seen:
                    seen.add((table, found[1]))
                    whole = re.compile(r'"[^"\n]*"').search(text, line.start() + found.start(2))
                    assert whole is not None
                    yield text, whole


@pytest.mark.parametrize("slip", SLIPS)
def test_no_text_of_an_example_is_a_fault_of_the_reader(slip: str, tmp_path: Path) -> None:
    file = tmp_path / "wattbook.toml"
    told = []
    for text, place in _places():
        file.write_text(text[: place.start()] + json.dumps(slip) + text[place.end() :])
        _, problems = examine(file)
        told.append(bool(problems))
    assert sum(told) > len(told) / 4  # names and places may be nearly anything; the others are told


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_that_is_none_is_told_of_every_sink(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "wattbook.toml"
    for url in ("http://[::1", "mongodb://[::1", "sql://[::1", "nats://[::1", "mqtt://[::"):
        file.write_text(SINKS.format(kind=kind, url=url))
        _, problems = examine(file)
        assert any("url" in problem.message or "address" in problem.message for problem in problems), problems
