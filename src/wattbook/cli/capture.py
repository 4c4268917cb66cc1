"""`wattbook capture`: a live meter recorded for a new profile."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn

from wattbook.cli import complete
from wattbook.cli.library import FolderOption, library_of
from wattbook.cli.show import console, counted
from wattbook.engine.capture import Captured, capture_model, capture_registers
from wattbook.engine.prove import expected_of
from wattbook.model import ConfigError, SystemClock
from wattbook.profiles import SerialSettings


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(capture)


def capture(
    port: Annotated[str, typer.Argument(help="/dev/ttyUSB0, tcp://HOST[:502], rtu+tcp://…, rfc2217://…")],
    *,
    model: Annotated[str, typer.Option(help="Of a meter that a profile knows.", autocompletion=complete.models)] = "",
    address: Annotated[str, typer.Option(help="The meter's address on its line.")] = "",
    function: Annotated[
        int, typer.Option(help="Without a model: 3 reads holding, 4 input registers.", min=3, max=4)
    ] = 3,
    registers: Annotated[str, typer.Option(help="Without a model: which, counted from 0, as 0-99.")] = "",
    zero: Annotated[str, typer.Option(help="Registers to write down as zeros, as 10-13.")] = "",
    pause: Annotated[float, typer.Option(help="Seconds between requests.", min=0, max=10)] = 0.1,
    block: Annotated[int, typer.Option(help="Registers a request.", min=1, max=125)] = 32,
    baud: Annotated[int, typer.Option(help="The line's speed; else the model's, or 9600.", min=0)] = 0,
    parity: Annotated[Literal["none", "even", "odd"], typer.Option(help="Without a model.")] = "none",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file; else MODEL/capture.hex.")] = None,
    folder: FolderOption = None,
) -> None:
    """Record what a meter answers, without serial numbers, in the form that `wattbook decode` reads."""
    if bool(model) == bool(registers):
        raise ConfigError("say either --model, or --registers as 0-99 of a device nobody knows yet")
    err = console(stderr=True)
    if model:
        profile = library_of(folder).get(model)
        captured = capture_model(port, profile, address, baud=baud, clock=SystemClock())
        file = output or Path(model) / "capture.hex"
        _write(file, captured.text)
        expected = json.dumps(expected_of(profile, captured.text.encode()), indent=2, ensure_ascii=False)
        _write(file.with_name("expected.json"), expected + "\n")
        _tell(captured, file)
        return
    unit = int(address or 1) if re.fullmatch(r"\d{0,3}", address, re.ASCII) else 256
    if not 0 <= unit <= 255:
        raise ConfigError(f'a Modbus address is a number up to 247, not "{address}"')
    addresses = _range(registers, "--registers")
    with Progress(
        TextColumn("registers"), BarColumn(), TextColumn("{task.completed} of {task.total}"), console=err,
        transient=True, disable=not err.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=len(addresses))
        captured = capture_registers(
            port, SerialSettings(baud=baud or 9600, parity=parity), unit=unit, function=function, addresses=addresses,
            clock=SystemClock(), pause_s=pause, block=block,
            zero=frozenset(_range(zero, "--zero")) if zero else frozenset(),
            told=lambda count: progress.update(task, completed=count),
        )  # fmt: skip
    file = output or Path("capture.hex")
    _write(file, captured.text)
    _tell(captured, file)


def _range(text: str, option: str) -> range:
    match = re.fullmatch(r"(0x[0-9A-Fa-f]{1,4}|\d{1,5})(?:-(0x[0-9A-Fa-f]{1,4}|\d{1,5}))?", text, re.ASCII)
    first, last = (
        (int(part, 16 if part.startswith("0x") else 10) for part in (match[1], match[2] or match[1]))
        if match
        else (1, 0)
    )
    if not first <= last <= 0xFFFF:
        raise ConfigError(f'{option} is FIRST-LAST within 0 to 65535, as 0-99 or 0x100-0x13F, not "{text}"')
    return range(first, last + 1)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise ConfigError("it is there already; name another one with -o", place=str(file)) from error
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(file)) from error


def _tell(captured: Captured, file: Path) -> None:
    out = console()
    out.print(f"{counted(captured.exchanges, 'answer')} written to {file}", highlight=False)
    for note in captured.notes:
        out.print(note, highlight=False)
