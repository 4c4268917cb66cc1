"""`wattbook simulate`: the meters of a configuration, answering on lines of this machine."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook.cli.show import JsonOption, console, counted, print_line
from wattbook.config import Config, MeterSettings, buses_of
from wattbook.model import ConfigError
from wattbook.profiles import Library
from wattbook.simulate import (
    LineStatistics,
    Options,
    SimulatedLine,
    SimulatedMeter,
    Simulation,
    build,
    demo_house,
    parse_options,
)

_SPEAKS_EVERY_S = 2.0  # as most SML meters do


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(simulate)


def simulate(
    *,
    path: Annotated[
        Path | None, typer.Option("-c", "--config", help="A configuration; without, the demo's house.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the ports stand; else as [simulate] says.")] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the meters of a configuration answer on simulated lines, until Ctrl-C; then tell how the lines fared."""
    simulation = _of_config(configuration.load(path), folder) if path else _of_demo(folder or Path("sim"))
    with simulation:
        for name, address in simulation.addresses.items():
            console(stderr=True).print(f"{name:12} {address}", highlight=False)
        for reason in simulation.skipped:
            console(stderr=True).print(f"not simulated: {reason}", highlight=False)
        wait_for_the_end(with_parent=with_parent)
        statistics = simulation.statistics()
    for name, line in statistics.items():
        if as_json:
            print_line(json.dumps({"line": name, **asdict(line)}))
        else:
            _print_statistics(name, line)


def _print_statistics(name: str, line: LineStatistics) -> None:
    told = (
        [f"asked {line.requests} times", f"answered {line.answers}"]
        if line.requests
        else [f"spoke {line.answers} times"]
    )
    if line.polls_per_s:
        told.append(f"{line.polls_per_s:.1f} a second, {line.share:.1%} of what the wire can carry")
    if line.offences:
        told.append(f"{counted(line.offences, 'request')} broke the silence between frames")
    if line.garbled:
        told.append(f"{counted(line.garbled, 'message')} that no meter understood")
    console(stderr=True).print(f"{name:12} {', '.join(told)}", highlight=False)


def _of_demo(folder: Path) -> Simulation:
    demo = demo_house(Library())
    return build(demo.lines, demo.meters, Options(folder=folder))


def _of_config(config: Config, folder: Path | None) -> Simulation:
    options = parse_options(config.simulate, config.path.parent)
    if folder is not None:
        options = Options(folder, options.seed, options.faults)
    lines: list[SimulatedLine] = []
    meters: list[SimulatedMeter] = []
    for line in config.lines:
        on_it = config.meters_of(line)
        ports = buses_of(line, on_it)
        serial = line.serial(config.profiles[on_it[0].name].serial) if on_it else None
        lines += [SimulatedLine(name, port, serial) for name, port in ports]
        for number, meter in enumerate(on_it):
            meters.append(_meter(config, meter, ports[number % len(ports)][0]))
    if not lines:
        raise ConfigError("there is no line to simulate", place=config.path.name)
    return build(lines, meters, options)


def _meter(config: Config, meter: MeterSettings, line: str) -> SimulatedMeter:
    address = "" if meter.address is None else meter.address
    return SimulatedMeter(
        meter.name, line, config.library.get(meter.model), address, every_s=config.every_s(meter) or _SPEAKS_EVERY_S
    )


def wait_for_the_end(*, with_parent: bool) -> None:
    """Wait for SIGINT or SIGTERM; `with_parent` also ends when the process that started us is gone."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    gone = _parent_watch() if with_parent else _nobody
    while not ended.wait(0.5):
        if gone():
            return


def _parent_watch() -> Callable[[], bool]:
    parent = os.getppid()
    return lambda: os.getppid() != parent


def _nobody() -> bool:
    return False
