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
from wattbook.cli.show import JsonOption, console, print_line
from wattbook.config import Config
from wattbook.model import ConfigError
from wattbook.profiles import Library
from wattbook.simulate import Options, SimulatedLine, SimulatedMeter, Simulation, build, demo_house, parse_options


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
            console(stderr=True).print(f"{name:12} {address}", highlight=False, markup=False)
        for reason in simulation.skipped:
            console(stderr=True).print(f"not simulated: {reason}", highlight=False, markup=False)
        wait_for_the_end(with_parent=with_parent)
        statistics = simulation.statistics()
    for name, line in statistics.items():
        if as_json:
            print_line(json.dumps({"line": name, **asdict(line)}))
        else:
            _print_statistics(name, asdict(line))


def _print_statistics(name: str, line: dict[str, object]) -> None:
    told = [f"{key} {value:g}" for key, value in line.items() if isinstance(value, int | float) and value]
    console(stderr=True).print(f"{name:12} {', '.join(told) or 'nothing was asked'}", highlight=False, markup=False)


def _of_demo(folder: Path) -> Simulation:
    demo = demo_house(Library())
    return build(demo.lines, demo.meters, Options(folder=folder))


def _of_config(config: Config, folder: Path | None) -> Simulation:
    options = parse_options(config.simulate, config.path.parent)
    if folder is not None:
        options = Options(folder, options.seed, options.faults)
    lines, meters = [], []
    for line in config.lines:
        on_it = config.meters_of(line)
        serial = line.serial(config.profiles[on_it[0].name].serial) if on_it else None
        if line.port:
            lines.append(SimulatedLine(line.name, line.port, serial))
        meters += [
            SimulatedMeter(
                meter.name,
                line.name,
                config.profiles[meter.name],
                "" if meter.address is None else meter.address,
                every_s=config.every_s(meter) or 2.0,
            )
            for meter in on_it
            if line.port
        ]
    if not lines:
        raise ConfigError('no line has a "port" to simulate', place=config.path.name)
    return build(lines, meters, options)


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
