"""A foreign system in memory, as a sink: it keeps rows by identity, and refuses, hangs or is away as it is told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from wattbook.model import Batch, SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks import SinkSettings, Written

Identity = tuple[str, int]  # meter, instant in ms


@dataclass
class Shelf:
    """What was written, and how often; `accept` says which rows it refuses, and why."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False
    accept: Callable[[str, float], str] = lambda meter, value: ""
    rows: dict[Identity, dict[str, float]] = field(default_factory=dict)
    writes: list[int] = field(default_factory=list)  # rows of each
    given: list[Identity] = field(default_factory=list)  # in order
    away: str = ""
    hangs: bool = False
    closed: int = 0

    async def write(self, batch: Batch, bookmark: str) -> Written:
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise SinkUnavailable(self.away)
        new: list[tuple[Identity, dict[str, float]]] = []
        for columns in batch.columns:
            for row, at_ms in enumerate(columns.at_ms):
                values = {name: cells[row] for name, cells in columns.values.items() if not math.isnan(cells[row])}
                reason = self.accept(columns.meter, values.get("active_energy_import", 0.0))
                if reason:
                    raise SinkRefused(reason)
                new.append(((columns.meter, at_ms), values))
        self.rows.update(new)
        self.given += [identity for identity, _ in new]
        self.writes.append(len(new))
        return Written(bookmark=str(int(bookmark or 0) + len(new)))

    async def aclose(self) -> None:
        self.closed += 1


class Roll(Shelf):
    """One that can only append, in order."""

    any_order = False
    append_only = True


@dataclass
class Ledger(Roll):
    """One that keeps its position with its rows."""

    kept: tuple[str, str] | None = None

    async def write(self, batch: Batch, bookmark: str) -> Written:
        written = await super().write(batch, "0")
        self.kept = batch.upto, bookmark
        return written

    async def position(self) -> tuple[str, str] | None:
        return self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfSettings(SinkSettings):
    """Settings of a shelf that is handed in."""

    kind: str = "shelf"
    shelf: Shelf

    def make(self, around: Surroundings) -> Shelf:
        return self.shelf
