"""Reading the files of the seeds' own loggers."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from wattbook.codecs.layouts import LECTOR_TIME, RX380_COLUMNS, RX380_LATER, RX380_TIME, lector_columns
from wattbook.exchange.csv_rows import read_header
from wattbook.exchange.csv_table import TableReader
from wattbook.exchange.intake import Intake
from wattbook.exchange.tables import mapped_plan
from wattbook.model import Columns, ConfigError

_RX380_SIGNED = ("active_power", "reactive_power")
_LECTOR_NAME = re.compile(r"\d{8}")


def is_rx380(names: Sequence[str]) -> bool:
    """Whether a header is that of RX380's logger."""
    return bool(names) and names[0] == RX380_TIME and "voltage_l12" in names


def read_rx380(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Read daily files of seed 004; the first versions' header repeats the time at its end, their rows may not."""
    for path in files:
        intake.tally.file = path.name
        header = read_header(path)
        plan = mapped_plan(header, path, intake, {**RX380_COLUMNS, **RX380_LATER})
        if header.names[-1] == RX380_TIME:
            plan = replace(plan, width=plan.width - 1, spare=frozenset({plan.width}))
        for block in TableReader(plan, intake).read(path):
            signed = {name: _signed(block.values[name]) for name in _RX380_SIGNED if name in block.values}
            yield replace(block, values={**block.values, **signed})


def _signed(cells: array[float]) -> array[float]:
    """The logger took registers of 32 bits with a sign for such without: 4294966062 W are -1234 W."""
    return array("d", [cell - 2**32 if 2**31 <= cell < 2**32 else cell for cell in cells])


def is_lector(names: Sequence[str]) -> bool:
    """Whether a header is that of Lector's local files."""
    return bool(names) and names[0] == LECTOR_TIME and len(names) > 1


def read_lector(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Read daily files of seed 002: the day stands in the file's name, the time of day in each row."""
    for path in files:
        intake.tally.file = path.name
        header = read_header(path)
        plan = mapped_plan(header, path, replace(intake, time_form="iso"), lector_columns(header.names))
        yield from TableReader(replace(plan, day=_day_of(path)), intake).read(path)


def _day_of(path: Path) -> str:
    try:
        if not _LECTOR_NAME.fullmatch(path.stem):
            raise ValueError
        return datetime.strptime(path.stem, "%Y%m%d").date().isoformat()
    except ValueError as error:
        raise ConfigError(
            "a file of Lector is called YYYYMMDD.txt: its day stands nowhere else", place=str(path)
        ) from error
