"""Tell systemd how the daemon fares: sd_notify(3), one datagram a message. Silent when nobody started us that way."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """The datagram socket that systemd names in NOTIFY_SOCKET; a plain no-op when there is none."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._complained = False
        self.watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdecimal() and ours else 0.0

    def ready(self, status: str) -> None:
        """Start-up is finished: what was started after us may go on."""
        self._send(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Another configuration comes into force; `ready` tells when it is."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """Keep the watchdog from its restart. Due at least every `watchdog_s`; half of it is usual."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """A clean stop has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
                datagram.sendto(message.encode(), self._address)
        except OSError as error:  # reading meters matters more than who knows of it
            if not self._complained:
                _log.warning("systemd does not hear us: %s: %s", self._address, error)
            self._complained = True
