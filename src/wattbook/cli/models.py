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
from wattbook.profiles import Library, Profile, Register

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
        table.add_row(escape(profile.name), escape(profile.title), profile.protocol, _verified(profile))
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
        "verified": _verified(profile),
        "note": profile.note,
    }
    for name, fact in facts.items():
        if fact:
            out.print(f"{name:9} {fact}", highlight=False, markup=False)
    if profile.modbus:
        out.print(_registers(profile))


def _verified(profile: Profile) -> str:
    """Whether the sources are sure of the model, and of how many of its registers they are not."""
    if not profile.verified:
        return "no"
    doubtful = len(_doubtful(profile))
    return f"yes, but {doubtful} of {len(profile.modbus.registers)}" if profile.modbus and doubtful else "yes"


def _doubtful(profile: Profile) -> list[str]:
    return [one.quantity for one in profile.modbus.registers if not one.verified] if profile.modbus else []


def _protocol(profile: Profile) -> str:
    serial = profile.serial
    if profile.protocol in ("mqtt", "push"):
        return profile.protocol
    return f"{profile.protocol}, {serial.baud} Bd {serial.bits}{serial.parity[0].upper()}{serial.stopbits}"


def _registers(profile: Profile) -> Table:
    table = Table("quantity", "unit", "address", "function", "type", "scale", "verified", box=None, pad_edge=False)
    assert profile.modbus is not None
    for register in profile.modbus.registers:
        scale = f"x {register.scale.multiplier}" if register.scale.multiplier != 1 else ""
        divisor = f"/ {10**register.scale.decimals}" if register.scale.decimals else ""
        table.add_row(
            register.quantity,
            quantity(register.quantity).unit,
            f"0x{register.address:04X}",
            str(register.function),
            register.type,
            f"{scale}{divisor}{_beside(register)}",
            "yes" if register.verified and profile.verified else "no",
        )
    return table


def _beside(register: Register) -> str:
    """The other register that its value depends on."""
    if register.exponent_at is not None:
        return f" x 10^[0x{register.exponent_at:04X}]"
    return f" + [0x{register.rest_at:04X}] / {register.rest_of}" if register.rest_at is not None else ""


def _summary(profile: Profile) -> dict[str, Any]:
    keys = ("name", "title", "vendor", "protocol", "verified", "source")
    return {key: getattr(profile, key) for key in keys} | {"not_verified": _doubtful(profile)}


def _whole(profile: Profile) -> dict[str, Any]:
    def plain(value: object) -> Any:
        return sorted(value) if isinstance(value, frozenset) else value

    return dataclasses.asdict(profile, dict_factory=lambda items: {key: plain(value) for key, value in items})
