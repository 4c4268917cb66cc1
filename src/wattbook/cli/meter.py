"""`wattbook meter …`: what happened to a meter, and changes with who, when and why."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, local, print_line
from wattbook.cli.through import through_daemon
from wattbook.config import Config
from wattbook.engine.judge import make_amender
from wattbook.engine.orders_life import carry_out
from wattbook.engine.show_life import life_json
from wattbook.model import ConfigError, SystemClock, quantity
from wattbook.model.nearest import did_you_mean
from wattbook.store import Book, BookHeld, BookReader

app = typer.Typer(help="What happened to a meter, and what is wrong in its readings.", no_args_is_help=True)

Meter = Annotated[str, typer.Argument(help="Its name in wattbook.toml.", autocompletion=complete.own_meters)]
Why = Annotated[str, typer.Option("--why", help="The reason; it stays with the change.")]
From = Annotated[
    str, typer.Option("--from", "--at", help="Since when: ISO 8601, today, -24h. Else since it is in doubt, or now.")
]
Since = Annotated[str, typer.Option("--from", help="The first instant: ISO 8601, today, -24h.")]
To = Annotated[str, typer.Option("--to", help="An instant, not included; else now.")]
Quantities = Annotated[
    list[str] | None, typer.Argument(metavar="[QUANTITY]...", help="Only these.", autocompletion=complete.quantities)
]
Before = Annotated[
    list[str] | None, typer.Option("--before", help="QUANTITY=VALUE just before: 25409587 or 25409.587kWh.")
]
After = Annotated[list[str] | None, typer.Option("--after", help="QUANTITY=VALUE just after.")]
_TOLD = ("ct", "pt", "location", "swap", "turn", "phases")  # of a body, beside registers
_VALUE = re.compile(r"([a-z0-9_]+)=([-+0-9.eE_]+?) *(k?)(Wh|varh|VAh|V|A|W|var|VA|Hz|°C|%|s)?")


def register(root: typer.Typer) -> None:
    """Add this room's commands."""
    root.add_typer(app, name="meter")


@app.command()
def show(meter: Meter, *, path: ConfigOption = HERE, as_json: JsonOption = False) -> None:
    """Print what happened to a meter: events of its life, corrections, and what waits for a decision."""
    config = _load(path, meter)
    with BookReader(config.book) as reader:
        life = life_json(reader, meter)
    if as_json:
        print_line(json.dumps(life, ensure_ascii=False))
        return
    if not life["events"]:
        console(stderr=True).print(f"Nothing was entered about {meter}.", highlight=False)
        return
    table = Table("number", "since", "what", "who", "why", "", box=None, pad_edge=False)
    table.columns[2].overflow = "fold"
    zone = config.site.timezone
    for event in life["events"]:
        since = local(datetime.fromisoformat(event["body"].get("from", event["entered"])), zone)
        table.add_row(str(event["number"]), since, _what(event), event["who"], event["why"], _state(event))
    console().print(table)


def _what(event: Mapping[str, Any]) -> str:
    body = {key: value for key, value in event["body"].items() if key not in ("from", "because")}
    what = event["kind"].removeprefix("meter.")
    if "undoes" in event:
        return f"{what} {event['undoes']}"
    for name, its in body.get("registers", {}).items():
        what += f" {name}" + "".join(f" {key} {value:.10g}" for key, value in its.items())
    rest = [f"{key} {value}" for key, value in body.items() if key in _TOLD]
    return " ".join([what, *rest])


def _state(event: Mapping[str, Any]) -> str:
    count = event["readings"]
    changed = f"{count} reading{'s' * (count > 1)}" if count else ""
    return ", ".join(part for part in (changed, "" if event["state"] == "holds" else event["state"]) if part)


@app.command()
def install(meter: Meter, *, why: Why, since: From = "", after: After = None, path: ConfigOption = HERE) -> None:
    """The meter was installed; what it told before is not counted."""
    _order(path, meter, {"do": "install", "from": since, "registers": _registers(after=after), "why": why})


@app.command()
def replace(
    meter: Meter, *, why: Why, since: From = "", before: Before = None, after: After = None, path: ConfigOption = HERE
) -> None:
    """The device was replaced: its history goes on, from the old one's last values to the new one's first."""
    registers = _registers(before=before, after=after)
    _order(path, meter, {"do": "replace", "from": since, "registers": registers, "why": why})


@app.command()
def reset(
    meter: Meter, *, why: Why, since: From = "", before: Before = None, after: After = None, path: ConfigOption = HERE
) -> None:
    """Registers began anew, at zero unless --after says otherwise."""
    registers = _registers(before=before, after=after)
    _order(path, meter, {"do": "reset", "from": since, "registers": registers, "why": why})


@app.command()
def rollover(
    meter: Meter,
    modulus: Annotated[list[str], typer.Argument(metavar="QUANTITY=MODULUS...", help="Where it begins anew.")],
    *,
    why: Why,
    since: From = "",
    path: ConfigOption = HERE,
) -> None:
    """A register came to its end and began anew at zero."""
    _order(path, meter, {"do": "rollover", "from": since, "registers": _registers(modulus=modulus), "why": why})


@app.command()
def ratio(
    meter: Meter,
    *,
    why: Why,
    ct: Annotated[float, typer.Option(help="Factor of the current transformers.")] = 1.0,
    pt: Annotated[float, typer.Option(help="Factor of the voltage transformers.")] = 1.0,
    since: From = "",
    path: ConfigOption = HERE,
) -> None:
    """What the meter tells is multiplied by its transformers' ratio from then on."""
    _order(path, meter, {"do": "ratio", "from": since, "ct": ct, "pt": pt, "why": why})


@app.command()
def rewire(
    meter: Meter,
    *,
    why: Why,
    swap: Annotated[bool, typer.Option("--swap", help="Import counts as export and export as import.")] = False,
    turn: Annotated[bool, typer.Option("--turn", help="Its transformers are turned round: signs too.")] = False,
    phases: Annotated[str, typer.Option(help="What tells L1, L2 and L3: l2,l3,l1.")] = "",
    since: From = "",
    path: ConfigOption = HERE,
) -> None:
    """The meter is wired otherwise from then on; without an option it is wired rightly again."""
    order: dict[str, Any] = {"do": "rewire", "from": since, "swap": swap, "turn": turn, "why": why}
    _order(path, meter, order | ({"phases": phases.split(",")} if phases else {}))


@app.command()
def move(meter: Meter, location: str, *, why: Why, since: From = "", path: ConfigOption = HERE) -> None:
    """The meter stands elsewhere from then on."""
    _order(path, meter, {"do": "move", "from": since, "location": location, "why": why})


@app.command()
def correct(
    meter: Meter,
    values: Annotated[list[str], typer.Argument(metavar="QUANTITY=VALUE...", help="As it should be.")],
    *,
    at: Annotated[str, typer.Option(help="The reading's instant, to the millisecond.")],
    why: Why,
    path: ConfigOption = HERE,
) -> None:
    """Put right what one reading tells; what it told is kept."""
    _order(path, meter, {"do": "correct", "at": at, "values": dict(map(_value, values)), "why": why})


@app.command()
def accept(
    meter: Meter,
    names: Quantities = None,
    *,
    why: Why,
    since: Since = "",
    to: To = "",
    number: Annotated[int | None, typer.Option(help="A proposal's number, instead of a time.")] = None,
    path: ConfigOption = HERE,
) -> None:
    """Suspect values of a time are good; or what was proposed is so."""
    if number is None:
        _order(path, meter, {"do": "accept", "from": since, "to": to, "quantities": names or [], "why": why})
    else:
        _order(path, meter, {"do": "accept", "number": number, "why": why})


@app.command()
def drop(
    meter: Meter, names: Quantities = None, *, why: Why, since: Since, to: To = "", path: ConfigOption = HERE
) -> None:
    """Suspect values of a time are taken out of their readings."""
    _order(path, meter, {"do": "drop", "from": since, "to": to, "quantities": names or [], "why": why})


@app.command()
def undo(
    meter: Meter,
    number: Annotated[int, typer.Argument(help="As `wattbook meter show` tells it.")],
    *,
    why: Why,
    path: ConfigOption = HERE,
) -> None:
    """Take a change back: what it wrote anew is as it was."""
    _order(path, meter, {"do": "undo", "number": number, "why": why})


def _order(path: Path, meter: str, order: Mapping[str, Any]) -> None:
    """Have a change made: by the daemon that has the book, else here."""
    config = _load(path, meter)
    who = getpass.getuser()
    clock = SystemClock()
    try:
        with Book.open(config.book, clock=clock, site=config.site.name) as book, BookReader(config.book) as reader:
            amender = make_amender(config, book, reader, clock)
            numbers: Sequence[int] = carry_out(
                amender, meter, order, who=who, zone=config.site.timezone, now=clock.now()
            )
    except BookHeld as held:
        numbers = through_daemon(config, held, f"/api/v1/meters/{meter}/life", {**order, "who": who})["numbers"]
    written = ", ".join(map(str, numbers))
    console(stderr=True).print(f"{meter}: written down as number {written}", highlight=False)


def _load(path: Path, meter: str) -> Config:
    config = configuration.load(path)
    names = [each.name for each in config.meters]
    if meter not in names:
        raise ConfigError(f'no meter is called "{meter}"{did_you_mean(meter, names)}', place=str(config.path.name))
    return config


def _registers(**told: list[str] | None) -> dict[str, dict[str, float]]:
    """Options of the form QUANTITY=VALUE, by quantity."""
    registers: dict[str, dict[str, float]] = {}
    for part, texts in told.items():
        for text in texts or ():
            name, value = _value(text)
            registers.setdefault(name, {})[part] = value
    return registers


def _value(text: str) -> tuple[str, float]:
    """A quantity and its value in the base unit. Raises ConfigError."""
    match = _VALUE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        name, number = quantity(match[1]).name, float(match[2])
    except ValueError as error:
        raise ConfigError(f'"{text}" is not QUANTITY=VALUE, as active_energy_import=25409.587kWh') from error
    unit = quantity(name).unit
    if match[4] and match[4] != unit:
        raise ConfigError(f"{name} is in {unit}, not in {match[3]}{match[4]}")
    return name, round(number * 1000, 6) if match[3] else number
