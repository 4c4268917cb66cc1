"""A process that writes batches to CSV files and keeps its position as a book does, until it is killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from random import Random

from columns_tools import batch, every
from wattbook.model.around import Surroundings
from wattbook.sinks.csv_files import CsvSettings

METERS = ("main-a", "main-b", "generator")
STEP_MS = 600_000  # a new file after every 144 readings of a meter
FIRST = "2026-01-01T00:00:00Z"
ROWS_MAX = 20_000


async def main(folder: Path, file: str) -> None:
    state = folder / "position.json"
    position, bookmark = json.loads(state.read_text()) if state.exists() else (0, "")
    sink = CsvSettings(name="files", file=folder / "csv" / file).make(Surroundings("house"))
    everything = [every(meter, FIRST, ROWS_MAX, step_ms=STEP_MS) for meter in METERS]
    random = Random()
    print("open", flush=True)
    while position < ROWS_MAX:  # until killed
        upto = min(position + random.choice((1, 7, 50, 400)), ROWS_MAX)
        part = batch(*(each.cut(slice(position, upto)) for each in everything))
        bookmark = (await sink.write(part, bookmark)).bookmark
        position = upto
        aside = state.with_suffix(".new")
        aside.write_text(json.dumps([position, bookmark]))
        os.replace(aside, state)  # noqa: PTH105 - killed between any two steps


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
