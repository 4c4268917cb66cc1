"""A foreign server for a bench: started in a folder of ours, asked over HTTP, ended by its process id."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_START_S_MAX = 30.0
_STOP_S_MAX = 30.0  # writes what is in memory
_ANSWER_S_MAX = 120.0  # a merge of a month is one request
_QUIET_S_MAX = 180.0  # until it has compacted everything
_QUIET_S = 4.0  # so long nothing changes on disk: both look for work once a second
_LOOK_S = 0.05


class Server:
    """A process that answers HTTP on a port of its own, until `close`."""

    def __init__(self, command: Sequence[str], folder: Path, port: int, alive: str) -> None:
        self.folder, self.port = folder, port
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S_MAX)
        try:
            self._wait(alive)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the server."""
        return self._process.pid

    def _wait(self, alive: str) -> None:
        end_s = time.monotonic() + _START_S_MAX
        while time.monotonic() < end_s and self._process.poll() is None:
            try:
                self.ask("GET", alive)
            except (ConnectionError, AssertionError):
                self._connection.close()
                time.sleep(_LOOK_S)
                continue
            return
        raise AssertionError(f"{self._process.args!r} did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """One request on the connection that stays open."""
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 204), f"{path}: {answer.status} {text[:500]!r}"
        return text

    def wait_until_quiet(self, folders: Sequence[str]) -> None:
        """Return when nothing has changed in these folders for a while: everything is compacted."""
        end_s, seen, since_s = time.monotonic() + _QUIET_S_MAX, _listing(self.folder, folders), time.monotonic()
        while time.monotonic() - since_s < _QUIET_S:
            assert time.monotonic() < end_s, f"{self.folder}: still not quiet after {_QUIET_S_MAX:.0f} s"
            time.sleep(0.25)
            now = _listing(self.folder, folders)
            if now != seen:
                seen, since_s = now, time.monotonic()

    def close(self) -> None:
        """End it by its process id, as a system does: it writes down what it holds."""
        self._connection.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_S_MAX)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


def _listing(folder: Path, names: Sequence[str]) -> dict[str, int]:
    found = {}
    for path in (path for name in names for path in (folder / name).rglob("*")):
        try:
            found[str(path)] = path.stat().st_size
        except FileNotFoundError:
            continue  # compacted away meanwhile
    return found


def sizes(folder: Path) -> tuple[int, int]:
    """Bytes of all its files: blocks that are allocated, and as listed. InfluxDB makes sparse files of 4 MB ahead."""
    states = [path.stat() for path in folder.rglob("*") if path.is_file() and path != folder / "log"]
    return sum(512 * state.st_blocks for state in states), sum(state.st_size for state in states)
