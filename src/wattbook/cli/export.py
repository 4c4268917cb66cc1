"""`wattbook export`: readings as the files of other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.progress import progress
from wattbook.cli.show import HERE, ConfigOption, console, counted
from wattbook.config import Config
from wattbook.engine.instants import parse_instant
from wattbook.engine.take_out import blocks_of, quantities_of
from wattbook.exchange.write_csv import csv_chunks
from wattbook.exchange.write_layouts import LAYOUTS, write_lector, write_rx380
from wattbook.model import ConfigError, Span, SystemClock
from wattbook.model.batch import EPOCH
from wattbook.model.nearest import did_you_mean
from wattbook.store import BookReader

FORMATS = ("csv", "xlsx", "parquet")
_ENDINGS = ", ".join(f".{form}" for form in FORMATS)


def register(app: typer.Typer) -> None:
    """Add this room's command."""
    app.command()(export)


def export(
    meters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[METER]...", help="Only these; else all.", autocompletion=complete.own_meters),
    ] = None,
    *,
    output: Annotated[
        str, typer.Option("-o", "--output", help="The file (a folder for rx380 and lector); - = out.")
    ] = "-",
    form: Annotated[str, typer.Option("--format", help="csv, xlsx or parquet; else as the file is called.")] = "",
    layout: Annotated[str, typer.Option(help="plain, or the seeds' own files: rx380, lector.")] = "plain",
    start: Annotated[str, typer.Option("--from", help="An instant: ISO 8601, today, yesterday, -24h.")] = "",
    end: Annotated[str, typer.Option("--to", help="An instant, not included.")] = "",
    path: ConfigOption = HERE,
) -> None:
    """Write readings to a file: the plain table (CSV), a spreadsheet, Parquet, or the daily files of a seed."""
    config = configuration.load(path)
    form = _format(form, output, layout)
    with BookReader(config.book) as reader:
        names = _known_meters(config, reader, meters or [])
        span = _span(start, end, config)
        with progress("export") as told:
            files = _written(
                reader, names, span, told, form=form, layout=layout, output=output, zone=config.site.timezone
            )
    if files > 1 or (layout != "plain"):
        console(stderr=True).print(f"{counted(files, 'sheet' if form == 'xlsx' else 'file')} written.", highlight=False)


def _format(form: str, output: str, layout: str) -> str:
    if layout not in LAYOUTS:
        raise ConfigError(f'no layout is called "{layout}"{did_you_mean(layout, LAYOUTS)}', place="--layout")
    suffix = Path(output).suffix.removeprefix(".").casefold()
    if not form and suffix and suffix not in FORMATS and layout == "plain":
        raise ConfigError(
            f'no format is called "{suffix}"{did_you_mean(suffix, FORMATS)}; end it in {_ENDINGS}, or say --format',
            place=output,
        )
    form = form or (suffix if suffix in FORMATS else "csv")
    if form not in FORMATS:
        raise ConfigError(
            f'no format is called "{form}"{did_you_mean(form, FORMATS)}; one of: {", ".join(FORMATS)}', place="--format"
        )
    if layout != "plain" and form != "csv":
        raise ConfigError(f"the layout {layout} is text, not {form}", place="--format")
    if output == "-" and (form != "csv" or layout != "plain"):
        raise ConfigError("say where to: -o FILE" if layout == "plain" else "say where to: -o FOLDER", place="--output")
    return form


def _known_meters(config: Config, reader: BookReader, asked: Sequence[str]) -> list[str]:
    """The meters to write: as asked, else all that ever had a reading, those of the configuration first."""
    in_book = reader.meters()
    configured = [meter.name for meter in config.meters]
    known = list(dict.fromkeys([*configured, *in_book]))
    for name in asked:
        if name not in known:
            raise ConfigError(f'no meter is called "{name}"{did_you_mean(name, known)}', place=config.path.name)
    return [name for name in (list(dict.fromkeys(asked)) or known) if name in in_book]


def _span(start: str, end: str, config: Config) -> Span:
    """The time asked for; all of it when nothing is said."""
    now, zone = SystemClock().now(), config.site.timezone
    begin = parse_instant(start, zone=zone, now=now) if start else EPOCH
    stop = parse_instant(end, zone=zone, now=now) if end else now + timedelta(days=2)
    if stop < begin:
        raise ConfigError(f'"{end or "now"}" lies before "{start}"')
    return Span(begin, stop)


def _written(reader: BookReader, meters: Sequence[str], span: Span, told: Callable[[float], None], **how: Any) -> int:
    """Write, and return how many files or sheets. Raises ConfigError for what the disk does not allow."""
    try:
        return _write(reader, meters, span, told, **how)
    except BrokenPipeError:
        raise  # whoever reads has enough, as of any other command
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=how["output"]) from error


def _write(
    reader: BookReader,
    meters: Sequence[str],
    span: Span,
    told: Callable[[float], None],
    *,
    form: str,
    layout: str,
    output: str,
    zone: ZoneInfo,
) -> int:
    blocks = blocks_of(reader, meters, span, told)
    if layout == "rx380":
        return write_rx380(Path(output), blocks, zone)
    quantities = quantities_of(reader, meters, span)
    if layout == "lector":
        return write_lector(Path(output), blocks, quantities, zone)
    if output == "-":
        for chunk in csv_chunks(blocks, quantities, zone):
            sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
        return 1
    with _whole(Path(output)) as part:
        if form == "xlsx":
            from wattbook.exchange.write_xlsx import write_xlsx

            return write_xlsx(part, blocks, quantities, zone)
        with part.open("wb") as file:
            if form == "parquet":
                from wattbook.exchange.write_parquet import write_parquet

                write_parquet(file, blocks, quantities)
            else:
                file.writelines(csv_chunks(blocks, quantities, zone))
    return 1


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside the one that is wanted, which becomes it when it is whole."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
