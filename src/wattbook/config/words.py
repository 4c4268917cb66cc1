"""What is wrong with a table, in words: pydantic's findings as sentences of ours, with the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from pydantic import ValidationError

from wattbook.config.settings import File, MeterSettings, VirtualMeterSettings
from wattbook.config.text import Problem, place_of
from wattbook.model.nearest import did_you_mean


def shape_problems(
    error: ValidationError, text: str, shapes: Mapping[str, type], within: tuple[int | str, ...] = ()
) -> Iterator[Problem]:
    """Each mistake that pydantic found, in words. `within`: where the table stands, if it was looked at alone."""
    for detail in error.errors():
        # Places inside a list of texts, and kinds of a union, are no keys of the file.
        kind, loc = split_kind((*within, *detail["loc"]))
        at = tuple(part for number, part in enumerate(loc) if number < 3 and part not in ("int", "str"))
        at = at[:-1] if len(at) > 2 and isinstance(at[-1], int) else at
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "literal_error":
            message = _not_one_of(detail["input"], detail["ctx"]["expected"])
        if detail["type"] in _KINDS:
            given = _shape_of(detail["input"]) if within else repr(detail["input"])
            message = f"must be {_KINDS[detail['type']]}, not {given}"
        if len(at) == 1 and detail["type"] in _UNKNOWN and not _is_table(detail["input"]):
            words = _outside(str(at[0]), shapes)
        else:
            words = _in_words(at, detail["type"], message, shapes, virtual=kind == "virtual")
        yield Problem(place_of(text, at), words)


def split_kind(loc: Sequence[int | str]) -> tuple[str, Sequence[int | str]]:
    """The kind of a [[meter]] (read or virtual; else ""), and the place without it."""
    of_meter = len(loc) > 2 and loc[0] == "meter" and loc[2] in ("read", "virtual")
    return (str(loc[2]), (*loc[:2], *loc[3:])) if of_meter else ("", loc)


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_KINDS: Mapping[str, str] = {
    "string_type": "a text", "int_type": "a whole number", "int_parsing": "a whole number", "path_type": "a path",
    "bool_type": "true or false", "dict_type": "a table", "tuple_type": "a list", "dataclass_type": "a table",
}  # fmt: skip


def _shape_of(given: object) -> str:
    """What was written, where it may hold a secret: addresses and headers of sinks do."""
    match given:
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return repr(given)


def _not_one_of(given: object, expected: str) -> str:
    """Pydantic lists the choices as 'a', 'b' or 'c', and numbers as 1, 2 or 3."""
    texts, numbers = re.findall(r"'([^']*)'", expected), re.findall(r"\d+", re.sub(r"'[^']*'", "", expected))
    choices = filter(None, (*texts, *numbers))
    return f"cannot be {given!r}{did_you_mean(str(given), texts)}; one of: {', '.join(choices)}"


def _in_words(at: Sequence[int | str], kind: str, message: str, shapes: Mapping[str, type], *, virtual: bool) -> str:
    """One pydantic error as a sentence of ours."""
    table, key = _table_name(at), str(at[-1]) if at else ""
    if kind in _UNKNOWN:
        if len(at) == 1:
            return f"unknown table [{key}]{did_you_mean(key, [field.name for field in fields(File)])}"
        if virtual and key in [field.name for field in fields(MeterSettings)]:
            return f'{table}: a meter with a "formula" is computed from others and takes no "{key}"'
        known = [field.name for field in fields(VirtualMeterSettings if virtual else shapes[str(at[0])])]
        return f'{table}: unknown key "{key}"{did_you_mean(key, known)}'
    if kind in ("missing", "missing_argument"):
        return f'{table}: "{key}" is missing'
    return f"{table}: {key}: {message}"


def _is_table(given: object) -> bool:
    """Whether this stands under a header, [x] or [[x]]."""
    return isinstance(given, dict) or (isinstance(given, list) and any(isinstance(each, dict) for each in given))


def _outside(key: str, shapes: Mapping[str, type]) -> str:
    """A key before the first table: where it belongs, or what it may have meant."""
    keys_of = {table: [field.name for field in fields(shape)] for table, shape in shapes.items()}
    homes = [f'"{table}"' for table, keys in keys_of.items() if key in keys]
    if homes:
        return f'"{key}" stands in no table; it belongs into {" or ".join(homes)}'
    near = did_you_mean(key, {each for keys in keys_of.values() for each in keys})
    return f'"{key}" stands in no table, and none has such a key{near}'


def _table_name(at: Sequence[int | str]) -> str:
    if len(at) > 1 and isinstance(at[1], int):
        return f"[[{at[0]}]] {at[1] + 1}"
    return f"[{at[0]}]" if at else "the file"
