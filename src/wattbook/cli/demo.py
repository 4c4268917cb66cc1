"""`wattbook demo`: a simulated house in a process of its own, read over this machine's serial ports like a real one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook.model import ConfigError

_PORTS = ("rs485", "optical", "sml")
_LOG = "simulator.log"
_STORY = (
    "In this house the utility fails for 75 s in every ten minutes:"
    " then its meters are away, and the generator's is there."
)
_START_S_MAX = 20.0  # a slow machine imports for seconds; the simulator says itself what is wrong
_STOP_S_MAX = 5.0


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(demo)


def demo(
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where its book is kept; else ~/.local/share/wattbook-demo."),
    ] = None,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the page is; else 127.0.0.1:8600.")] = "",
    past: Annotated[bool, typer.Option(help="Give a new book the simulated 400 days before its start.")] = True,
) -> None:
    """Simulate a house, read it as hardware would be read, and show it on a page, until Ctrl-C."""
    begun_s, now = time.monotonic(), datetime.now(UTC)
    folder = (folder or _data_folder()).resolve()
    lines = folder / "lines"
    try:
        lines.mkdir(parents=True, exist_ok=True)
        path = _configuration(folder, lines)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}; choose another with --dir", place=str(folder)
        ) from error
    with _simulator(lines) as simulator:
        # Imported beside the simulator's start, which takes as long.
        from wattbook.cli.demo_past import STORY, past_of
        from wattbook.cli.run import serve

        config = configuration.load(path)
        if listen:
            config = config.listening(listen)
        _wait_for_ports(lines, simulator)
        serve(config, note=f"{_STORY}\n{STORY}", begun_s=begun_s, beside=past_of(config, now) if past else None)


def _data_folder() -> Path:
    """Where a desktop keeps a program's data (XDG base directories)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "wattbook-demo"


def _configuration(folder: Path, lines: Path) -> Path:
    """The demo's wattbook.toml, written once: whoever changes it finds the changes again."""
    path = folder / "wattbook.toml"
    if not path.exists():
        template = resources.files("wattbook.cli").joinpath("demo.toml").read_text(encoding="utf-8")
        path.write_text(template.replace("{lines}", str(lines)), encoding="utf-8")
    return path


@contextlib.contextmanager
def _simulator(lines: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The simulated house in a process of its own; what it says goes to simulator.log beside its ports."""
    for name in _PORTS:
        (lines / name).unlink(missing_ok=True)  # left behind by a killed run: it would lead to somebody else's terminal
    command = [sys.executable, "-m", "wattbook", "simulate", "--folder", str(lines), "--with-parent"]
    with (lines / _LOG).open("wb") as log:
        # A session of its own: Ctrl-C is for the daemon, which says goodbye to its meters first.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)  # noqa: S603 - our own program
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_ports(lines: Path, simulator: subprocess.Popen[bytes]) -> None:
    """Return when every port can be opened. Raises ConfigError with the simulator's own words when it gave up."""
    deadline = time.monotonic() + _START_S_MAX
    while not all((lines / name).exists() for name in _PORTS):
        if simulator.poll() is not None or time.monotonic() > deadline:
            words = (lines / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ConfigError(f"the simulated house did not start: {words[-1] if words else 'no reason given'}")
        time.sleep(0.01)
