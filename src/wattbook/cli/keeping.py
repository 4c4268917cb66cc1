"""`wattbook backup`, `restore`, `verify` and `storage`: what keeps a book over the years."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from wattbook import config as configuration
from wattbook.cli.progress import progress
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, counted, local, print_line
from wattbook.codecs.reading_json import format_instant
from wattbook.model import BookError, ConfigError, SystemClock
from wattbook.store import BookReader
from wattbook.store.backup import back_up, copy_config, copy_people
from wattbook.store.backup import restore as put_back
from wattbook.store.storage import Storage, storage_of
from wattbook.store.verify import Link, Verified, head_of_chain, links_of_day
from wattbook.store.verify import verify as look_through


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(backup)
    app.command()(restore)
    app.command()(verify)
    app.command()(storage)


def backup(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Else [backup] dir.")] = None,
    *,
    keep: Annotated[int | None, typer.Option(min=1, help="So many of the newest stay; else all.")] = None,
    require_mount: Annotated[
        bool, typer.Option("--require-mount", help="Refuse when nothing is mounted at DIR or above.")
    ] = False,
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Copy the whole book, also while wattbook runs, and read the copy back."""
    config = configuration.load(path)
    if folder is None:
        if config.backup is None:
            raise ConfigError("say where to: wattbook backup DIR, or [backup] dir", place=config.path.name)
        folder, keep = config.backup.dir, keep or config.backup.keep
        require_mount = require_mount or config.backup.require_mount
    with progress("backup") as told:
        made = back_up(
            config.book,
            folder,
            now=SystemClock().now(),
            keep=keep,
            require_mount=require_mount,
            config=config.path,
            people=config.people,
            progress=lambda done, total: told(done / max(total, 1)),
        )
    if as_json:
        removed = [each.name for each in made.removed]
        print_line(
            json.dumps({"file": str(made.path), "bytes": made.size, "readings": made.readings, "removed": removed})
        )
        return
    console().print(
        f"{made.path}: {counted(made.readings, 'reading')}, {_bytes(made.size)}, read back", highlight=False
    )
    if made.removed:
        console(stderr=True).print(f"{len(made.removed)} older removed.", highlight=False)


def restore(
    copy: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `wattbook backup` made.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Put a book that is there aside.")] = False,
    path: ConfigOption = HERE,
) -> None:
    """Put a backup in the place of the book; and what stands beside it, where there is none: configuration, people."""
    beside = copy.with_suffix(".toml")
    brought = not path.exists() and beside.is_file()
    if brought:
        path.parent.mkdir(parents=True, exist_ok=True)
        copy_config(beside, path)
    try:
        config = configuration.load(path)
        config.book.parent.mkdir(parents=True, exist_ok=True)
        aside = put_back(copy, config.book, now=SystemClock().now(), force=force)
    except BaseException:
        if brought:
            path.unlink()
        raise
    known = copy.with_suffix(".people")
    back = known.is_file() and not config.people.exists()
    if back:  # else those who are there stay: a token that was taken back since must not open the door again
        copy_people(known, config.people)
    console().print(f"{config.book}: restored from {copy.name}", highlight=False)
    if brought:
        console().print(f"{path}: restored too", highlight=False)
    if back:
        console().print(f"{config.people}: users and tokens restored too", highlight=False)
    if aside is not None:
        console().print(f"the book that was there is {aside.name}", highlight=False)


def verify(
    *,
    proof: Annotated[str, typer.Option(metavar="DAY", help="Print the links of a local day: 2026-11-21.")] = "",
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Look through the whole book: every checksum, every sealed day opened, and the chain that shows changes."""
    config = configuration.load(path)
    with BookReader(config.book) as reader:
        if proof:
            links = links_of_day(reader, _day(proof), config.site.timezone)
            _print_proof(links, head_of_chain(reader), as_json=as_json)
            return
        with progress("verify") as told:
            found = look_through(reader, config.site.timezone, progress=lambda done, total: told(done / max(total, 1)))
    _print_verified(found, as_json=as_json)
    if not found.whole:
        raise BookError(f"{config.book}: {len(found.damages)} damaged; restore a backup, or live without those days")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f'"{text}" is no day; write 2026-11-21', place="--proof") from error


def _print_verified(found: Verified, *, as_json: bool) -> None:
    if as_json:
        answer = {
            "frames": found.frames,
            "readings": found.readings,
            "readings_hot": found.readings_hot,
            "links": found.links,
            "head": found.head.hex(),
            "damages": found.damages,
        }
        print_line(json.dumps(answer, ensure_ascii=False))
        return
    for words in found.damages:
        console().print(words, highlight=False)
    sealed = f"{counted(found.frames, 'frame')} with {counted(found.readings, 'reading')}"
    links = f"{counted(found.links, 'link')} in the chain"
    console().print(f"{sealed}, {links}; {counted(found.readings_hot, 'reading')} not sealed yet", highlight=False)
    if found.head:
        console().print(f"head {found.head.hex()}", highlight=False)


def _print_proof(links: Sequence[Link], head: bytes, *, as_json: bool) -> None:
    told = [
        {
            "link": link.id,
            "meter": link.meter,
            "from": format_instant(link.from_at),
            "to": format_instant(link.to_at),
            "revision": link.revision,
            "sealed": format_instant(link.at),
            "leaf": link.leaf.hex(),
            "hash": link.link.hex(),
        }
        for link in links
    ]
    if as_json:
        print_line(json.dumps({"links": told, "head": head.hex()}, ensure_ascii=False))
        return
    for each in told:
        console().print(
            f"link {each['link']}: {each['meter']}, {each['from']} to {each['to']}, revision {each['revision']},"
            f" sealed {each['sealed']}\n  leaf {each['leaf']}\n  hash {each['hash']}",
            highlight=False,
        )
    if not told:
        console(stderr=True).print("No meter has that day sealed yet.")
    console().print(f"head {head.hex() or '-'}", highlight=False)


def storage(*, path: ConfigOption = HERE, as_json: JsonOption = False) -> None:
    """Tell how large the book is, how fast it grows, and when its disk will be full."""
    config = configuration.load(path)
    with BookReader(config.book) as reader:
        told = storage_of(reader, SystemClock().now())
    if as_json:
        print_line(json.dumps(told.to_json() | {"commit_every_s": config.site.commit_every}))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in _rows(told, config):
        table.add_row(*row)
    console().print(table)


def _rows(told: Storage, config: configuration.Config) -> list[tuple[str, str]]:
    full = f"full {local(told.full_at, config.site.timezone)}" if told.full_at else "not full in 100 years"
    return [
        ("the book", f"{_bytes(told.bytes_file)}, of which {_bytes(told.bytes_unused)} are free for what comes"),
        ("readings", f"{told.readings_sealed} sealed, {told.readings_hot} not yet"),
        ("a day takes", _bytes(told.bytes_a_day) if told.bytes_a_day else "not known before a day is sealed"),
        ("its disk", f"{_bytes(told.bytes_free)} free" + (f", {full}" if told.bytes_a_day else "")),
        ("a power cut", f"may cost the last {config.site.commit_every:g} s of polled readings (commit_every)"),
    ]


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
