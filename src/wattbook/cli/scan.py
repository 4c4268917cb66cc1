"""`wattbook scan`: which models answer where, and the lines of the configuration that follow from it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wattbook.cli.library import FolderOption, library_of
from wattbook.cli.show import JsonOption, console, for_people, print_line
from wattbook.config import Piece, append, pieces_text, present
from wattbook.engine.draft import Names, draft
from wattbook.engine.overhear import name_speaker
from wattbook.engine.scan import Found, Outcome, Scan, shown_settings
from wattbook.engine.scan import Progress as Step
from wattbook.engine.trials import addresses_of
from wattbook.model import ConfigError, Unreachable, quantity
from wattbook.profiles import Profile
from wattbook.transports.open import list_ports
from wattbook.transports.ports import scheme_of, shown

_SHOWN = ("voltage", "voltage_l1", "active_power", "active_energy_import")  # what tells a person which meter it is
_LONG_S = 90.0  # a scan that takes longer says so before it begins


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(scan)


def scan(
    port: Annotated[str, typer.Argument(help="/dev/ttyUSB0, tcp://HOST[:502], rtu+tcp://…, rfc2217://…")] = "",
    *,
    every_port: Annotated[bool, typer.Option("--all", help="Every serial port of this machine.")] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="Also speeds and parities that no model has.")] = False,
    only: Annotated[str, typer.Option("--addresses", metavar="1-20", help="Only these; also as 4,5,30-32.")] = "",
    folder: FolderOption = None,
    write: Annotated[Path | None, typer.Option("--write", help="Append what was found to this configuration.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the Modbus meters on a line, name their models, and write their part of the configuration."""
    if bool(port) == every_port:
        raise ConfigError("name one port to scan, or --all for every serial port of this machine")
    addresses = addresses_of(only) if only else frozenset[int]()
    names = Names.of(present(write) if write else None)
    library = list(library_of(folder))
    outcomes: list[Outcome] = []
    stopped = False
    try:
        for one in list_ports() if every_port else [port]:
            try:
                _scan_port(one, library, outcomes, addresses, thorough=thorough)
            except Unreachable as error:
                if not every_port:
                    raise
                _say(str(error) if one in str(error) else f"{shown(one)}: {error}")
    except KeyboardInterrupt:
        stopped = True
        _say("stopped; this is what was found until now")
    _show(outcomes, as_json=as_json)
    pieces = draft(outcomes, names)
    if write is not None:
        _write(write, pieces, folder)
    elif pieces and not as_json:
        console().print(pieces_text(pieces), end="", highlight=False)
    if stopped:
        raise typer.Exit(130)
    if not any(outcome.found for outcome in outcomes):
        raise Unreachable(
            _NOBODY if outcomes or not every_port else "this machine has no serial port that can be opened"
        )


_NOBODY = (
    "nobody answers; check the supply, the two wires (A and B swapped?) and the end resistor,"
    " or try the other speeds with --thorough"
)


def _scan_port(
    port: str, library: list[Profile], outcomes: list[Outcome], addresses: Collection[int], *, thorough: bool
) -> None:
    """Scan one port; what is found stands in `outcomes` even when it is given up."""
    err = console(stderr=True)
    with Progress(
        TextColumn("{task.fields[doing]}", markup=False), BarColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[found]} found"),
        console=err, transient=True, disable=not err.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=None, doing=shown(port), found=0)

        def tell(step: Step) -> None:
            progress.update(
                task, completed=step.done_s, total=step.total_s, doing=step.doing, found=len(search.outcome.found)
            )

        search = Scan(port, library, thorough=thorough, addresses=addresses, tell=tell)
        if search.total_s > _LONG_S:
            takes = f"this takes about {search.total_s / 60:.0f} min"
            _say(f"{shown(port)}: {takes}; Ctrl-C stops it and tells what was found")
        outcomes.append(search.outcome)
        try:
            search.run()
        except Unreachable:
            if not search.outcome.asked:
                outcomes.remove(search.outcome)
            raise
        if search.outcome.foreign and not scheme_of(port):
            progress.update(task, doing=f"{shown(port)}: listening")
            search.outcome.remarks.append(f"{port}: {name_speaker(port, library)}")


def _show(outcomes: list[Outcome], *, as_json: bool) -> None:
    found = [one for outcome in outcomes for one in outcome.found]
    if as_json:
        for one in found:
            print_line(json.dumps(_plain(one), ensure_ascii=False))
    elif found:
        table = Table("port", "address", "settings", "model", "known by", "says", box=None, pad_edge=False)
        for one in found:
            table.add_row(*_row(one))
        console().print(table)
        console().print()
    for outcome in outcomes:
        for remark in outcome.remarks:
            _say(remark)


def _row(found: Found) -> tuple[str, ...]:
    who = found.who
    settings = shown_settings(found.settings) if found.settings else ""
    model = " or ".join([who.model.name, *who.also]) if who.model else "unknown"
    known_by = "" if who.model is None else "its identification" if who.certain else "its values"
    says = [
        " ".join(for_people(who.measured.values[name], quantity(name).unit))
        for name in _SHOWN
        if name in who.measured.values
    ]
    if who.serial_number:
        says.append(f"serial number {who.serial_number}")
    if who.dead:
        says.append(f"{who.dead} of its phases without voltage")
    return shown(found.port), str(found.unit), settings, model, known_by, ", ".join(says)


def _plain(found: Found) -> dict[str, Any]:
    who, settings = found.who, found.settings
    return {
        "port": shown(found.port),
        "address": found.unit,
        "baud": settings.baud if settings else None,
        "parity": settings.parity if settings else None,
        "stopbits": settings.stopbits if settings else None,
        "model": who.model.name if who.model else None,
        "known_by": "" if who.model is None else "identification" if who.certain else "values",
        "also": list(who.also),
        "serial": who.serial_number,
        "values": dict(who.measured.values),
    }


def _write(path: Path, pieces: list[Piece], folder: Path | None) -> None:
    """Append, and say what was done."""
    meters = sum(piece.table == "meter" for piece in pieces)
    if not pieces:
        _say(f"{path}: nothing to add")
        return
    if folder is not None and not path.exists():
        pieces = [Piece("site", {"profiles": str(folder.resolve())}), *pieces]
    append(path, pieces)
    added = f"{meters} meter{'' if meters == 1 else 's'} added"
    _say(f"{path}: {added}; rename them as you like, then `wattbook check -c {path}`")


def _say(words: str) -> None:
    console(stderr=True).print(words, highlight=False)
