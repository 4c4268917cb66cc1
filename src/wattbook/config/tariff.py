"""Read [[tariff]], or [tariff] alone: the shapes of its versions, and whether they go together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from wattbook.config.tariff_settings import EnergyPriceSettings, TariffSettings
from wattbook.config.text import Problem, place_of
from wattbook.model.nearest import did_you_mean
from wattbook.tariffs import Tariff, Version, Zones
from wattbook.tariffs.tariff import FREE

VERSIONS_MAX = 200  # prices of a quarter of an hour that change every month, for 16 years
Place = tuple[int | str, ...]


def read_tariff(
    given: object, text: str, zone: ZoneInfo, sources: Sequence[str]
) -> tuple[Tariff | None, Sequence[Problem]]:
    """The tariff, when all of it is right, and what is wrong. `sources`: those that meters stand at."""
    tables = [given] if isinstance(given, Mapping) else given
    if not isinstance(tables, list | tuple):
        return None, [Problem(place_of(text, ("tariff",)), "[[tariff]] must be a table")]
    if len(tables) > VERSIONS_MAX:
        return None, [Problem(place_of(text, ("tariff",)), f"more than {VERSIONS_MAX} tables [[tariff]]")]
    found: list[tuple[int, Version]] = []
    problems: list[Problem] = []
    for number, table in enumerate(tables):
        try:
            read = TypeAdapter(TariffSettings).validate_python(table)
        except ValidationError as error:
            problems += _shape_problems(error, text, number)
        else:
            found.append((number, read.made()))
    if found and not problems:
        problems += _of_times(found, text)
        problems += _of_prices(found, text, sources or ["utility"])
    versions = sorted((version for _, version in found), key=lambda each: each.start or date.min)
    return (Tariff(tuple(_ended(versions)), zone) if versions and not problems else None), problems


def _ended(versions: Sequence[Version]) -> Iterator[Version]:
    """Each up to the next one at the latest."""
    for version, after in zip(versions, [*versions[1:], None], strict=True):
        yield version if version.end or after is None else replace(version, end=after.start)


def _of_times(found: Sequence[tuple[int, Version]], text: str) -> Iterator[Problem]:
    """Versions that end before they begin, overlap, or leave days without a price between them."""
    for number, version in found:
        if version.start and version.end and version.end <= version.start:
            yield _problem(text, (number, "valid_to"), f"valid_to {version.end} is not after {version.start}")
    ordered = sorted(found, key=lambda each: each[1].start or date.min)
    for (one, before), (number, after) in pairwise(ordered):
        if after.start is None or before.start == after.start:
            yield _problem(text, (number, "valid_from"), f"it begins with [[tariff]] {one + 1}; say from when it holds")
        elif before.end and before.end > after.start:
            yield _problem(text, (one, "valid_to"), f"it overlaps with [[tariff]] {number + 1} from {after.start} on")
        elif before.end and before.end < after.start:
            yield _problem(text, (one, "valid_to"), f"no tariff holds from {before.end} until {after.start}")


def _of_prices(found: Sequence[tuple[int, Version]], text: str, sources: Sequence[str]) -> Iterator[Problem]:
    """Times with two prices or none, and sources without any."""
    for number, version in found:
        for (source, export), zones in version.zones.items():
            what = f"{'export to' if export else 'energy from'} {source}"
            for problem in (*zones.problems(), *_of_others(source, zones, export=export)):
                first = version.prices.index(zones.prices[0])
                yield _problem(text, (number, "energy", first), f"{what}: {problem}")
        for source in sorted({*sources} - {*FREE}):
            if (source, False) not in version.zones:
                example = f'add a [[tariff.energy]] with source = "{source}"'
                yield _problem(text, (number,), f"energy from {source} has no price; {example}")


def _of_others(source: str, zones: Zones, *, export: bool) -> Iterator[str]:
    """What only the utility and its meter can do."""
    if source != "utility" and export:
        yield "only what the utility takes is a credit; leave out source"
    elif source != "utility" and not zones.by_clock:
        yield "only the utility's meter decides by registers; say when all prices but one hold"


def _shape_problems(error: ValidationError, text: str, number: int) -> Iterator[Problem]:
    details = error.errors()
    for detail in details:
        if detail["type"] == "too_short" and len(details) > 1:
            continue  # prices that are wrong are told one by one
        at = (number, *detail["loc"])[:4]
        settings = EnergyPriceSettings if len(at) > 3 else TariffSettings
        key, message = str(at[-1]), detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "unexpected_keyword_argument":
            message = f'unknown key "{key}"{did_you_mean(key, [each.name for each in fields(settings)])}'
        elif detail["type"] in ("missing_argument", "missing"):
            message = f'"{key}" is missing'
        elif detail["type"] == "literal_error":
            message = f"{key}: cannot be {detail['input']!r}; it is {detail['ctx']['expected']}"
        else:
            message = f"{key}: {message}"
        yield _problem(text, at, message)


def _problem(text: str, at: Place, message: str) -> Problem:
    """`at`: number of the table, then "energy", number of the price, key."""
    number = int(at[0])
    title = f"[[tariff]] {number + 1}"
    if len(at) > 2 and at[1] == "energy":
        return Problem(_place_of_price(text, at), f"{title}, energy {int(at[2]) + 1}: {message}")
    return Problem(place_of(text, ("tariff", *at)), f"{title}: {message}")


def _place_of_price(text: str, at: Place) -> int:
    """The line of a [[tariff.energy]], or of a key in it: those of the n-th [[tariff]] stand below it."""
    lines = text.split("\n")
    begin = place_of(text, ("tariff", at[0]))
    headers = [number for number, line in enumerate(lines, 1) if number > begin and _header(line) == "tariff.energy"]
    if int(at[2]) >= len(headers):
        return begin  # written in one line
    place = headers[int(at[2])]
    for number in range(place + 1, len(lines) + 1):
        if _header(lines[number - 1]):
            break
        if len(at) > 3 and re.match(rf"\s*\"?{re.escape(str(at[3]))}\"?\s*=", lines[number - 1]):
            return number
    return place


def _header(line: str) -> str:
    match = re.match(r"\s*\[{1,2}\s*([\w.\- ]+?)\s*\]{1,2}", line)
    return match[1] if match else ""
