"""Add, change and remove one table of a wattbook.toml; everything else in the file stays byte for byte."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Literal

from wattbook.config.toml_lines import Statement, statements, toml_key, toml_value
from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean

SINGLE = ("site", "log", "api", "supply", "backup")  # tables that are there once at most; the others are lists


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be done to a table. `name` says which one of a list; of keys, None takes one away."""

    do: Literal["add", "change", "remove"]
    table: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def header(self) -> str:
        """The table's first line."""
        return f"[{self.table}]" if self.table in SINGLE else f"[[{self.table}]]"


def tables_of(text: str, table: str) -> Sequence[dict[str, Any]]:
    """The tables of a name as the file has them, in its order."""
    found = tomllib.loads(text).get(table, [])
    return found if isinstance(found, list) else [found]


def edited(text: str, edit: Edit) -> str:
    """The text after an edit. Raises ConfigError when there is no such table, or too many."""
    newline = "\r\n" if "\r\n" in text else "\n"
    cut = statements(text)
    place = _find(text, cut, edit)
    if edit.do == "remove":
        return _joined(_without(cut, _required(place, edit)))
    if edit.do == "add" and place is not None:
        raise ConfigError(f"{edit.header} is there already; change it")
    if place is None and edit.do == "change" and edit.table not in SINGLE:
        place = _required(place, edit)
    if place is None:
        return _appended(text, edit, newline)
    return _joined(_changed(cut, place, edit, newline))


def lines_of(old: str, new: str, edit: Edit) -> Collection[int]:
    """The lines, from 1, of the table that an edit of the old text made or changed in the new one."""
    if edit.do == "remove":
        return ()
    tables = tables_of(old, edit.table)
    number = 0 if edit.table in SINGLE else len(tables) if edit.do == "add" else _number(tables, edit)
    cut = statements(new)
    ends = list(accumulate((each.text.count("\n") for each in cut), initial=1))
    parts = _parts(cut, edit.table, number)
    return {line for part in parts for at in part for line in range(ends[at], max(ends[at + 1], ends[at] + 1))}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a table stands: its header and keys, then tables below it ([sink.tags])."""

    parts: Sequence[range]  # numbers of statements; a part ends with its last key
    was: Mapping[str, Any]


def _find(text: str, cut: Sequence[Statement], edit: Edit) -> _Place | None:
    """The place of the table that is meant; None when it is none yet."""
    tables, single = tables_of(text, edit.table), edit.table in SINGLE
    if edit.do == "add" and not single:
        tables = []
    number = 0 if single else _number(tables, edit)
    if number >= len(tables):
        return None
    parts = _parts(cut, edit.table, number)
    if not parts or cut[parts[0].start].path() != (edit.table,):
        raise ConfigError(f"it is not written as {edit.header}, a line for each key; change it in the file")
    return _Place(parts, tables[number])


def _number(tables: Sequence[Mapping[str, Any]], edit: Edit) -> int:
    names = [str(each.get("name", "")) for each in tables]
    if edit.do != "add" and edit.name not in names:
        raise ConfigError(f'no {edit.table} is called "{edit.name}"{did_you_mean(edit.name, names)}')
    return names.index(edit.name) if edit.name in names else len(names)


def _required(place: _Place | None, edit: Edit) -> _Place:
    if place is None:
        raise ConfigError(f"there is no {edit.header}")
    return place


def _parts(cut: Sequence[Statement], table: str, number: int) -> Sequence[range]:
    """The statements of the table `number` of a name, by part."""
    heads = [index for index, each in enumerate(cut) if each.kind == "table"]
    seen, parts = -1, []
    for index, behind in pairwise([*heads, len(cut)]):
        path = cut[index].path()
        if path[0] != table:
            continue
        seen += path == (table,)
        if seen == number or (seen < 0 and number == 0):
            keys = [at for at in range(index, behind) if cut[at].kind != "other"]
            parts.append(range(index, keys[-1] + 1))
    return parts


def _without(cut: Sequence[Statement], place: _Place) -> list[str]:
    """The texts without a table. Comments above it stay: nobody but their writer knows what they are about."""
    texts = [each.text for each in cut]
    for part in place.parts:
        for at in part:
            texts[at] = ""
        if part.stop < len(cut) and not cut[part.stop].text.strip() and _blank_before(cut, part.start):
            texts[part.stop] = ""
    return texts


def _blank_before(cut: Sequence[Statement], at: int) -> bool:
    return at == 0 or not cut[at - 1].text.strip()


def _changed(cut: Sequence[Statement], place: _Place, edit: Edit, newline: str) -> list[str]:
    texts = [each.text for each in cut]
    fresh: list[str] = []
    for key, value in edit.keys.items():
        if key in place.was and place.was[key] == value and type(place.was[key]) is type(value):
            continue
        own = [at for at in place.parts[0] if cut[at].kind == "key" and cut[at].path()[0] == key]
        if value is not None and len(own) == 1 and len(cut[own[0]].path()) == 1:
            texts[own[0]] = cut[own[0]].with_value(toml_value(value))
            continue
        below = [at for part in place.parts[1:] if cut[part.start].path()[1:2] == (key,) for at in part]
        for at in (*own, *below):
            texts[at] = ""
        if value is not None:
            fresh.append(f"{toml_key(key)} = {toml_value(value)}{newline}")
    last = place.parts[0][-1]
    if fresh:
        texts[last] += "" if not texts[last] or texts[last].endswith("\n") else newline
        texts[last] += "".join(fresh)
    return texts


def _appended(text: str, edit: Edit, newline: str) -> str:
    keys = [f"{toml_key(key)} = {toml_value(value)}" for key, value in edit.keys.items() if value is not None]
    joint = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + joint + newline.join([edit.header, *keys, ""])


def _joined(texts: Sequence[str]) -> str:
    return "".join(texts)
