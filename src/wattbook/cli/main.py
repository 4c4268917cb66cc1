"""The `wattbook` command: its subcommands, and how errors end.

Exit codes: 0 done, 1 the device or server said no, 2 wrong use or configuration. An error is one line.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from wattbook import __version__
from wattbook.model.errors import ConfigError, WattbookError
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import UnknownQuantity

# Room -> its commands. Only the room of the asked command is imported: half a second matters on the command line.
ROOMS = {
    "demo": ("demo",),
    "run": ("run", "reload"),
    "proxy": ("proxy",),
    "simulate": ("simulate",),
    "check": ("check",),
    "ask": ("read",),
    "capture": ("capture",),
    "decode": ("decode",),
    "book": ("latest",),
    "top": ("top",),
    "query": ("query",),
    "cost": ("cost",),
    "export": ("export",),
    "grafana": ("grafana",),
    "importing": ("import",),
    "mover": ("mover",),
    "meter": ("meter",),
    "sink": ("sink",),
    "alert": ("alert",),
    "people": ("user", "token"),
    "keeping": ("backup", "restore", "verify", "storage"),
    "models": ("models",),
    "scan": ("scan",),
    "commission": ("set-address", "reset-energy"),
}


def make_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line, with all commands unless the arguments name one."""
    app = typer.Typer(
        name="wattbook",
        help="The account book for electricity: reads any meter, keeps every reading.",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    first = arguments[0] if arguments else ""
    asked = [room for room, commands in ROOMS.items() if first in commands]
    for room in asked or (() if first == "--version" else ROOMS):
        importlib.import_module(f"wattbook.cli.{room}").register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"wattbook {__version__}")  # noqa: T201 - the answer
        raise typer.Exit


def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Reads any meter, keeps every reading."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors go to standard error, one line each."""
    if not arguments or list(arguments) in (["models"], ["meter"], ["sink"], ["alert"], ["user"], ["token"]):
        arguments = [*arguments, "--help"]
    try:
        return make_app(arguments)(list(arguments), standalone_mode=False) or 0
    except TyperException as error:
        return _fail(_in_one_line(error, arguments), 2)
    except (ConfigError, UnknownQuantity) as error:
        return _fail(str(error), 2)
    except WattbookError as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return 130


def _in_one_line(error: TyperException, arguments: Sequence[str]) -> str:
    """A wrong use as one line, with the nearest right name."""
    message = " ".join(error.format_message().split())
    commands = [command for room in ROOMS.values() for command in room]
    if message.startswith("No such command") and "Did you mean" not in message and arguments:
        return f'no command is called "{arguments[0]}"{did_you_mean(arguments[0], commands)}'
    return message.replace("(Possible options: ", "(did you mean ") if message else "see --help"


def _fail(message: str, code: int) -> int:
    print(f"wattbook: {message}", file=sys.stderr)  # noqa: T201 - where errors go
    return code
