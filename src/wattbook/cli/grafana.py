"""`wattbook grafana`: the files with which Grafana shows what the sinks write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook.cli.show import HERE, ConfigOption, console, counted
from wattbook.config import Config
from wattbook.grafana import Readings, files_of, readings_of
from wattbook.grafana.told import told_by
from wattbook.model import ConfigError, SystemClock
from wattbook.store import BookReader

KINDS = ("influxdb", "postgresql")


def register(app: typer.Typer) -> None:
    """Add this room's command."""
    app.command()(grafana)


def grafana(
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Where to write: Grafana's provisioning folder, or any.")],
    kind: Annotated[str, typer.Option("--for", help="influxdb or postgresql; else all that the sinks write to.")] = "",
    installed: Annotated[
        Path | None, typer.Option("--installed", help="Where the folder will lie for Grafana, if elsewhere.")
    ] = None,
    path: ConfigOption = HERE,
) -> None:
    """Write data sources and dashboards for Grafana, made from the sinks of wattbook.toml."""
    if kind and kind not in KINDS:
        raise ConfigError(f'"{kind}" is none of {", ".join(KINDS)}', place="--for")
    config = configuration.load(path)
    found = _found(config, kind)
    files = files_of(found, config.site.name, installed or folder.resolve())
    try:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(folder)) from error
    out = console()
    out.print(f"{counted(len(files), 'file')} written to {folder}.", highlight=False)
    for variable in (readings.source.secret for readings in found if readings.source.secret):
        out.print(f"Grafana's environment must hold {variable}.", highlight=False)


def _found(config: Config, kind: str) -> Sequence[Readings]:
    """The first sink of each kind. Raises ConfigError when there is none."""
    told = _told(config)
    first: dict[str, Readings] = {}
    for sink in config.sinks:
        readings = readings_of(config, sink, told)
        if readings is not None and kind in ("", readings.source.kind):
            first.setdefault(readings.source.kind, readings)
    if not first:
        wanted = f"to {kind}" if kind else "to InfluxDB or PostgreSQL"
        raise ConfigError(f"no [[sink]] writes {wanted}: Grafana would have nothing to show", place=config.path.name)
    return list(first.values())


def _told(config: Config) -> Mapping[str, Sequence[str]]:
    """Meter -> its quantities: as its model says, and as its last reading shows."""
    seen: dict[str, Sequence[str]] = {}
    if config.book.exists():
        with BookReader(config.book) as reader:
            readings = reader.latest([meter.name for meter in config.meters], now=SystemClock().now())
            seen = {reading.meter: tuple(reading.values) for reading in readings}
    return {
        meter.name: tuple(dict.fromkeys([*told_by(config.profiles[meter.name]), *seen.get(meter.name, ())]))
        for meter in config.meters
    }
