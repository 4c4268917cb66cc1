"""A table on the terminal or in the log, every two minutes unless told otherwise, as small loggers show it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from wattbook.model.around import Surroundings
from wattbook.model.template import parse_template
from wattbook.sinks.sink import Sink, SinkSettings
from wattbook.values import Seconds, Start

_DEFAULT: Mapping[str, str] = {
    "time": "{at:YYYY-MM-DD HH:MM:SS}",
    "meter": "{meter}",
    "V": "{voltage:.1f}",
    **{f"V {line.upper()}": f"{{voltage_{line}:.1f}}" for line in ("l1", "l2", "l3")},
    "A": "{current:.2f}",
    **{f"A {line.upper()}": f"{{current_{line}:.2f}}" for line in ("l1", "l2", "l3")},
    "kW": "{active_power:kW .3f}",
    "cos φ": "{power_factor:.2f}",
    "Hz": "{frequency:.2f}",
    "kWh in": "{active_energy_import:kWh .3f}",
    "kWh out": "{active_energy_export:kWh .3f}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings(SinkSettings):
    """A table of readings for people, on the terminal or in the log."""

    kind: Literal["console"] = "console"  # a table for people
    every: Annotated[Seconds | None, Field(ge=1, le=86400)] = 120.0  # a table every so long, with one row a meter
    start: Start = "now"  # what was before is nothing to look at
    to: Literal["terminal", "log"] = "terminal"  # standard output, or the daemon's log
    columns: Mapping[str, str] = field(default_factory=dict)  # header = template; {} = V, A, kW, cos φ, Hz, kWh

    def make(self, around: Surroundings) -> Sink:
        """The sink of these settings. Raises ValueError."""
        from wattbook.sinks.console_write import ConsoleSink  # and rich, which no form needs

        columns = {name: parse_template(text, around) for name, text in (self.columns or _DEFAULT).items()}
        for template in columns.values():
            if template.single:
                raise ValueError(f'columns: "{template.text}" asks for single values; a row has a column for each')
        return ConsoleSink(columns, None if self.to == "log" else sys.stdout)
