"""`wattbook models`: the library of meter models."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from wattbook.cli.show import JsonOption, console, print_line
from wattbook.model import quantity
from wattbook.profiles import CirbusSettings, Library, Profile, Scale

app = typer.Typer(help="The library of meter models.")


def register(root: typer.Typer) -> None:
    """Add this room's commands."""
    root.add_typer(app, name="models")


FolderOption = Annotated[Path | None, typer.Option("--profiles", help="A folder with models of one's own.")]


def _library(folder: Path | None) -> Library:
    return Library([folder] if folder else [])


@app.command("list")
def list_models(*, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """List every model."""
    profiles = list(_library(folder))
    if as_json:
        for profile in profiles:
            print_line(json.dumps(_summary(profile), ensure_ascii=False))
        return
    table = Table("model", "what", "protocol", "verified", box=None, pad_edge=False)
    for profile in profiles:
        table.add_row(
            escape(profile.name), escape(profile.title), profile.protocol, "yes" if profile.verified else "no"
        )
    console().print(table)


@app.command()
def show(name: str, *, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Show what one model tells and where its numbers come from."""
    profile = _library(folder).get(name)
    if as_json:
        print_line(json.dumps(_whole(profile), ensure_ascii=False))
        return
    out = console()
    facts = {
        "model": profile.name,
        "title": profile.title,
        "vendor": profile.vendor,
        "protocol": _protocol(profile),
        "source": profile.source,
        "verified": "yes" if profile.verified else "no",
        "note": profile.note,
    }
    for name, fact in facts.items():
        if fact:
            out.print(f"{name:9} {fact}", highlight=False, markup=False)
    if profile.modbus:
        out.print(_registers(profile))
    if profile.cirbus:
        out.print(_commands(profile.cirbus))


def _protocol(profile: Profile) -> str:
    serial = profile.serial
    if not profile.wired:
        return profile.protocol
    return f"{profile.protocol}, {serial.baud} Bd {serial.bits}{serial.parity[0].upper()}{serial.stopbits}"


def _registers(profile: Profile) -> Table:
    table = Table("quantity", "unit", "address", "function", "type", "scale", box=None, pad_edge=False)
    assert profile.modbus is not None
    for register in profile.modbus.registers:
        table.add_row(
            register.quantity,
            quantity(register.quantity).unit,
            f"0x{register.address:04X}",
            str(register.function),
            register.type,
            _scale(register.scale),
        )
    return table


def _commands(settings: CirbusSettings) -> Table:
    table = Table("quantity", "unit", "command", "field", "scale", box=None, pad_edge=False)
    for ask in settings.asks:
        for field, name in enumerate(ask.quantities, 1):
            if name:
                table.add_row(
                    name, quantity(name).unit, ask.code, f"{field} of {len(ask.quantities)}", _scale(ask.scale)
                )
    return table


def _scale(scale: Scale) -> str:
    return (f"x {scale.multiplier}" if scale.multiplier != 1 else "") + (
        f"/ {10**scale.decimals}" if scale.decimals else ""
    )


def _summary(profile: Profile) -> dict[str, Any]:
    keys = ("name", "title", "vendor", "protocol", "verified", "source")
    return {key: getattr(profile, key) for key in keys}


def _whole(profile: Profile) -> dict[str, Any]:
    def plain(value: object) -> Any:
        return sorted(value) if isinstance(value, frozenset) else value

    return dataclasses.asdict(profile, dict_factory=lambda items: {key: plain(value) for key, value in items})
