"""`wattbook export` and `import`: the book as files of other programs, and the history that people bring along."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from wattbook import config as configuration
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, for_people, local, print_line
from wattbook.codecs.reading_json import encode
from wattbook.config import Config
from wattbook.engine.bring_in import BroughtIn, bring_in, open_into
from wattbook.engine.instants import parse_instant
from wattbook.engine.take_out import blocks_of, quantities_of
from wattbook.exchange import AUTO, SYSTEMS, Intake, Meters, Wishes, system_of
from wattbook.exchange.write_csv import csv_chunks
from wattbook.exchange.write_layouts import LAYOUTS, write_lector, write_rx380
from wattbook.model import ConfigError, Reading, Span, SystemClock, quantity
from wattbook.model.batch import EPOCH, to_ms
from wattbook.model.clock import latest_believed
from wattbook.model.nearest import did_you_mean
from wattbook.store import BookReader

FORMATS = ("csv", "xlsx", "parquet")


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(export)
    app.command("import")(import_)


def export(
    meters: Annotated[list[str] | None, typer.Argument(metavar="[METER]...", help="Only these; else all.")] = None,
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
        with _progress("export") as told:
            files = _written(
                reader, names, span, told, form=form, layout=layout, output=output, zone=config.site.timezone
            )
    if files > 1 or (layout != "plain"):
        console(stderr=True).print(f"{files} {'sheets' if form == 'xlsx' else 'files'} written.", highlight=False)


def _format(form: str, output: str, layout: str) -> str:
    if layout not in LAYOUTS:
        raise ConfigError(f'no layout is called "{layout}"{did_you_mean(layout, LAYOUTS)}', place="--layout")
    suffix = Path(output).suffix.removeprefix(".").casefold()
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


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of one system.")],
    *,
    system: Annotated[str, typer.Option("--from", help=f"{', '.join((AUTO, *SYSTEMS))}.")] = AUTO,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="NAME=METER.QUANTITY[:UNIT]", help="What a column, field or series is; - = nothing."
        ),
    ] = None,
    meter: Annotated[str, typer.Option(help="Whose readings they are, where the file names no meter.")] = "",
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="The time; DATE+TIME joins two.")] = "",
    time_format: Annotated[str, typer.Option(help='iso, unix, or as "%d.%m.%Y %H:%M"; else it is recognised.')] = "",
    zone: Annotated[str, typer.Option(help="Of times without an offset; else the site's.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", "--preview", help="Store nothing; show what would be.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Store nothing when any row is bad.")] = False,
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Bring readings from other systems into the book; the good rows are kept, the bad ones listed."""
    config = configuration.load(path)
    clock = SystemClock()
    chosen = system_of(files, system)
    known = Meters([one.name for one in config.meters], default=meter)
    Wishes(maps or [], known)  # a wrong one is told before anything is opened
    with _progress(chosen.title, sum(_size(file) for file in files)) as told:
        begin = partial(
            _intake, known, maps or [], _zone(zone, config), clock.now(),
            time=time, time_form=time_format, told=told,
        )  # fmt: skip
        if dry_run:
            done = bring_in(files, chosen, begin, None)
        else:
            with open_into(config, clock) as into:
                done = bring_in(files, chosen, begin, into, strict=strict)
    if as_json:
        print_line(json.dumps(_json(done, dry_run=dry_run), ensure_ascii=False))
    else:
        _tell(done, config, dry_run=dry_run)
    if done.tally.rejected:
        raise typer.Exit(1)


def _size(file: Path) -> int:
    both = [file.with_suffix(".dat")] if file.suffix == ".meta" else [file]
    return sum(each.stat().st_size for each in both if each.is_file())


def _zone(name: str, config: Config) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else config.site.timezone
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f'no time zone is called "{name}"', place="--zone") from error


def _intake(
    known: Meters, maps: Sequence[str], zone: ZoneInfo, now: datetime,
    *, time: str, time_form: str, told: Callable[[float], None],
) -> Intake:  # fmt: skip
    """One pass over the files; progress begins anew."""
    read = 0

    def seen(size: int) -> None:
        nonlocal read
        read += size
        told(read)

    return Intake(
        meters=known,
        wishes=Wishes(maps, known),
        zone=zone,
        latest_ms=to_ms(latest_believed(now)),
        time=time,
        time_form=time_form,
        seen=seen,
    )


@contextmanager
def _progress(what: str, total: float = 1.0) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, where somebody looks."""
    err = console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task(what, total=total or 1.0)
        yield lambda done: progress.update(task, completed=done)


def _tell(done: BroughtIn, config: Config, *, dry_run: bool) -> None:
    """For people: what was stored on standard output, what was not on standard error."""
    out, err, tally = console(), console(stderr=True), done.tally
    if dry_run:
        for reading in done.first:
            out.print(_line(reading, config), highlight=False, markup=False)
        out.print(f"{tally.readings} readings would be stored ({done.system.title}).", highlight=False, markup=False)
    elif done.refused:
        out.print("Nothing was stored: --strict, and some rows are bad.", highlight=False)
    else:
        told = f"{done.new} new, {done.same} already there, {done.conflicts} in conflict"
        out.print(f"{tally.readings} readings imported ({done.system.title}): {told}.", highlight=False, markup=False)
    if done.conflicts:
        err.print("Where the book had other values for an instant, the first stay.", highlight=False)
    for note in tally.notes:
        err.print(f"# {note}", highlight=False, markup=False)
    if tally.left_out:
        names = ", ".join(f"{name} ({count})" for name, count in tally.left_out.most_common(20))
        err.print(f"# not mapped, left out: {names}", highlight=False, markup=False)
    for bad in tally.listed:
        err.print(str(bad), highlight=False, markup=False)
    if tally.rejected:
        more = f", the first {len(tally.listed)} are listed" if tally.rejected > len(tally.listed) else ""
        err.print(f"{tally.rejected} rows are bad{more}.", highlight=False)


def _line(reading: Reading, config: Config) -> str:
    shown = [
        " ".join((name, *for_people(value, quantity(name).unit))).rstrip() for name, value in reading.values.items()
    ]
    return f"{reading.meter}  {local(reading.at, config.site.timezone)}  {'  '.join(shown)}"


def _json(done: BroughtIn, *, dry_run: bool) -> dict[str, object]:
    tally = done.tally
    stored = not dry_run and not done.refused
    return {
        "system": done.system.name,
        "readings": tally.readings,
        "stored": stored,
        "new": done.new,
        "same": done.same,
        "conflicts": done.conflicts,
        "rejected": tally.rejected,
        "bad": [{"file": bad.file, "line": bad.line, "reason": bad.reason} for bad in tally.listed],
        "left_out": dict(tally.left_out),
        "notes": tally.notes,
        "first": [json.loads(encode(reading)) for reading in done.first] if not stored else [],
    }
