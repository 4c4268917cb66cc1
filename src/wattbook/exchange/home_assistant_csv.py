"""Home Assistant's statistics as CSV: `statistic_id,unit,start,min,max,mean,sum,state`, in any order of columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wattbook.exchange.csv_rows import Header, read_header, read_rows
from wattbook.exchange.gather import Gather
from wattbook.exchange.home_assistant import COLUMNS, Statistic, Statistics
from wattbook.exchange.instants import BadCell, InstantReader, guess_form
from wattbook.exchange.intake import Intake
from wattbook.model import Columns, ConfigError


def is_export(names: Sequence[str]) -> bool:
    """Whether a header is that of exported statistics."""
    folded = [name.casefold() for name in names]
    return "statistic_id" in folded and ("start" in folded or "start_ts" in folded)


def read(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Yield readings of the statistics that go anywhere."""
    with Gather(intake.tally) as gather:
        statistics = Statistics(intake, gather)
        for path in files:
            intake.tally.file = path.name
            _read_csv(path, intake, statistics)
        if not statistics.mapped:
            raise intake.nothing_mapped(files[0].name, list(statistics.names))
        yield from gather.columns()


def _read_csv(path: Path, intake: Intake, statistics: Statistics) -> None:
    header = read_header(path)
    if not is_export(header.names):
        raise ConfigError("the first line must name statistic_id and start", place=str(path))
    place = {name.casefold(): number for number, name in enumerate(header.names)}
    start = place["start_ts"] if "start_ts" in place else place["start"]
    instants = InstantReader(_form(header, start, intake), intake.zone, intake.tally, latest_ms=intake.latest_ms)
    for rows in read_rows(path, header.delimiter, intake.tally, intake.seen):
        for number, row in zip(rows.numbers, rows.cells, strict=True):
            try:
                if len(row) != len(header.names):
                    raise BadCell(f"{len(row)} cells where the first line has {len(header.names)}")
                _take_row(row, place, start, instants, statistics)
            except BadCell as error:
                intake.tally.reject(number, str(error))


def _form(header: Header, start: int, intake: Intake) -> str:
    return intake.time_form or guess_form([row[start] for row in header.sample])


def _take_row(
    row: Sequence[str], place: dict[str, int], start: int, instants: InstantReader, statistics: Statistics
) -> None:
    def cell(name: str) -> str:
        return row[place[name]].strip() if name in place else ""

    name = cell("statistic_id")
    unit = cell("unit") or cell("unit_of_measurement")
    statistic = Statistic(name, unit, bool(cell("state") or cell("sum")))
    if not name:
        raise BadCell("has no statistic_id")
    if not statistics.wanted(statistic):
        statistics.leave_out(statistic)
        return
    start_ms = int(instants.read([row[start]], [name])[0])
    statistics.take(statistic, start_ms, {column: cell(column) for column in COLUMNS})
