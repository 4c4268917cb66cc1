"""Lines and meters put together and running."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from wattbook.model.clock import Clock, SystemClock
from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.profiles import SerialSettings
from wattbook.simulate.bus import Bus
from wattbook.simulate.cirbus import CirbusBus, CirbusSlave
from wattbook.simulate.effects import check_line_faults, check_meter_faults
from wattbook.simulate.faults import Faults, Trouble
from wattbook.simulate.line import Line
from wattbook.simulate.modbus import ModbusBus, ModbusSlave
from wattbook.simulate.optical import OpticalBus, OpticalMeter
from wattbook.simulate.options import no_target
from wattbook.simulate.port import Port
from wattbook.simulate.pty import PtyPort
from wattbook.simulate.readout import load_readout
from wattbook.simulate.rfc2217 import Rfc2217Port
from wattbook.simulate.settings import Options, SimulatedLine, SimulatedMeter
from wattbook.simulate.source import Plausible, Source
from wattbook.simulate.statistics import LineStatistics, Tally
from wattbook.simulate.tcp import ModbusTcpServer, SocketPort
from wattbook.simulate.telegram import PushBus, PushMeter
from wattbook.transports.ports import scheme_of


class Runnable(Protocol):
    """A line of any kind."""

    name: str
    trouble: Trouble
    tally: Tally

    @property
    def address(self) -> str:
        """What a reader opens."""
        ...

    def start(self) -> None:
        """Appear."""
        ...

    def stop(self) -> None:
        """Vanish."""
        ...

    def wake(self) -> None:
        """Look at the faults now."""
        ...


class Simulation:
    """Simulated lines. `start` returns when all of them can be opened; then any thread may change their faults."""

    def __init__(self, lines: Sequence[Runnable], meters: Mapping[str, Trouble], skipped: Sequence[str] = ()) -> None:
        self._lines = {line.name: line for line in lines}
        self._meters = meters
        self.skipped = tuple(skipped)  # lines and meters that cannot be simulated, each with its reason

    def start(self) -> Simulation:
        """Let every line appear. Raises ConfigError, with none left behind, when one cannot."""
        started: list[Runnable] = []
        try:
            for line in self._lines.values():
                line.start()
                started.append(line)
        except ConfigError:
            for line in started:
                line.stop()
            raise
        return self

    def stop(self) -> None:
        """Let every line vanish, even in the middle of an answer."""
        for line in self._lines.values():
            line.stop()

    def __enter__(self) -> Simulation:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def address(self, line: str) -> str:
        """What a reader opens to talk to this line: a path, or a URL with the port that was taken."""
        return self._line(line).address

    @property
    def addresses(self) -> Mapping[str, str]:
        """Line -> what a reader opens."""
        return {name: line.address for name, line in self._lines.items()}

    def set_faults(self, name: str, faults: Faults) -> None:
        """Give a meter or a line these faults from now on; `Faults()` takes them away."""
        if name in self._meters:
            self._meters[name].set(faults)
            return
        line = self._line(name)
        line.trouble.set(faults)
        line.wake()

    def unplug(self, line: str) -> None:
        """Pull the adapter of a line: its port vanishes."""
        self.set_faults(line, Faults(unplugged=True))

    def replug(self, line: str) -> None:
        """Plug it in again: a new port behind the same name."""
        self.set_faults(line, Faults())

    def statistics(self) -> Mapping[str, LineStatistics]:
        """What each line saw, by the simulator's own clock."""
        return {name: line.tally.snapshot() for name, line in self._lines.items()}

    def reset_statistics(self) -> None:
        """Begin a new window of measurement."""
        for line in self._lines.values():
            line.tally.reset()

    def _line(self, name: str) -> Runnable:
        if name not in self._lines:
            raise ConfigError(
                f'nothing simulated is called "{name}"{did_you_mean(name, [*self._lines, *self._meters])}'
            )
        return self._lines[name]


@dataclass(frozen=True, slots=True)
class _Mounted:
    """A meter with what it needs to answer."""

    settings: SimulatedMeter
    source: Source
    trouble: Trouble


def build(
    lines: Iterable[SimulatedLine],
    meters: Iterable[SimulatedMeter],
    options: Options | None = None,
    *,
    clock: Clock | None = None,
) -> Simulation:
    """Put lines and meters together. What cannot be simulated (MQTT, HTTP) is in `skipped`, with its reason.

    Raises ConfigError for a line with meters of different kinds and for what is asked wrongly.
    """
    options, clock = options or Options(), clock or SystemClock()
    lines, meters = list(lines), list(meters)
    _check_names(lines, meters, options)
    troubles = {
        meter.name: Trouble(meter.name, seed=options.seed, first=meter.faults, timed=options.faults) for meter in meters
    }
    running: list[Runnable] = []
    skipped: list[str] = []
    for line in lines:
        mounted = [_mounted(meter, troubles[meter.name], options) for meter in meters if meter.line == line.name]
        reason = _why_not(line, mounted)
        if reason:
            skipped.append(f"line {line.name}: {reason}")
        else:
            running.append(_line(line, mounted, options, clock))
    known = {line.name for line in lines}
    skipped += [f"meter {meter.name}: it is on no line" for meter in meters if meter.line not in known]
    return Simulation(running, troubles, skipped)


def run(
    lines: Iterable[SimulatedLine],
    meters: Iterable[SimulatedMeter],
    options: Options | None = None,
    *,
    clock: Clock | None = None,
) -> Simulation:
    """Build and start. Stop it with `.stop()`, or use it in a `with` (which starts what `build` gives)."""
    return build(lines, meters, options, clock=clock).start()


def _check_names(lines: Sequence[SimulatedLine], meters: Sequence[SimulatedMeter], options: Options) -> None:
    names = [line.name for line in lines] + [meter.name for meter in meters]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f'two simulated things are called "{name}"; faults could not tell them apart')
    for plan in options.faults:
        if plan.target not in names:
            raise ConfigError(no_target(plan.target, names))


def _mounted(meter: SimulatedMeter, trouble: Trouble, options: Options) -> _Mounted:
    return _Mounted(meter, meter.source or Plausible(options.seed + sum(meter.name.encode())), trouble)


def _why_not(line: SimulatedLine, meters: Sequence[_Mounted]) -> str:
    scheme = scheme_of(line.port)
    if scheme not in ("", "tcp", "rtu+tcp", "rfc2217"):
        return f"{scheme}:// is not simulated"
    if not meters:
        return "no meter is on it"
    for meter in meters:
        if meter.settings.profile.protocol in ("mqtt", "push"):
            return f"{meter.settings.profile.protocol} meters are not simulated"
    return ""


def _line(line: SimulatedLine, meters: Sequence[_Mounted], options: Options, clock: Clock) -> Runnable:
    serial = line.serial or meters[0].settings.profile.serial
    trouble = Trouble(line.name, seed=options.seed, first=line.faults, timed=options.faults)
    tally = Tally()
    kinds = {_kind(meter) for meter in meters}
    if len(kinds) > 1:
        raise ConfigError(f"meters of different kinds cannot share a line: {', '.join(sorted(kinds))}", place=line.name)
    over_tcp = scheme_of(line.port) == "tcp"
    _check_faults(line, meters, options, over_tcp=over_tcp)
    if over_tcp and kinds == {"modbus"}:
        slaves = {unit: slave for unit, (slave, _) in _slaves(meters, clock).items()}
        turnarounds = {_unit(meter): meter.settings.turnaround_s for meter in meters}
        return ModbusTcpServer(line.name, line.port, slaves, turnarounds, trouble, tally)
    bus = _bus(kinds.pop(), meters, serial, tally, clock, strict=line.strict)
    return Line(line.name, _port(line, serial, options.folder), bus, trouble, tally, latency_s=line.latency_s)


def _check_faults(line: SimulatedLine, meters: Sequence[_Mounted], options: Options, *, over_tcp: bool) -> None:
    """Raise ConfigError for what nobody would suffer from."""
    kinds = {
        "modbus": "a Modbus TCP meter" if over_tcp else "a Modbus meter",
        "iec62056-21": "an optical meter",
        "cirbus": "a CIRBUS meter",
        "meters that speak first": "a meter that speaks first",
    }
    kind = kinds[_kind(meters[0])]
    named = [(meter.settings.name, meter.settings.faults) for meter in meters]
    of_meters = {name for name, _ in named}
    named += [(plan.target, plan.faults) for plan in options.faults if plan.target in of_meters]
    for name, faults in named:
        check_meter_faults(kind, name, faults)
    for faults in (line.faults, *(plan.faults for plan in options.faults if plan.target == line.name)):
        check_line_faults(kind, line.name, faults)


def _port(line: SimulatedLine, serial: SerialSettings, folder: Path) -> Port:
    match scheme_of(line.port):
        case "":
            return PtyPort(link_path(line, folder), serial)
        case "rfc2217":
            return Rfc2217Port(line.port)
        case _:
            return SocketPort(line.port)


def link_path(line: SimulatedLine, folder: Path) -> Path:
    """Where the link of a line stands: its own path, but ports in /dev, relative ones and "auto" go into the folder."""
    path = Path(line.port)
    if line.port in ("", "auto"):
        return folder / line.name
    if path.is_relative_to("/dev"):
        return folder / path.name
    return folder / path  # an absolute path stays as it is


def _kind(meter: _Mounted) -> str:
    profile = meter.settings.profile
    if profile.listens:
        return "meters that speak first"
    return profile.protocol


def _bus(
    kind: str, meters: Sequence[_Mounted], serial: SerialSettings, tally: Tally, clock: Clock, *, strict: bool
) -> Bus:
    match kind:
        case "modbus":
            return ModbusBus(_slaves(meters, clock), serial, tally, strict=strict)
        case "iec62056-21":
            return OpticalBus([_optical(meter) for meter in meters], serial, tally, clock)
        case "cirbus":
            return CirbusBus(_cirbus(meters, clock), serial, tally)
        case _:
            return PushBus([_push(meter) for meter in meters], serial, tally, clock, _MONOTONIC)


_MONOTONIC: Callable[[], float] = time.monotonic


def _slaves(meters: Sequence[_Mounted], clock: Clock) -> Mapping[int, tuple[ModbusSlave, float]]:
    slaves: dict[int, tuple[ModbusSlave, float]] = {}
    for meter in meters:
        unit, settings = _unit(meter), meter.settings
        if unit in slaves:
            raise ConfigError(f"two meters have the address {unit}", place=settings.line)
        slave = ModbusSlave(settings.name, settings.profile, meter.source, clock, meter.trouble)
        slaves[unit] = (slave, settings.turnaround_s)
    return slaves


def _unit(meter: _Mounted) -> int:
    """The Modbus address. Raises ConfigError for what is none."""
    modbus, address = meter.settings.profile.modbus, meter.settings.address
    assert modbus is not None
    if address == "":
        return modbus.address_default
    try:
        return int(address)
    except ValueError as error:
        raise ConfigError(f'a Modbus address is a number, not "{address}"', place=meter.settings.name) from error


def _cirbus(meters: Sequence[_Mounted], clock: Clock) -> Mapping[int, CirbusSlave]:
    slaves: dict[int, CirbusSlave] = {}
    for meter in meters:
        settings = meter.settings
        assert settings.profile.cirbus is not None
        address = settings.profile.cirbus.address(settings.address)
        if address in slaves:
            raise ConfigError(f"two meters have the address {address}", place=settings.line)
        slaves[address] = CirbusSlave(
            settings.name, settings.profile, meter.source, clock, meter.trouble, settings.turnaround_s
        )
    return slaves


def _optical(meter: _Mounted) -> OpticalMeter:
    settings = meter.settings
    return OpticalMeter(
        settings.name,
        settings.profile,
        load_readout(settings.profile),
        meter.source,
        meter.trouble,
        address=str(settings.address),
        turnaround_s=settings.turnaround_s,
        baud=settings.baud,
    )


def _push(meter: _Mounted) -> PushMeter:
    settings = meter.settings
    return PushMeter(
        settings.name,
        settings.profile,
        load_readout(settings.profile),
        meter.source,
        meter.trouble,
        every_s=settings.every_s,
        serial=str(settings.address),
    )
