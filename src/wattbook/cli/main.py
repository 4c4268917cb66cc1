"""The `wattbook` command: its subcommands, and how errors end.

Exit codes: 0 done, 1 the device or server said no, 2 wrong use or configuration. An error is one line.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from wattbook import __version__
from wattbook.cli.commands import COMMANDS, GROUPS, room_of
from wattbook.model.errors import ConfigError, WattbookError
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import UnknownQuantity

_COMPLETED = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")  # where a shell (bash, others) tells the line to complete
# What Typer says of a wrong word; it has no fields for it.
_NO_COMMAND = re.compile(r"No such command (['\"])(.*)\1\.?(?: Did you mean .*)?$")
_NO_OPTION = re.compile(r"No such option: (\S+)(?: \(Possible options: (.*)\))?")
_NO_CHOICE = re.compile(r"Invalid value for '(.*?)': (?:Value error, )?'(.*)' is not one of (.*)\.")


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """The command line with the command that the arguments name; without one, with a line for each that there is."""
    app = typer.Typer(
        name="wattbook",
        help="The account book for electricity: reads any meter, keeps every reading.",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    if room := room_of(_command(arguments)):
        importlib.import_module(f"wattbook.cli.{room}").register(app)
    else:
        for command, does in COMMANDS.items():
            app.command(command, short_help=does)(_listed)
    return app


def _command(arguments: Sequence[str]) -> str:
    """The command among the arguments, or in the line that a shell wants completed."""
    line = next(
        (os.environ[name] for name in _COMPLETED if "_WATTBOOK_COMPLETE" in os.environ and name in os.environ), ""
    )
    words = line.split()[1:] or arguments
    return next((word for word in words if not word.startswith("-")), "")


def _listed() -> None:
    raise AssertionError("a command that is named is imported")


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
    if not arguments or (len(arguments) == 1 and arguments[0] in GROUPS):
        arguments = [*arguments, "--help"]
    try:
        return make_app(arguments)(list(arguments), standalone_mode=False) or 0
    except TyperException as error:
        return _fail(_in_one_line(error), 2)
    except (ConfigError, UnknownQuantity) as error:
        return _fail(str(error), 2)
    except WattbookError as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return 130


def _in_one_line(error: TyperException) -> str:
    """A wrong use as one line, with the nearest right name."""
    message = " ".join(error.format_message().split())
    if found := _NO_COMMAND.match(message):
        known = getattr(getattr(error, "ctx", None), "command", None)
        names = list(known.commands) if isinstance(known, TyperGroup) else COMMANDS
        return f'no command is called "{found[2]}"{did_you_mean(found[2], names)}'
    if found := _NO_OPTION.match(message):
        near = found[2].split(", ")[0] if found[2] else ""
        return f'no option is called "{found[1]}"' + (f' (did you mean "{near}"?)' if near else "")
    if found := _NO_CHOICE.match(message):
        choices = re.findall("'([^']*)'", found[3])
        return f'{found[1]}: cannot be "{found[2]}"{did_you_mean(found[2], choices)}; one of: {", ".join(choices)}'
    return message or "see --help"


def _fail(message: str, code: int) -> int:
    print(f"wattbook: {message}", file=sys.stderr)  # noqa: T201 - where errors go
    return code
