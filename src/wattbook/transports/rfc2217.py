"""A serial port of another machine, with its speed and parity: rfc2217://host:port."""

from __future__ import annotations

import time

from wattbook.codecs.rfc2217 import ComPortClient, escape
from wattbook.profiles.profile import SerialSettings
from wattbook.transports.link import LinkLost, faster
from wattbook.transports.tcp import TcpLink

_SETTLE_S_MAX = 3.0  # a server on the same network confirms in milliseconds; some open their port first
_SILENT_S_MAX = 0.5  # some servers never confirm a change of speed; then we go on, the answers will tell


class Rfc2217Link:
    """A port behind RFC 2217, opened and configured. Raises LinkLost, also when the other end refuses the settings."""

    def __init__(self, host: str, port: int, settings: SerialSettings) -> None:
        self._name, self._settings = f"{host}:{port}", settings
        self.character_s = settings.character_s
        self._tcp = TcpLink(host, port, settings)
        self._telnet = ComPortClient(settings)
        self._early = b""  # serial data that came while we waited for a confirmation
        try:
            if not self._settle(_SETTLE_S_MAX):
                raise LinkLost(
                    "the other end does not confirm the settings; is it an RFC 2217 server?", meter=self._name
                )
        except LinkLost:
            self._tcp.close()
            raise

    def write(self, data: bytes) -> None:
        """Hand the bytes to the other end."""
        self._tcp.write(self._telnet.take_output() + escape(data))

    def read(self, timeout_s: float) -> bytes:
        """Return what is there, waiting at most `timeout_s` for the first of it."""
        deadline = time.monotonic() + timeout_s
        while True:
            early, self._early = self._early, b""
            if early:
                return early
            raw = self._tcp.read(max(deadline - time.monotonic(), 0))
            data = self._telnet.feed(raw) if raw else b""
            if output := self._telnet.take_output():
                self._tcp.write(output)
            if data or not raw:
                return data

    def set_baud(self, baud: int) -> None:
        """Change the speed of the port there."""
        if baud == self._settings.baud:
            return
        self._settings = faster(self._settings, baud)
        self.character_s = self._settings.character_s
        self._telnet.set_baud(baud)
        self._settle(_SILENT_S_MAX)

    def close(self) -> None:
        """Hang up."""
        self._tcp.close()

    def _settle(self, timeout_s: float) -> bool:
        """Exchange until the settings are confirmed; False when that takes too long."""
        deadline = time.monotonic() + timeout_s
        while True:
            if output := self._telnet.take_output():
                self._tcp.write(output)
            if self._telnet.refusal:
                raise LinkLost(self._telnet.refusal, meter=self._name)
            if self._telnet.settled:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._early += self._telnet.feed(self._tcp.read(left))
