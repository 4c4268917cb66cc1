"""Looking for meters from the page: one scan at a time, on a thread of its own, that can be watched and stopped."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from wattbook.config import Config
from wattbook.engine.scan import Outcome, Progress, Scan
from wattbook.model import ConfigError, MeterError
from wattbook.profiles import Profile
from wattbook.transports.open import list_ports
from wattbook.transports.ports import AUTO, scheme_of, shown

PORT_SIZE_MAX = 200  # characters
_SCHEMES = ("tcp", "rtu+tcp", "rfc2217")
_STOP_S_MAX = 10.0  # a scan looks at least as often whether it shall stop


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port of this machine. `line`: the daemon reads it, so nobody else can; "" = it is free."""

    port: str
    line: str


class _Stopped(Exception):
    """Somebody stopped the scan."""


class Survey:
    """The scan that goes on, or the last one. Its attributes are written by its thread alone."""

    def __init__(self, port: str, library: Sequence[Profile], *, thorough: bool) -> None:
        """Plan. Raises ConfigError."""
        self.port = port
        self.state: Literal["running", "done", "stopped", "failed"] = "running"
        self.error = ""
        self.progress = Progress(0.0, 0.0, "")
        self._stop = threading.Event()
        self._scan = Scan(port, library, thorough=thorough, tell=self._tell)
        self.progress = Progress(0.0, self._scan.total_s, "")
        self._thread = threading.Thread(target=self._run, name=f"scan {shown(port)}", daemon=True)

    @property
    def outcome(self) -> Outcome:
        """What was found until now."""
        return self._scan.outcome

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Give up; what was found stays. Returns when the port is free again."""
        self._stop.set()
        self._thread.join(_STOP_S_MAX)

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        if self._stop.is_set():
            raise _Stopped

    def _run(self) -> None:
        try:
            self._scan.run()
        except _Stopped:
            self.state = "stopped"
        except (MeterError, ConfigError) as error:
            self.error, self.state = str(error), "failed"
        else:
            self.state = "done"


def ports_of(config: Config) -> Sequence[Port]:
    """The serial ports of this machine. Raises Unreachable when they cannot be listed."""
    return [Port(port, line_at(config, port)) for port in list_ports()]


def line_at(config: Config, port: str) -> str:
    """The line of a configuration that holds a serial port; "" = none does."""
    if scheme_of(port):
        return ""
    real = os.path.realpath(port)
    for line in config.lines:
        held = [each for each in (line.port, *line.ports) if each]
        if AUTO in held or real in {os.path.realpath(each) for each in held if not scheme_of(each)}:
            return line.name
    return ""


def check_port(config: Config, port: str, ports: Iterable[str]) -> None:
    """Raise ConfigError unless the page may ask at a port: a serial one of this machine that is free, or an address.

    A path that somebody typed is none: whoever can reach the page could open any file of this machine with it.
    """
    if not port or len(port) > PORT_SIZE_MAX or not port.isprintable():
        raise ConfigError(f'"port" is a serial port or an address of at most {PORT_SIZE_MAX} characters')
    scheme = scheme_of(port)
    if scheme and scheme not in _SCHEMES:
        raise ConfigError(f"port: no Modbus meter is asked over {scheme}://; one of tcp://, rtu+tcp://, rfc2217://")
    if not scheme and port not in ports:
        raise ConfigError(f"port: this machine has no serial port {port}; choose one of the list")
    if line := line_at(config, port):
        raise ConfigError(
            f'port: the daemon reads it as line "{line}"; stop the daemon and run `wattbook scan {port} --write'
            f" {config.path.name}`, or add the meter by hand"
        )
