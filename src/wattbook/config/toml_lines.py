"""A TOML text as its statements, each with its very characters: what is not changed stays byte for byte.

tomlkit would do this too, but it gathers tables of one name that stand apart ([[line]], [[meter]], [[line]]: what our
own wizard writes), and puts a new key behind the comment that belongs to the next table.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}=\n]",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DEPTH = {"[": 1, "{": 1, "]": -1, "}": -1}


@dataclass(frozen=True, slots=True)
class Statement:
    """One table header, one key with its value over however many lines, or one line of neither (blank, a comment)."""

    kind: Literal["table", "key", "other"]
    text: str  # with the end of its line
    equals: int = -1  # of a key: where its "=" stands
    behind: int = -1  # of a key: where its value has ended, before a comment or the end of the line

    def path(self) -> Sequence[str]:
        """The names of a header, or of a key with dots."""
        if self.kind == "other":
            return ()
        return tuple(_names(tomllib.loads(self.text if self.kind == "table" else f"{self.text[: self.equals]}= 0")))

    def with_value(self, toml: str) -> str:
        """The same key with another value; its comment stays."""
        return f"{self.text[: self.equals + 1]} {toml}{self.text[self.behind :]}"


def _names(table: Mapping[str, Any]) -> Iterator[str]:
    """The only key of a table, of the table in it, and so on."""
    inner: Any = table
    while isinstance(inner, Mapping) and inner:
        (name,) = inner
        yield name
        inner = inner[name]
        inner = inner[0] if isinstance(inner, list) else inner


def statements(text: str) -> list[Statement]:
    """Cut a text that is right TOML."""
    found: list[Statement] = []
    begin = depth = 0
    equals = comment = -1
    for token in _TOKEN.finditer(text):
        sign = token[0]
        depth += _DEPTH.get(sign, 0)
        if sign == "=" and equals < 0:
            equals = token.start() - begin
        elif sign[0] == "#" and depth == 0:
            comment = token.start() - begin
        elif sign == "\n" and depth == 0:
            found.append(_statement(text[begin : token.end()], equals, comment))
            begin, equals, comment = token.end(), -1, -1
    if begin < len(text):
        found.append(_statement(text[begin:], equals, comment))
    return found


def _statement(text: str, equals: int, comment: int) -> Statement:
    told = text[:comment] if comment >= 0 else text
    behind = len(told.rstrip())
    if not behind:
        return Statement("other", text)
    if told.lstrip().startswith("["):
        return Statement("table", text)
    return Statement("key", text, equals, behind)


def toml_key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else toml_value(name)


def toml_value(value: object) -> str:
    """A value on one line of TOML. Raises ValueError for one that TOML has no words for."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is no number")
            return repr(value)
        case str():
            return _string(value)
        case Mapping():
            inner = ", ".join(f"{toml_key(str(name))} = {toml_value(each)}" for name, each in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case Sequence():
            return f"[{', '.join(map(toml_value, value))}]"
        case _:
            raise ValueError(f"{value!r} is no value of TOML")


def _string(text: str) -> str:
    """A basic string of TOML escapes as JSON does, but knows no surrogates and no bare DEL."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("half a character cannot be written") from error
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
