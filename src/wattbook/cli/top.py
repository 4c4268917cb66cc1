"""`wattbook top`: the meters of a running daemon in a terminal, from its API."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from wattbook import config as configuration
from wattbook.cli.show import HERE, ConfigOption
from wattbook.engine.reach_daemon import find_daemon
from wattbook.model import ConfigError

if TYPE_CHECKING:
    from wattbook.top.ask import Place

_URL = "Of a daemon elsewhere: http://HOST:8600; else the one of the configuration."
_TOKEN = "To be let in elsewhere, with scope read; better in the environment, where nobody else sees it."  # noqa: S105


def register(app: typer.Typer) -> None:
    """Add this room's command."""
    app.command()(top)


def top(
    *,
    path: ConfigOption = HERE,
    url: Annotated[str, typer.Option(help=_URL)] = "",
    token: Annotated[str, typer.Option(envvar="WATTBOOK_TOKEN", help=_TOKEN)] = "",
) -> None:
    """Show the meters live in the terminal: values, states, what feeds the house, sinks. Ends with q."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on the last
        raise ConfigError("top needs a terminal; for scripts: wattbook latest --json, or the HTTP API")
    try:
        from wattbook.top.screen import Top
    except ImportError as error:
        package = (error.name or "textual").partition(".")[0]
        raise ConfigError(f'top needs the package {package}: pip install "wattbook[top]"') from error
    from wattbook.top.answers import About
    from wattbook.top.ask import Asker, parse_url

    place = _named(parse_url(url), token) if url else _of_configuration(configuration.load(path), token)
    asker = Asker(place)
    about = asker.ask(About, "about")  # who is not let in is told so in one line
    asker.close()
    Top(place, about).run()


def _named(url: str, token: str) -> Place:
    from wattbook.top.ask import Place

    return Place(url, {"authorization": f"Bearer {token}"} if token else {})


def _of_configuration(config: configuration.Config, token: str) -> Place:
    """The daemon that serves this configuration. Raises ConfigError when none does."""
    from wattbook.top.ask import Place

    found = find_daemon(config)
    if found is None:
        raise ConfigError(
            "no wattbook runs here; start it with wattbook run, or name one with --url", place=config.path.name
        )
    named = {"authorization": f"Bearer {token}"} if token else {}
    return Place(found.url, {**found.headers, **named}, found.tls)
