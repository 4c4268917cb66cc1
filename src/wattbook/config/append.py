"""Add lines and meters to a wattbook.toml. What stands there stays as it is, comments included: text is only appended,
and only when the file with it has no problem that it did not have before."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from wattbook.config.read import examine
from wattbook.config.settings import Config
from wattbook.config.text import Problem
from wattbook.model.errors import ConfigError

Value = str | int


class NotRight(ConfigError):
    """Pieces that would make the file wrong. `fields`: key -> what is wrong with it; "" where it is of no key."""

    def __init__(self, message: str, *, place: str, fields: Mapping[str, str]) -> None:
        super().__init__(message, place=place)
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Piece:
    """A [site], [[line]] or [[meter]], or, without a table, words for the reader."""

    table: str
    keys: Mapping[str, Value]
    comment: str = ""

    def text(self) -> str:
        """The piece as TOML."""
        comment = [f"# {line}" for line in self.comment.splitlines()]
        if not self.table:
            return "\n".join(comment)
        keys = [f"{key} = {_toml(value)}" for key, value in self.keys.items()]
        header = f"[{self.table}]" if self.table == "site" else f"[[{self.table}]]"
        return "\n".join([*comment, header, *keys])


def pieces_text(pieces: Iterable[Piece]) -> str:
    """Pieces as TOML, a blank line between them."""
    return "\n\n".join(piece.text() for piece in pieces) + "\n"


def _toml(value: Value) -> str:
    """A basic string of TOML escapes as JSON does, but knows no surrogates and no bare DEL."""
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


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


def append(path: Path, pieces: Sequence[Piece]) -> None:
    """Append pieces, or begin the file with them. Raises ConfigError, and leaves the file as it was, when the whole
    would have a new problem."""
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", place=str(path)) from error
    joint = "" if not old else "\n" if old.endswith("\n") else "\n\n"
    added = joint + pieces_text(pieces)
    _check(path, old, old + added)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(added)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(path)) from error


def _check(path: Path, old: str, new: str) -> None:
    """Raise ConfigError for a problem that only the new text has."""
    before = [problem.message for problem in _problems(path, old)] if old else []
    fresh = [problem for problem in _problems(path, new) if problem.message not in before]
    if fresh:
        told = "; ".join(problem.message for problem in fresh)
        fields: dict[str, str] = {}
        for problem in fresh:
            key = _key_at(new, problem.line)
            fields[key] = f"{fields[key]}; {problem.message}" if key in fields else problem.message
        raise NotRight(f"nothing was written, for it would not be right: {told}", place=path.name, fields=fields)


def _key_at(text: str, line: int) -> str:
    """The key that stands on a line of TOML, from 1; "" = none does."""
    found = re.match(r"\s*([\w-]+)\s*=", text.splitlines()[line - 1]) if line else None
    return found[1] if found else ""


def _problems(path: Path, text: str) -> Sequence[Problem]:
    """What is wrong with a text that would stand at `path`: looked at beside it, where relative paths are the same."""
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.absolute().parent, prefix=".", suffix=".toml") as copy:
            copy.write(text)
            copy.flush()
            return examine(Path(copy.name))[1]
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", place=str(path.parent)) from error
