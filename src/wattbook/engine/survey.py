"""Looking for meters from the page: one scan at a time, on a thread of its own, that can be watched and stopped."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from wattbook.config import Config
from wattbook.engine.scan import Outcome, Progress, Scan, shown_settings
from wattbook.engine.share_line import line_at
from wattbook.engine.take_turns import SharedLine
from wattbook.model import ConfigError, MeterError
from wattbook.profiles import Profile
from wattbook.transports.open import list_ports
from wattbook.transports.ports import AUTO, BYTE_SCHEMES, scheme_of, shown

PORT_SIZE_MAX = 200  # characters
_STOP_S_MAX = 10.0  # a scan looks at least as often whether it shall stop


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port of this machine. `line`: the daemon reads it; "" = it is free.

    `settings`: what others are asked with between the daemon's polls, as "9600 8N1"; "" = nobody else can be.
    """

    port: str
    line: str
    settings: str


class _Stopped(Exception):
    """Somebody stopped the scan."""


class Survey:
    """The scan that goes on, or the last one. Its attributes are written by its thread alone."""

    def __init__(
        self, port: str, library: Sequence[Profile], *, thorough: bool = False, shared: SharedLine | None = None
    ) -> None:
        """Plan. `shared`: the daemon reads the port, which is asked between its polls. Raises ConfigError."""
        self.port, self.shared = port, shared
        self.state: Literal["running", "done", "stopped", "failed"] = "running"
        self.error = ""
        self.progress = Progress(0.0, 0.0, "")
        self._stop = threading.Event()
        self._scan = Scan(port, library, thorough=thorough, shared=shared, tell=self._tell)
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


def ports_of(config: Config, shared: Callable[[str], SharedLine | None]) -> Sequence[Port]:
    """The ports that may be asked, and which line holds each. Raises Unreachable when they cannot be listed."""
    return [_port(config, port, shared) for port in serial_ports(config)]


def serial_ports(config: Config) -> Sequence[str]:
    """The serial ports of this machine, and those of the file. Raises Unreachable when they cannot be listed."""
    listed = list_ports()
    real = {os.path.realpath(port) for port in listed}
    of_file = [port for line in config.lines for port in (line.port, *line.ports) if port and port != AUTO]
    more = [port for port in of_file if not scheme_of(port) and os.path.realpath(port) not in real]
    return list(dict.fromkeys((*listed, *more)))


def _port(config: Config, port: str, shared: Callable[[str], SharedLine | None]) -> Port:
    line = line_at(config, port)
    try:
        used = shared(port) if line else None
    except ConfigError:
        return Port(port, line, "")
    return Port(port, used.name, shown_settings(used.settings)) if used else Port(port, "", "")


def check_port(port: str, ports: Iterable[str]) -> None:
    """Raise ConfigError unless the page may ask at a port: one of these, or an address on the network.

    A path that somebody typed is none: whoever can reach the page could open any file of this machine with it.
    """
    if not port or len(port) > PORT_SIZE_MAX or not port.isprintable():
        raise ConfigError(f'"port" is a serial port or an address of at most {PORT_SIZE_MAX} characters')
    scheme = scheme_of(port)
    if scheme and scheme not in BYTE_SCHEMES:
        raise ConfigError(f"port: no Modbus meter is asked over {scheme}://; one of tcp://, rtu+tcp://, rfc2217://")
    if not scheme and port not in ports:
        raise ConfigError(f"port: this machine has no serial port {port}; choose one of the list")
