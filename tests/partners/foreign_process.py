"""A foreign server as a process of ours: started on a port, waited for, stopped or killed by its id, started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import pytest

from running import until

STOP_S_MAX = 60.0  # databases write what they have in memory, on two busy cores
_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin"]
)


class CanRun(Protocol):
    """What is started and stopped: a server, or a file that needs neither."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


Runs = TypeVar("Runs", bound=CanRun)


class Served:
    """A server; what it says goes to `log` in its folder. `package` is Debian's, "" = a program of our own."""

    port: int
    stopping: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, command: Sequence[str], package: str = "", *, user: str | None = None) -> None:
        self.folder, self._command, self._package, self._user = folder, command, package, user
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def ready(self) -> bool:
        """Whether it does its work; asked again and again while it starts."""
        return listening(self.port)

    def start(self) -> None:
        """Start it and wait until it is ready; it goes on with what it had."""
        program = installed(self._command[0], self._package)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [program, *self._command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, user=self._user, start_new_session=True,
            )  # fmt: skip
        self._process = process

        def up() -> bool:
            assert process.poll() is None, (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
            return self.ready()

        try:
            until(up)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """As its system would, when it is shut down."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(self.stopping)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise

    def kill(self) -> None:
        """As a lack of memory would: at once, and all of its processes."""
        process, self._process = self._process, None
        if process is not None:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # PostgreSQL's children hold its memory
    process.wait(STOP_S_MAX)


@contextmanager
def running(server: Runs) -> Iterator[Runs]:
    """Start it, and stop it at the end of the block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def installed(program: str, package: str) -> str:
    """Where a program is, or else the test is skipped."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return found


def listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
