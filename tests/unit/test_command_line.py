"""The command line as a whole: its list of commands, and what a word costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from wattbook.cli.commands import COMMANDS, GROUPS, ROOMS
from wattbook.cli.main import make_app

LISTING = "import sys; from wattbook.cli.main import run_command; run_command(['--help']); print(*sys.modules)"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_the_commands_that_are_listed(room: str) -> None:
    command = typer.main.get_command(make_app([next(iter(ROOMS[room]))]))
    assert isinstance(command, typer.core.TyperGroup)
    assert list(command.commands) == list(ROOMS[room])
    assert [name for name, of in command.commands.items() if isinstance(of, typer.core.TyperGroup)] == [
        name for name in ROOMS[room] if name in GROUPS
    ]


def test_each_command_is_listed_in_a_line() -> None:
    shown = CliRunner().invoke(make_app(["--help"]), ["--help"], env={"COLUMNS": "80"})
    lines = [line.split(maxsplit=1) for line in shown.output.partition("Commands:\n")[2].splitlines()]
    assert [tuple(line) for line in lines] == list(COMMANDS.items())


def test_the_list_of_commands_imports_none_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True, timeout=60, check=True)
    rooms = {name.removeprefix("wattbook.cli.") for name in done.stdout.splitlines()[-1].split()}
    assert "commands" in rooms
    assert rooms.isdisjoint(ROOMS)


@pytest.mark.parametrize(
    ("shell", "line", "offered"),
    [
        ("bash", {"COMP_WORDS": "wattbook re", "COMP_CWORD": "1"}, ["reload", "read", "restore", "reset-energy"]),
        ("bash", {"COMP_WORDS": "wattbook meter re", "COMP_CWORD": "2"}, ["replace", "reset", "rewire"]),
        ("bash", {"COMP_WORDS": "wattbook check --c", "COMP_CWORD": "2"}, ["--config"]),
        ("fish", {"_TYPER_COMPLETE_ARGS": "wattbook ver", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}, ["verify"]),
    ],
)
def test_a_shell_completes_commands_and_their_options(shell: str, line: dict[str, str], offered: list[str]) -> None:
    env = {"PATH": "/usr/bin:/bin", "_WATTBOOK_COMPLETE": f"complete_{shell}", **line}
    program = Path(sys.executable).with_name("wattbook")
    done = subprocess.run([program], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert [said.split("\t")[0] for said in done.stdout.splitlines()] == offered
