"""`wattbook read`: one reading of one meter, now, without a configuration."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn

from wattbook.cli import complete
from wattbook.cli.library import FolderOption, library_of
from wattbook.cli.show import JsonOption, console, print_reading
from wattbook.engine.examine import findings
from wattbook.engine.once import read_once
from wattbook.model import SystemClock
from wattbook.transports.tls import TlsSettings


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(read)


def read(
    port: Annotated[
        str,
        typer.Argument(help="/dev/ttyUSB0, tcp://HOST[:502], tls://HOST[:802], rtu+tcp://…, rfc2217://…, host://"),
    ],
    *,
    model: Annotated[str, typer.Option(help="One of `wattbook models list`.", autocompletion=complete.models)],
    address: Annotated[str, typer.Option(help="The meter's address on its line; else the model's.")] = "",
    baud: Annotated[int, typer.Option(help="The line's speed; else the model's.", min=0)] = 0,
    ca: Annotated[str, typer.Option(help="tls://: the authority to trust (PEM); else the system's.")] = "",
    certificate: Annotated[str, typer.Option(help="tls://: our own certificate (PEM).")] = "",
    key: Annotated[str, typer.Option(help="tls://: the key of our certificate (PEM).")] = "",
    raw: Annotated[bool, typer.Option("--raw", help="Show the bytes that went over the line.")] = False,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask one meter once and print what it says."""
    profile = library_of(folder).get(model)
    err = console(stderr=True)
    with Progress(
        TextColumn("reading {task.fields[meter]}"), BarColumn(), TextColumn("{task.completed} bytes"),
        console=err, transient=True, disable=not err.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=None, meter=model)
        reading = read_once(
            port,
            profile,
            address,
            baud=baud,
            tls=TlsSettings(ca, certificate, key),
            clock=SystemClock(),
            heard=lambda size: progress.update(task, completed=size),
            wire=_show_wire if raw else None,
        )
    print_reading(reading, as_json=as_json)
    for finding in findings(reading.values, profile):
        err.print(f"# look: {finding.words}", highlight=False)


def _show_wire(direction: str, data: bytes) -> None:
    """One line of hexadecimal digits, as `wattbook decode` reads them again."""
    console(stderr=True).print(f"{direction} {data.hex(' ')}", highlight=False)
