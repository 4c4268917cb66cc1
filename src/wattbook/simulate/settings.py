"""What to simulate: lines, the meters on them, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wattbook.profiles import Profile, SerialSettings
from wattbook.simulate.faults import NO_FAULTS, Faults, TimedFaults
from wattbook.simulate.source import Source


@dataclass(frozen=True, slots=True)
class SimulatedMeter:
    """One meter on a line."""

    name: str
    line: str
    profile: Profile
    address: str | int = ""  # a Modbus unit, the address of an optical meter, the server id of SML; "" = the model's
    source: Source | None = None  # what it measures; None = plausible values of its own
    every_s: float = 2.0  # between two telegrams of a meter that speaks first
    turnaround_s: float = 0.0  # it thinks this long beyond what the protocol asks for
    baud: int = 9600  # the fastest an optical meter offers (modes B and C)
    faults: Faults = NO_FAULTS


@dataclass(frozen=True, slots=True)
class SimulatedLine:
    """One bus: a pseudo-terminal behind a link at `port`, or a listening socket.

    `port` is a path, "tcp://host:port" (Modbus TCP, or a bare stream for meters that speak first),
    "rtu+tcp://host:port" or "rfc2217://host:port". Port 0 takes a free one.
    """

    name: str
    port: str
    serial: SerialSettings | None = None  # None = as the first meter's profile says
    strict: bool = True  # Modbus slaves ignore what comes before 3.5 characters of silence, as the standard allows
    latency_s: float = 0.0  # a USB adapter hands bytes over in bundles of this time (16 ms for many)
    faults: Faults = NO_FAULTS


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for the whole simulation."""

    folder: Path = Path("sim")  # where the links stand that replace ports in /dev, and relative ones
    seed: int = 0  # everything that looks like chance comes from it
    faults: tuple[TimedFaults, ...] = ()
