"""What a shell offers behind a command."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wattbook.access import PeopleFile
from wattbook.access.people import Token, User
from wattbook.cli.main import make_app
from wattbook.model import Reading, SystemClock
from wattbook.model.principal import Role
from wattbook.store import Book

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FILE = """
[[line]]
name = "rs485"
port = "/dev/ttyUSB0"

[[meter]]
name = "press"
model = "push"
location = "plant/hall 2"

[[meter]]
name = "oven"
model = "push"
location = "plant/hall 2"

[[meter]]
name = "hall"
formula = "press + oven"

[[sink]]
name = "archive"
kind = "console"

[[alert]]
name = "oven-silent"
kind = "silent"

[[notify]]
name = "anna"
url = "ntfy://ntfy.sh/topic"
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, and a book that has a reading of one of its meters."""
    (tmp_path / "wattbook.toml").write_text(FILE)
    values = {"active_power": 5.0, "active_energy_import": 55.0}
    with Book.open(tmp_path / "wattbook.db", clock=SystemClock()) as book:
        book.append([Reading("press", AT, values)]).result(10)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(line: str, shell: str = "bash") -> list[str]:
    """What is offered for the last word of the line."""
    words = line.split(" ")
    env = {
        "_WATTBOOK_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    app = make_app([word for word in words[1:] if word])
    said = CliRunner().invoke(app, [], prog_name="wattbook", env=env).output
    return [name for name in said.splitlines() if name]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("wattbook latest ", ["press", "oven"]),  # a computed meter has no readings of its own
        ("wattbook meter show o", ["oven"]),
        ("wattbook query ", ["press", "oven", "hall"]),
        ("wattbook query press act", ["active_power", "active_energy_import"]),
        ("wattbook query hall active_p", ["active_power"]),  # of the meters it is computed from
        ("wattbook query oven act", []),  # the book has nothing of it
        ("wattbook meter accept press ", ["active_power", "active_energy_import"]),
        ("wattbook cost --location ", ["plant", "plant/hall 2"]),
        ("wattbook proxy --line ", ["rs485"]),
        ("wattbook sink resume ", ["archive"]),
        ("wattbook alert test ", ["oven-silent", "anna"]),
        ("wattbook models show pzem-01", ["pzem-016", "pzem-017"]),
        ("wattbook read /dev/ttyUSB0 --model pzem-01", ["pzem-016", "pzem-017"]),
        ("wattbook query -c elsewhere.toml ", []),
    ],
)
def test_names_are_offered(line: str, names: list[str]) -> None:
    assert offered(line) == names


@pytest.mark.usefixtures("house")
def test_a_shell_that_shows_it_is_told_what_a_name_means() -> None:
    assert offered("wattbook query press active_p", "fish") == ["active_power\tActive power"]


@pytest.mark.usefixtures("house")
def test_a_configuration_with_a_mistake_offers_nothing(house: Path) -> None:
    (house / "wattbook.toml").write_text(FILE.replace('"push"', '"psuh"'))
    assert offered("wattbook latest ") == []


def test_people_and_tokens_are_offered(house: Path) -> None:
    user, token = User("anna", Role.ADMIN, "hash", AT), Token("logger", (), "hash", AT)
    PeopleFile(house / "wattbook.db.people").change(lambda people: people.with_user(user).with_token(token))
    assert offered("wattbook user role ") == ["anna"]
    assert offered("wattbook token revoke ") == ["logger"]
