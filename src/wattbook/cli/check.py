"""`wattbook check`: every problem of a configuration."""

from __future__ import annotations

import typer

from wattbook import config as configuration
from wattbook.cli.show import HERE, ConfigOption, console


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(check)


def check(*, path: ConfigOption = HERE) -> None:
    """Find every problem of a configuration, each with its line."""
    _, problems = configuration.examine(path)
    for problem in problems:
        console(stderr=True).print(problem.at(path), highlight=False)
    if problems:
        raise typer.Exit(2)
    console().print(f"{path}: no problem found", highlight=False)
