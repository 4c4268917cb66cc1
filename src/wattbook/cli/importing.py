"""`wattbook import`: the history that people bring along."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from wattbook import config as configuration
from wattbook.cli.progress import progress
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, counted, for_people, local, print_line
from wattbook.codecs.reading_json import encode
from wattbook.config import Config
from wattbook.engine.bring_in import BroughtIn, bring_in, open_into
from wattbook.exchange import AUTO, SYSTEMS, Intake, Meters, Wishes, system_of
from wattbook.model import ConfigError, Reading, SystemClock, quantity
from wattbook.model.batch import to_ms
from wattbook.model.clock import latest_believed


def register(app: typer.Typer) -> None:
    """Add this room's command."""
    app.command("import")(import_)


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
    with progress(chosen.title, sum(_size(file) for file in files)) as told:
        begin = partial(
            _intake, known, maps or [], zone_called(zone, config), clock.now(),
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


def zone_called(name: str, config: Config) -> ZoneInfo:
    """The zone of this name, or the site's. Raises ConfigError."""
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


def _tell(done: BroughtIn, config: Config, *, dry_run: bool) -> None:
    """For people: what was stored on standard output, what was not on standard error."""
    out, err, tally = console(), console(stderr=True), done.tally
    readings = counted(tally.readings, "reading")
    if dry_run:
        for reading in done.first:
            out.print(_line(reading, config), highlight=False)
        out.print(f"{readings} would be stored ({done.system.title}).", highlight=False)
    elif done.refused:
        out.print("Nothing was stored: --strict, and some rows are bad.", highlight=False)
    else:
        told = f"{done.new} new, {done.same} already there, {done.conflicts} in conflict"
        out.print(f"{readings} imported ({done.system.title}): {told}.", highlight=False)
    if done.conflicts:
        err.print("Where there were other values for an instant already, the first stay.", highlight=False)
    for note in tally.notes:
        err.print(f"# {note}", highlight=False)
    if tally.left_out:
        names = ", ".join(f"{name} ({count})" for name, count in tally.left_out.most_common(20))
        err.print(f"# not mapped, left out: {names}", highlight=False)
    for bad in tally.listed:
        err.print(str(bad), highlight=False)
    if tally.rejected:
        more = f", the first {len(tally.listed)} are listed" if tally.rejected > len(tally.listed) else ""
        are = "is" if tally.rejected == 1 else "are"
        err.print(f"{counted(tally.rejected, 'row')} {are} bad{more}.", highlight=False)


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
