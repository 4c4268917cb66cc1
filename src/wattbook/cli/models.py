"""`wattbook models`: the library of meter models."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from wattbook.cli import complete
from wattbook.cli.files import read_bytes
from wattbook.cli.library import FolderOption, library_of
from wattbook.cli.show import JsonOption, console, counted, for_people, print_line
from wattbook.codecs.registers import plan_profile
from wattbook.engine.prove import Proof, prove
from wattbook.model import ConfigError, quantity
from wattbook.profiles import CirbusSettings, MqttSettings, Profile, load_profile
from wattbook.profiles.drafts import INPUT_SIZE_MAX, make_draft

app = typer.Typer(help="The library of meter models.")


def register(root: typer.Typer) -> None:
    """Add this room's commands."""
    root.add_typer(app, name="models")


@app.command("list")
def list_models(*, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """List every model."""
    profiles = list(library_of(folder))
    if as_json:
        for profile in profiles:
            print_line(json.dumps(_summary(profile), ensure_ascii=False))
        return
    table = Table("model", "what", "protocol", "verified", box=None, pad_edge=False)
    for profile in profiles:
        table.add_row(profile.name, profile.title, profile.protocol, _verified(profile))
    console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(autocompletion=complete.models)],
    *,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what one model tells and where its numbers come from."""
    profile = library_of(folder).get(name)
    if as_json:
        print_line(json.dumps(_whole(profile), ensure_ascii=False))
        return
    out = console()
    facts = {
        "model": profile.name,
        "title": profile.title,
        "vendor": profile.vendor,
        "protocol": profile.speaks,
        "source": profile.source,
        "verified": _verified(profile),
        "note": profile.note,
    }
    for name, fact in facts.items():
        if fact:
            out.print(f"{name:9} {fact}", highlight=False)
    if profile.modbus:
        out.print(_registers(profile))
    if profile.cirbus:
        out.print(_commands(profile.cirbus))
    if profile.mqtt:
        out.print(_fields(profile.mqtt))


def _verified(profile: Profile) -> str:
    """Whether the sources are sure of the model, and of how many of its registers they are not."""
    if not profile.verified:
        return "no"
    doubtful = len(_doubtful(profile))
    return f"yes, but {doubtful} of {len(profile.modbus.registers)}" if profile.modbus and doubtful else "yes"


def _doubtful(profile: Profile) -> list[str]:
    return [one.quantity for one in profile.modbus.registers if not one.verified] if profile.modbus else []


def _registers(profile: Profile) -> Table:
    table = Table("quantity", "unit", "address", "function", "type", "scale", "verified", box=None, pad_edge=False)
    assert profile.modbus is not None
    for register in profile.modbus.registers:
        table.add_row(
            register.quantity,
            quantity(register.quantity).unit,
            f"0x{register.address:04X}",
            str(register.function),
            register.type,
            register.scale_text,
            "yes" if register.verified and profile.verified else "no",
        )
    return table


def _commands(settings: CirbusSettings) -> Table:
    table = Table("quantity", "unit", "command", "field", "scale", box=None, pad_edge=False)
    for ask in settings.asks:
        for field, name in enumerate(ask.quantities, 1):
            if name:
                table.add_row(name, quantity(name).unit, ask.code, f"{field} of {len(ask.quantities)}", ask.scale.text)
    return table


def _fields(settings: MqttSettings) -> Table:
    table = Table("quantity", "unit", "topic", "path", "scale", box=None, pad_edge=False)
    for one in settings.fields:
        unit = quantity(one.quantity).unit
        table.add_row(one.quantity, unit, settings.topic_of(one), one.path, one.scale.text)
    return table


def _summary(profile: Profile) -> dict[str, Any]:
    keys = ("name", "title", "vendor", "protocol", "verified", "source")
    return {key: getattr(profile, key) for key in keys} | {"not_verified": _doubtful(profile)}


def _whole(profile: Profile) -> dict[str, Any]:
    def plain(value: object) -> Any:
        return sorted(value) if isinstance(value, frozenset) else value

    return dataclasses.asdict(profile, dict_factory=lambda items: {key: plain(value) for key, value in items})


_CAPTURE_SIZE_MAX = 16_000_000  # bytes
_CAPTURES = (".hex", ".txt", ".bin")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A profile of one's own.")],
    capture: Annotated[
        Path | None, typer.Argument(help="A capture, or a folder of them; else the folder named as the profile.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Prove a profile: its own faults, its requests, and what a capture says by it. Exits with 1 when that is wrong."""
    profile = load_profile(file)
    captures = _captures(file, capture)
    proofs = {
        path: prove(profile, read_bytes(path, _CAPTURE_SIZE_MAX), _expected(path, alone=len(captures) == 1))
        for path in captures
    }
    if as_json:
        plan = [dataclasses.asdict(block) for block in plan_profile(profile.modbus).blocks] if profile.modbus else []
        shown = {str(path): dataclasses.asdict(proof) | {"holds": proof.holds} for path, proof in proofs.items()}
        print_line(json.dumps({"model": profile.name, "requests": plan, "captures": shown}, ensure_ascii=False))
    else:
        _print_plan(profile)
        for path, proof in proofs.items():
            _print_proof(path, proof)
        if not proofs:
            console().print("no capture beside it; `wattbook capture` records one", highlight=False)
    if not all(proof.holds for proof in proofs.values()):
        raise typer.Exit(1)


def _captures(file: Path, given: Path | None) -> list[Path]:
    """The captures to decode: the file given, or all of a folder."""
    if given is not None and not given.exists():
        raise ConfigError("no such capture", place=str(given))
    if given is not None and given.is_file():
        return [given]
    folder = given or file.with_suffix("")
    found = sorted(path for path in folder.glob("*") if path.suffix in _CAPTURES) if folder.is_dir() else []
    if given is not None and not found:
        raise ConfigError(f"no capture in it; one ends in {', '.join(_CAPTURES)}", place=str(given))
    return found


def _expected(capture: Path, *, alone: bool) -> Any:
    """What stands beside a capture: a JSON file of its name, or for one alone expected.json."""
    names = [capture.with_suffix(".json"), *([capture.with_name("expected.json")] if alone else [])]
    path = next((path for path in names if path.exists()), None)
    if path is None:
        return None
    try:
        expected = json.loads(read_bytes(path, _CAPTURE_SIZE_MAX))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON: {error}", place=str(path)) from error
    if not isinstance(expected, dict) or not isinstance(expected.get("errors", 0), int):
        raise ConfigError('it must be {"profile": …, "readings": [{"values": {…}}]}', place=str(path))
    return expected


def _print_plan(profile: Profile) -> None:
    out = console()
    out.print(f"{profile.name}: no fault found in the file", highlight=False)
    for block in plan_profile(profile.modbus).blocks if profile.modbus else ():
        out.print(
            f"request: function {block.function}, registers {block.first}-{block.end - 1}",
            highlight=False,
        )


def _print_proof(path: Path, proof: Proof) -> None:
    out = console()
    out.print(f"\n{path}", highlight=False)
    for reading in proof.readings:
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, value in reading["values"].items():
            shown, unit = for_people(value, quantity(name).unit)
            table.add_row(name, shown, unit, "outside minimum..maximum" if name in reading["doubt"] else "plausible")
        out.print(table)
    problems = {
        "not in the capture": proof.missing,
        "look": proof.findings,
        "wiring": proof.wiring,
        "damaged or refused": proof.damage,
        "differs from expected.json": proof.differences,
    }
    for title, lines in problems.items():
        for line in lines:
            out.print(f"{title}: {line}", highlight=False)
    if not proof.readings:
        out.print("nothing in it is a reading of this model", highlight=False)


@app.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="An evcc template, an mbmd map, or a register list as CSV.")],
    *,
    name: Annotated[str, typer.Option(help="Of the new model; else the file's.")] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The new profile; else it is printed.")] = None,
    format: Annotated[str, typer.Option(help="evcc, mbmd, csv or auto.")] = "auto",
) -> None:
    """Turn a register list of somebody else into the draft of a profile."""
    name = name or (output or file).stem
    made = make_draft(read_bytes(file, INPUT_SIZE_MAX), name=name, file=file.name, format=format)
    if output is None:
        print_line(made.text.rstrip())
    else:
        try:
            with output.open("x", encoding="utf-8") as stream:
                stream.write(made.text)
        except FileExistsError as error:
            raise ConfigError("it is there already; name another one with -o", place=str(output)) from error
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", place=str(output)) from error
    err = console(stderr=True)
    err.print(
        f"{counted(made.registers, 'register')}, {counted(len(made.left), 'row')} left as comments", highlight=False
    )
    for line in (*made.look, *(f"left: {line}" for line in made.left)):
        err.print(line, highlight=False)
