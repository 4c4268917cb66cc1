"""sd_notify against a datagram socket, as systemd holds one."""

import os
import socket
import time
from pathlib import Path

import pytest

from wattbook.transports.systemd import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_arrive_where_systemd_listens(tmp_path: Path, abstract: bool) -> None:
    name = f"@wattbook-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000"})
        notifier.ready("reading 3 meters")
        notifier.alive()
        notifier.stopping()
        notifier.reloading()
        heard = [systemd.recv(1024).decode() for _ in range(4)]
    assert heard[0].startswith("READY=1\nSTATUS=reading 3 meters\nMAINPID=")
    assert heard[1:3] == ["WATCHDOG=1", "STOPPING=1"]
    told, at_us = heard[3].split("\nMONOTONIC_USEC=")
    assert told == "RELOADING=1" and 0 <= time.monotonic() - int(at_us) / 1e6 < 60
    assert notifier.watchdog_s == 4.0


def test_a_systemd_that_does_not_listen_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notifier.ready("reading 3 meters")
    notifier.stopping()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["systemd does not hear us"]


def test_without_systemd_nothing_is_sent() -> None:
    notifier = Notifier({})
    notifier.ready("")
    assert notifier.watchdog_s == 0.0


def test_a_watchdog_meant_for_another_process_is_not_ours() -> None:
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog_s == 0.0
