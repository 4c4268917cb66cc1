"""What is wrong with [simulate], which the simulator reads: its own words, with the lines where they are meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wattbook.config.settings import Config, LineSettings, MeterSettings
from wattbook.config.text import Problem, place_of


def simulate_problems(config: Config, text: str) -> Iterator[Problem]:
    """Every problem of the table, with its place."""
    if not config.simulate:
        return
    from wattbook.simulate.options import read_options, strangers  # the simulator is big, and few files have the table

    _, wrong = read_options(config.simulate)
    for each in (*wrong, *strangers(config.simulate, _names(config))):
        table = ("simulate.fault", each.fault - 1) if each.fault else ("simulate",)
        line = place_of(text, (*table, each.key)) or place_of(text, ("simulate", "fault")) or place_of(text, table[:1])
        yield Problem(line, f"{each.place}: {each.message}")


def _names(config: Config) -> Iterator[str]:
    """What is simulated: the buses and the meters on them."""
    for line in config.lines:
        meters = config.meters_of(line)
        yield from (name for name, _ in buses_of(line, meters))
        yield from (meter.name for meter in meters)


def buses_of(line: LineSettings, meters: Sequence[MeterSettings]) -> Sequence[tuple[str, str]]:
    """The buses of a line, each with name and port: one per port, over which its meters are spread in turn."""
    if not line.ports:
        return [(line.name, line.port)]
    used = line.ports[: max(1, len(meters))]
    return [(f"{line.name} {Path(port).name}", port) for port in used]
