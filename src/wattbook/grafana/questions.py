"""What a dashboard asks of a database, whichever it is, and what Grafana is to do with the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from wattbook.grafana.readings import Series

Step = Literal["hour", "day", "month"]
Target = Mapping[str, Any]  # a query as Grafana's data source wants it, without letter and source


@dataclass(frozen=True, slots=True)
class Asked:
    """Queries of one panel, and the transformations of their answers."""

    targets: Sequence[Target]
    transformations: Sequence[Mapping[str, Any]] = ()


class Questions(Protocol):
    """One database's way to ask."""

    def curve(self, series: Sequence[Series]) -> Asked:
        """Return means over $__interval in the base unit: a time series each."""
        ...

    def energy(self, series: Sequence[Series], step: Step) -> Asked:
        """Return kWh of each hour, day or month in local time, by meter. Registers are subtracted, never averaged."""
        ...

    def ranking(self, places: Mapping[str, Sequence[Series]]) -> Asked:
        """Return kWh of the whole range by place."""
        ...

    def week(self, series: Sequence[Series]) -> Asked:
        """Return mean kWh of each hour of the day, a column for each day; the meters are summed."""
        ...

    def last_seen(self, series: Sequence[Series]) -> Asked:
        """Return a table of when each meter was last heard."""
        ...

    def counts(self, series: Sequence[Series]) -> Asked:
        """Return readings in each $__interval by meter."""
        ...
