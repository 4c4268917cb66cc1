"""Answers as a table for people, and as one for spreadsheets: a column for each meter or source."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from rich.table import Table

from wattbook.cli.show import bar, console, for_people, local
from wattbook.engine.answer import Answer
from wattbook.engine.tabulate import WORST, label, side_by_side, table_rows
from wattbook.model import EnergyQuality, Kind, Point, Quality

_MARKS: Mapping[str, str] = {
    EnergyQuality.SPREAD: "~",
    EnergyQuality.ESTIMATED: "≈",
    EnergyQuality.MISSING: "",
    Quality.SUSPECT: "?",
}


def print_table(answers: Sequence[Answer], zone: ZoneInfo) -> None:
    """Values in local time; of one meter with bars, so that the shape of a day is seen."""
    if not any(len(answer.series) for answer in answers):
        span = answers[0].question.span
        nothing = f"No reading from {local(span.start, zone)} to {local(span.end, zone)}."
        console(stderr=True).print(nothing, highlight=False)
    elif len(answers) == 1:
        _print_one(answers[0], zone)
    else:
        _print_several(answers, zone)


def _print_one(answer: Answer, zone: ZoneInfo) -> None:
    table = Table("from", answer.quantity.title, "", "", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    # A register that only grows has no shape worth a bar; its energy by step has.
    shape = bool(answer.every) or answer.quantity.kind is Kind.GAUGE
    points = list(answer.series)
    most = max((abs(point.value) for point in points if point.value is not None), default=0.0)
    for point in points:
        doubt = "" if point.quality in ("good", "measured") else str(point.quality)
        length = bar(abs(point.value) / most) if shape and point.value is not None and most else ""
        table.add_row(local(point.at, zone), _for_people(point, answer.quantity.unit), length, doubt)
    console().print(table)


def _print_several(answers: Sequence[Answer], zone: ZoneInfo) -> None:
    """Side by side, each value with a mark of its quality, which is explained below where it is used."""
    unit = answers[0].quantity.unit
    used: set[Quality | EnergyQuality] = set()
    table = Table("from", *map(label, answers), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for at, points in side_by_side(answers).items():
        cells = []
        for point in points:
            mark = _MARKS.get(point.quality, "") if point else ""
            used.update({point.quality} if point and mark else ())
            cells.append(f"{_for_people(point, unit) if point else ''}{mark or ' '}")
        table.add_row(local(at, zone), *cells)
    console().print(table)
    legend = "  ".join(f"{_MARKS[quality]} {quality}" for quality in WORST if quality in used)
    if legend:
        console().print(legend, highlight=False)


def print_csv(answers: Sequence[Answer], zone: ZoneInfo) -> None:
    """One line for each instant: a column in the base unit for each meter or source, and the worst quality."""
    from wattbook.exchange.write_table import table_csv  # with numpy, which takes 17 MB

    sys.stdout.write(table_csv(list(map(label, answers)), table_rows(answers), zone).decode())


def _for_people(point: Point, unit: str) -> str:
    return "-" if point.value is None else " ".join(for_people(point.value, unit)).rstrip()
