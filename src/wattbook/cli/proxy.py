"""`wattbook proxy`: one line for other Modbus masters, while no daemon runs; the daemon serves [[proxy]] by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook import daemon
from wattbook.cli import complete
from wattbook.cli.run import set_up_log
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, print_line
from wattbook.config import Config, LineSettings, ProxySettings
from wattbook.config.proxy_problems import proxy_problems
from wattbook.engine.proxies import in_words
from wattbook.engine.status import ProxyStatus
from wattbook.model import BookError, ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.store import BookHeld
from wattbook.transports.ports import AUTO


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(proxy)


def proxy(
    *,
    path: ConfigOption = HERE,
    name: Annotated[
        str,
        typer.Option(
            "--line", metavar="NAME", help="Only this line; else all with a [[proxy]].", autocompletion=complete.lines
        ),
    ] = "",
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where; else as [[proxy]] says.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Serve a line to other Modbus masters, until Ctrl-C, without asking its meters.

    `wattbook run` serves every [[proxy]] by itself, between its own polls; this is for the time when it does not run.
    """
    config = _served_alone(configuration.load(path), name, listen)
    set_up_log(config)

    def started(statuses: Sequence[ProxyStatus]) -> None:
        for settings, status in zip(config.proxies, statuses, strict=True):
            if as_json:
                print_line(json.dumps(_described(config, settings, status)))
            else:
                console().print(f"serving {in_words(config, settings, status.listen)}", highlight=False)
        if not as_json:
            console().print("The meters are not asked meanwhile. Ctrl-C stops.", highlight=False)

    try:
        asyncio.run(daemon.serve_proxies(config, started=started))
    except BookHeld as error:
        raise BookError(f"{error}; {_by_the_daemon(configuration.load(path), config)}") from error


def _served_alone(config: Config, name: str, listen: str) -> Config:
    """The configuration of these proxies and their lines, with no meter to ask. Raises ConfigError."""
    proxies = [settings for settings in config.proxies if name in ("", settings.line)]
    if not proxies:
        proxies = [ProxySettings(line=_line_named(config, name).name)]
    if listen:
        if len(proxies) > 1:
            raise ConfigError(f"--listen is for one proxy, and {len(proxies)} are configured; choose one with --line")
        proxies = [replace(proxies[0], listen=listen)]
    config = replace(config, proxies=tuple(proxies))
    problems = [message for settings in proxies for _, message in proxy_problems(config, settings)]
    if problems:
        raise ConfigError("\n".join(problems))
    lines = [_fixed(config, line) for line in config.lines if line.name in {settings.line for settings in proxies}]
    return replace(config, lines=tuple(lines), meter_tables=())


def _line_named(config: Config, name: str) -> LineSettings:
    """The line of that name; without one, the only line that can be served."""
    names = [line.name for line in config.lines]
    if name:
        if name not in names:
            raise ConfigError(f'no line is called "{name}"{did_you_mean(name, names)}')
        return config.lines[names.index(name)]
    found = [line for line in config.lines if not list(proxy_problems(config, ProxySettings(line=line.name)))]
    if len(found) != 1:
        which = (
            f"lines {', '.join(line.name for line in found)} could be served" if found else "there is no Modbus line"
        )
        raise ConfigError(f"no [[proxy]] is configured, and {which}; choose one with --line")
    return found[0]


def _fixed(config: Config, line: LineSettings) -> LineSettings:
    """A line that needs no meter to know its port and its serial settings."""
    if line.port == AUTO or len(line.ports) > 1:
        raise ConfigError(
            f'line "{line.name}" finds its ports by asking for its meters, which only the daemon does; '
            f'add [[proxy]] line = "{line.name}" and use "wattbook run"'
        )
    serial = config.serial_of(line)
    return replace(line, baud=serial.baud, bits=serial.bits, parity=serial.parity, stopbits=serial.stopbits)


def _described(config: Config, settings: ProxySettings, status: ProxyStatus) -> dict[str, object]:
    [line] = [line for line in config.lines if line.name == settings.line]
    return {
        "line": line.name,
        "port": line.port or line.ports[0],
        "kind": settings.kind,
        "listen": status.listen,
        "allow": settings.allow,
        "allow_write": settings.allow_write,
    }


def _by_the_daemon(whole: Config, wanted: Config) -> str:
    """What the running daemon serves of what was wanted, if it was started with this file."""
    names = {settings.line for settings in wanted.proxies}
    served = [in_words(whole, settings, settings.listen) for settings in whole.proxies if settings.line in names]
    if served:
        return f"by this file it serves {' and '.join(served)}"
    name = wanted.proxies[0].line
    return f'to have it serve the line, add [[proxy]] line = "{name}" to {whole.path.name} and start it again'
