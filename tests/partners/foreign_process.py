"""A foreign server as a process of ours: started on a port, waited for, stopped or killed by its id, started again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from running import until

STOP_S_MAX = 30.0  # it writes what it has in memory


class Served:
    """`ready` says whether it answers."""

    def __init__(self, folder: Path, command: Sequence[str], package: str) -> None:
        self.folder, self._command, self._package = folder, command, package
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        if shutil.which(self._command[0]) is None:
            pytest.skip(f"{self._command[0]} is not installed: apt-get install {self._package}")
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
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
        self._end("terminate")

    def kill(self) -> None:
        self._end("kill")

    def _end(self, how: str) -> None:
        process, self._process = self._process, None
        if process is not None:
            getattr(process, how)()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
