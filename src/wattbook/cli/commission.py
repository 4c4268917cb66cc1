"""`wattbook set-address` and `wattbook reset-energy`: said before, done, and looked at afterwards."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.library import FolderOption, library_of
from wattbook.cli.show import HERE, console, for_people
from wattbook.codecs.reading_json import format_instant
from wattbook.config import Config
from wattbook.drivers.modbus import unit_address
from wattbook.engine.asking import asking
from wattbook.engine.commission import (
    Tell,
    check_new_address,
    command_of,
    find_one,
    give_address,
    is_taken,
    read_counters,
)
from wattbook.engine.commission import reset_energy as give_reset
from wattbook.engine.recognise import Recognised
from wattbook.model import ConfigError, Event, MeterError, SystemClock, Unreachable, quantity
from wattbook.model.nearest import did_you_mean
from wattbook.profiles import Profile, SerialSettings
from wattbook.store import Book
from wattbook.transports.open import list_ports
from wattbook.transports.ports import AUTO, shown

PortArgument = Annotated[str, typer.Argument(help="/dev/ttyUSB0, tcp://HOST[:502], rtu+tcp://…, rfc2217://…")]
ModelOption = Annotated[str, typer.Option(help="One of `wattbook models list`.", autocompletion=complete.models)]
BaudOption = Annotated[int, typer.Option(help="The line's speed; else the model's.", min=0)]


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command("set-address")(set_address)
    app.command("reset-energy")(reset_energy)


def set_address(
    port: PortArgument,
    new: Annotated[int, typer.Argument(help="The address it shall have.")],
    *,
    model: ModelOption,
    address: Annotated[
        int | None, typer.Option(help="Its present address; else the model's general one, when it is alone.")
    ] = None,
    baud: BaudOption = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to do it.")] = False,
    folder: FolderOption = None,
) -> None:
    """Give a device another address: look who is there, write, and ask at the new one."""
    library = library_of(folder)
    profile = library.get(model)
    check_new_address(profile, new, address)
    with _named(shown(port)), asking(port, _settings(profile, baud)) as line:
        if is_taken(line, profile, new):
            raise ConfigError(f"somebody answers at address {new} already; nothing was written", place=shown(port))
        with _watching() as tell:
            present = find_one(line, profile, address, [one for one in library if one.modbus], tell)
        old = "its general address" if present.old is None else f"address {present.old}"
        _say(f"{shown(port)}: a {profile.title} at {old}, {_described(present.who)}")
        if not yes:
            typer.confirm(f"Give it the address {new}?", abort=True, err=True)
        after = give_address(line, profile, present, new)
    _say(f"{shown(port)}: address {new} now, {_described(after)}")
    _say("Where a configuration names this meter, change its address there too.")


def reset_energy(
    target: Annotated[
        str,
        typer.Argument(
            metavar="METER|PORT", help="A meter of the configuration, or a port.", autocompletion=complete.own_meters
        ),
    ],
    *,
    path: Annotated[Path, typer.Option("-c", "--config", help="Where the meter and its book are named.")] = HERE,
    model: Annotated[str, typer.Option(help="Of the device on a PORT.", autocompletion=complete.models)] = "",
    address: Annotated[str, typer.Option(help="Of the device on a PORT; else the model's.")] = "",
    baud: BaudOption = 0,
    confirm: Annotated[
        str, typer.Option(help="The meter's name, or the address on a PORT, instead of typing it.")
    ] = "",
    folder: FolderOption = None,
) -> None:
    """Set a meter's counters of energy to zero, for ever; the meter's name must be typed to confirm.

    A meter that a configuration names gets the event `meter.reset` in its book, with the counters before and after.
    """
    if model:
        profile = library_of(folder).get(model)
        device = _Device(str(unit_address(profile, address)), profile, (target,), address, _settings(profile, baud))
        command_of(profile, "reset-energy")
        _reset(device, confirm)
        _say("No configuration names this meter, so no book remembers it.")
        return
    if address or baud or folder:
        raise ConfigError("--address, --baud and --profiles are for a PORT and need --model")
    config = configuration.load(path)
    device = _configured(config, target)
    command_of(device.profile, "reset-energy")
    # First the book: a reset that cannot be remembered must not happen. A running daemon holds it, and the port.
    clock = SystemClock()
    with Book.open(config.book, clock=clock, site=config.site.name) as book:
        before, after = _reset(device, confirm)
        now = clock.now()
        registers = {name: {"before": value, "after": after[name]} for name, value in before.items() if name in after}
        body = {
            "from": format_instant(now),
            "registers": registers,
            "why": "wattbook reset-energy",
            "before": before,
            "after": after,
            "address": device.address,
            "port": shown(device.ports[0]),
        }
        book.append_event(Event("meter.reset", target, now, body, actor=_who())).result(60)
    _say(f"{config.book.name}: written down as meter.reset")


@dataclass(frozen=True, slots=True)
class _Device:
    name: str  # to be typed
    profile: Profile
    ports: tuple[str, ...]
    address: int | str | None
    settings: SerialSettings
    serial: str = ""


def _configured(config: Config, name: str) -> _Device:
    """A meter of the configuration, and where it may be. Raises ConfigError."""
    names = [meter.name for meter in config.meters]
    if name not in names:
        near = did_you_mean(name, names)
        raise ConfigError(
            f'no meter is called "{name}"{near}; a device on a port needs --model', place=config.path.name
        )
    meter = config.meters[names.index(name)]
    profile = config.whole_profile(meter)  # its counters matter, even where nobody asks for them day by day
    line = next((line for line in config.lines if line.name == meter.line), None)
    if line is None or profile.modbus is None:
        raise ConfigError(f"{name} is on no Modbus line, and cannot be told anything", place=config.path.name)
    ports = line.ports or (line.port,)
    if AUTO in ports:
        ports = tuple(list_ports())
    return _Device(name, profile, tuple(ports), meter.address, config.serial_of(line), str(meter.serial))


def _reset(device: _Device, confirm: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Show, ask, reset and show; return the counters before and after."""
    profile, unit = device.profile, unit_address(device.profile, device.address)
    port = _port_of(device, unit)
    with _named(shown(port)), asking(port, device.settings) as line:
        before = read_counters(line, profile, unit, serial=device.serial)
        _say(f"{device.name} ({profile.title}, address {unit} on {shown(port)}): {_counters(before)}")
        typed = confirm or typer.prompt(
            f"This sets them to zero for ever. To confirm, type {device.name}", default="", show_default=False, err=True
        )
        if typed != device.name:
            raise ConfigError(f'"{typed}" is not "{device.name}"; nothing was done')
        after = give_reset(line, profile, unit)
        _say(f"{device.name}: {_counters(after)}")
    return before, after


def _port_of(device: _Device, unit: int) -> str:
    """The port where the meter answers; the only one is not tried before."""
    if len(device.ports) == 1:
        return device.ports[0]
    for port in device.ports:
        try:
            with asking(port, device.settings) as line:
                read_counters(line, device.profile, unit, serial=device.serial)
        except MeterError:
            continue
        return port
    raise Unreachable(f"it answers on none of its ports: {', '.join(map(shown, device.ports))}", meter=device.name)


def _settings(profile: Profile, baud: int) -> SerialSettings:
    return replace(profile.serial, baud=baud or profile.serial.baud)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors of a device say on which port."""
    try:
        yield
    except MeterError as error:
        if error.meter:
            raise
        raise type(error)(str(error), meter=name) from error


@contextmanager
def _watching() -> Iterator[Tell]:
    err = console(stderr=True)
    with Progress(
        TextColumn("looking for others on the line"), BarColumn(), TimeRemainingColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield tell


def _described(who: Recognised) -> str:
    told = [_one(name, value) for name, value in who.measured.values.items() if name.startswith(("voltage", "active_"))]
    return ", ".join([*told[:4], *([f"serial number {who.serial_number}"] if who.serial_number else [])])


def _counters(values: Mapping[str, float]) -> str:
    return ", ".join(_one(name, value) for name, value in values.items()) or "no counter"


def _one(name: str, value: float) -> str:
    return f"{quantity(name).title} {' '.join(for_people(value, quantity(name).unit))}"


def _who() -> str:
    """Who sits at the keyboard, for the event."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _say(words: str) -> None:
    console(stderr=True).print(words, highlight=False)
