"""The `wattbook` command: its subcommands, and how errors end.

Exit codes: 0 done, 1 the device or server said no, 2 wrong use or configuration. An error is one line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from wattbook import __version__
from wattbook.cli import ask, book, decode, models, run
from wattbook.model.errors import ConfigError, WattbookError
from wattbook.model.vocabulary import UnknownQuantity

app = typer.Typer(
    name="wattbook",
    help="The account book for electricity: reads any meter, keeps every reading.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for room in (run, ask, decode, book):
    room.register(app)
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"wattbook {__version__}")  # noqa: T201 - the answer
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Reads any meter, keeps every reading."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors go to standard error, one line each."""
    try:
        return app(list(arguments), standalone_mode=False) or 0
    except TyperException as error:
        return _fail(_one_line(error.format_message()) or "see --help", 2)
    except (ConfigError, UnknownQuantity) as error:
        return _fail(str(error), 2)
    except WattbookError as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; nothing is wrong, and Python must not say so at exit.
        sys.stderr.close()
        return 0


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _fail(message: str, code: int) -> int:
    print(f"wattbook: {message}", file=sys.stderr)  # noqa: T201 - where errors go
    return code
