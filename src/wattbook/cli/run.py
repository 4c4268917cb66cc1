"""`wattbook run`: the daemon, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook import daemon
from wattbook.api import Served
from wattbook.cli.show import HERE, ConfigOption, console
from wattbook.cli.through import order_daemon
from wattbook.config import Config
from wattbook.store import Book

_HANGING_S = 10.0
_log = logging.getLogger(__name__)

ListenOption = Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the page is; else as [api] says.")]


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(run)
    app.command()(reload)


def run(*, path: ConfigOption = HERE, listen: ListenOption = "") -> None:
    """Read the meters of a configuration, keep every reading, and serve the page, until Ctrl-C."""
    config = configuration.load(path)
    if listen:
        config = config.listening(listen)
    serve(config)


def reload(*, path: ConfigOption = HERE) -> None:
    """Let the running daemon use wattbook.toml as it stands now; while it is wrong, the one before stays in force."""
    config = configuration.load(path)
    order_daemon(config, "/api/v1/configuration/apply", {})
    console(stderr=True).print("in force", highlight=False)


def serve(
    config: Config, *, note: str = "", begun_s: float | None = None, beside: Callable[[Book], None] | None = None
) -> None:
    """Run the daemon, and say where its page and its book are, and what else is worth knowing.

    `begun_s` is when the command was given, in monotonic seconds: then it says how long the start took. `beside` is
    done with the book, in a thread, once the page answers.
    """
    out = console(stderr=True)
    set_up_log(config)

    def started(served: Served) -> None:
        took = "" if begun_s is None else f"Start took {(time.monotonic() - begun_s) * 1000:.0f} ms."
        for line in (took, f"page  {served.url}", f"book  {config.book}", note, "Ctrl-C stops."):
            if line:
                out.print(line, highlight=False)

    runner = asyncio.Runner()
    try:
        runner.run(daemon.run(config, started=started, beside=beside))
    finally:
        # Python waits for every thread, and a sink's library may hang in one for minutes. The book is closed by now.
        patience = threading.Timer(_HANGING_S, _leave)
        patience.daemon = True
        patience.start()
        runner.close()
        patience.cancel()


def _leave() -> None:
    _log.warning("a library of a sink hangs for %.0f s and is left; what it was to send is sent next time", _HANGING_S)
    os._exit(0)


def set_up_log(config: Config) -> None:
    """One line an entry on standard error; systemd's journal adds the time itself, terminals like it."""
    logging.basicConfig(
        level=config.log.level.upper(), format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it would tell of its own start and end
