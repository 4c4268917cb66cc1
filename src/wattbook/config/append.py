"""Change a wattbook.toml, or begin one: what stands there stays as it is, comments included, and it is only written
when the file with the change has no problem that it did not have before."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from wattbook.config.edit import SINGLE, Edit, edited, lines_of
from wattbook.config.read import examine
from wattbook.config.settings import Config
from wattbook.config.text import Problem
from wattbook.config.toml_lines import toml_key, toml_value
from wattbook.config.write_whole import write_whole
from wattbook.model.errors import ConfigError


class NotRight(ConfigError):
    """Pieces that would make the file wrong. `fields`: key -> what is wrong with it; "" where it is of no key."""

    def __init__(self, message: str, *, place: str, fields: Mapping[str, str]) -> None:
        super().__init__(message, place=place)
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Piece:
    """A [site], [[line]] or [[meter]], or, without a table, words for the reader."""

    table: str
    keys: Mapping[str, object]
    comment: str = ""

    def text(self) -> str:
        """The piece as TOML."""
        comment = [f"# {line}" for line in self.comment.splitlines()]
        if not self.table:
            return "\n".join(comment)
        keys = [f"{toml_key(key)} = {toml_value(value)}" for key, value in self.keys.items()]
        header = f"[{self.table}]" if self.table in SINGLE else f"[[{self.table}]]"
        return "\n".join([*comment, header, *keys])


def pieces_text(pieces: Iterable[Piece]) -> str:
    """Pieces as TOML, a blank line between them."""
    return "\n\n".join(piece.text() for piece in pieces) + "\n"


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """A name for a line or meter that no other one has: `wanted`, else with a number."""
    name = re.sub(r"[\x00-\x1f\x7f/#+]+", "-", wanted).strip("-")[:90] or "line"
    number = 2
    free = name
    while free in taken:
        free = f"{name}-{number}"
        number += 1
    return free


def present(path: Path) -> Config | None:
    """The configuration as it is, for names and ports that are taken; None = there is no such file.

    Raises ConfigError when it is so wrong that nothing can be told.
    """
    if not path.exists():
        return None
    config, problems = examine(path)
    if config is None:
        raise ConfigError("\n".join(problem.at(path) for problem in problems))
    return config


def append(path: Path, pieces: Sequence[Piece], *, before: Callable[[], None] = lambda: None) -> None:
    """Append pieces, or begin the file with them. Raises ConfigError, and leaves the file as it was, when the whole
    would have a new problem. `before` is called when all is right, and before anything is written."""
    old = text_of(path) if path.exists() else ""
    joint = "" if not old else "\n" if old.endswith("\n") else "\n\n"
    new = old + joint + pieces_text(pieces)
    _check(path, old, new, range(old.count("\n") + 1, new.count("\n") + 1))
    before()
    write_whole(path, new)


def change(path: Path, edit: Edit, *, before: Callable[[], None] = lambda: None) -> None:
    """Add, change or remove a table. Raises ConfigError, and leaves the file as it was, when the whole would have a
    new problem. `before` is called when all is right, and before anything is written; what it raises ends it."""
    old = text_of(path)
    try:
        new = edited(old, edit)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    _check(path, old, new, lines_of(old, new, edit))
    before()
    if new != old:
        write_whole(path, new)


def text_of(path: Path) -> str:
    """The file's text, with its own ends of lines. Raises ConfigError."""
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", place=str(path)) from error


def _check(path: Path, old: str, new: str, lines: Collection[int]) -> None:
    """Raise ConfigError for a problem that only the new text has. `lines`: where its keys are the asker's own."""
    before = [problem.message for problem in problems_in(path, old)] if old else []
    fresh = [problem for problem in problems_in(path, new) if problem.message not in before]
    if fresh:
        told = "; ".join(problem.message for problem in fresh)
        fields: dict[str, str] = {}
        for problem in fresh:
            key = _key_at(new, problem.line) or _key_missing(problem.message) if problem.line in lines else ""
            fields[key] = f"{fields[key]}; {problem.message}" if key in fields else problem.message
        raise NotRight(f"nothing was written, for it would not be right: {told}", place=path.name, fields=fields)


def _key_at(text: str, line: int) -> str:
    """The key that stands on a line of TOML, from 1; "" = none does."""
    found = re.match(r"\s*([\w-]+)\s*=", text.split("\n")[line - 1]) if line else None
    return found[1] if found else ""


def _key_missing(message: str) -> str:
    """The key that a table lacks, as config/words.py says it; "" = it is about something else."""
    found = re.search(r': "([\w-]+)" is missing$', message)
    return found[1] if found else ""


def problems_in(path: Path, text: str) -> Sequence[Problem]:
    """What is wrong with a text that would stand at `path`: looked at beside it, where relative paths are the same."""
    try:
        with NamedTemporaryFile("wb", dir=path.absolute().parent, prefix=".", suffix=".toml") as copy:
            copy.write(text.encode())
            copy.flush()
            return examine(Path(copy.name))[1]
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(path.parent)) from error
