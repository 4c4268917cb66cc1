"""Meters and lines that answer from profiles, with true byte timing and faults."""

from wattbook.simulate.demo import Demo, demo_house
from wattbook.simulate.faults import Faults, TimedFaults
from wattbook.simulate.options import parse_options
from wattbook.simulate.settings import Options, SimulatedLine, SimulatedMeter
from wattbook.simulate.simulation import Simulation, build, run
from wattbook.simulate.source import Plausible, Source
from wattbook.simulate.statistics import LineStatistics, MeterStatistics, report

__all__ = [
    "Demo",
    "Faults",
    "LineStatistics",
    "MeterStatistics",
    "Options",
    "Plausible",
    "SimulatedLine",
    "SimulatedMeter",
    "Simulation",
    "Source",
    "TimedFaults",
    "build",
    "demo_house",
    "parse_options",
    "report",
    "run",
]
