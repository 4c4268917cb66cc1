"""Readings as Parquet, for data tools. The schema is kept for good: meter string, at timestamp[ms, UTC], one float64
for every quantity; null = absent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import numpy as np

from wattbook.exchange.local_time import instants_of
from wattbook.model import Columns, ConfigError

GROUP_ROWS = 200_000  # of a row group: some 14 MB with six quantities


def write_parquet(file: BinaryIO, blocks: Iterable[Columns], quantities: Sequence[str]) -> None:
    """Write to an open file or any stream. Raises ConfigError without pyarrow."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError(
            "Parquet needs the extra: pip install 'wattbook[parquet]'", place="--format parquet"
        ) from error
    schema = pyarrow.schema(
        [
            ("meter", pyarrow.string()),
            ("at", pyarrow.timestamp("ms", tz="UTC")),
            *((name, pyarrow.float64()) for name in quantities),
        ]
    )
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting: list[Any] = []
        for block in blocks:
            waiting.append(_table(pyarrow, schema, block, quantities))
            if sum(map(len, waiting)) >= GROUP_ROWS:
                writer.write_table(pyarrow.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pyarrow.concat_tables(waiting))


def _table(pyarrow: Any, schema: Any, block: Columns, quantities: Sequence[str]) -> Any:
    size = len(block)
    columns = [pyarrow.array([block.meter] * size, schema.field("meter").type)]
    columns.append(pyarrow.array(instants_of(block).view("datetime64[ms]"), schema.field("at").type))
    for name in quantities:
        cells = block.values.get(name)
        if cells is None:
            columns.append(pyarrow.nulls(size, pyarrow.float64()))
        else:
            values = np.frombuffer(cells, np.float64)
            columns.append(pyarrow.array(values, pyarrow.float64(), mask=np.isnan(values)))
    return pyarrow.Table.from_arrays(columns, schema=schema)
