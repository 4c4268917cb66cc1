"""A line in a thread of its own: it plays the meters' bytes at the instants a wire would."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import threading
import time

from wattbook.model.errors import ConfigError
from wattbook.simulate.bus import Bus, Say
from wattbook.simulate.faults import Trouble
from wattbook.simulate.port import Port
from wattbook.simulate.statistics import Tally
from wattbook.transports.pace import wake_on_time

GRAIN_S = 0.001  # bytes that follow each other faster are handed over together: a UART's FIFO does so too
_LOOK_S = 0.02  # how soon a reader that opens the port is seen
_IDLE_S = 0.1  # how soon a timed fault is seen on a quiet line
_EARLY_S = 0.002  # poll counts in milliseconds; the rest of a wait is slept
_STOP_S = 5.0  # to end the thread: it looks every _LOOK_S, so longer is a bug
_SPIN_S = 0.00006  # a thread wakes up some 30 µs late; before an answer's last byte that much is waited awake
_AWAKE_FROM_S, _AWAKE_TO_S = 0.0004, 0.001  # around the first instant a request may come: it is judged by the clock
_AWAKE_NAP_S = 0.00003  # short enough to be woken quickly; a reader that shares the processor gets its turn
_log = logging.getLogger(__name__)


class Line:
    """Meters on a port. `start` returns when a reader may open it; `stop` when it is gone."""

    def __init__(
        self, name: str, port: Port, bus: Bus, trouble: Trouble, tally: Tally, *, latency_s: float = 0.0
    ) -> None:
        self.name, self.trouble, self.tally = name, trouble, tally
        self._port, self._bus, self._latency_s = port, bus, latency_s
        self._thread = threading.Thread(target=self._run, name=f"simulated {name}", daemon=True)
        self._plugged = False
        self._stopping = False
        self._complained = False
        self._wake_read = self._wake_write = -1  # a pipe while it runs

    @property
    def address(self) -> str:
        """What a reader opens."""
        return self._port.address

    def start(self) -> None:
        """Appear and begin to answer. Raises ConfigError when the port cannot be made."""
        self.trouble.started_at = time.monotonic()
        if not self.trouble.now(time.monotonic()).unplugged:
            self._port.plug()
            self._plugged = True
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._thread.start()

    def stop(self) -> None:
        """Vanish, at once and in the middle of an answer. A second call does nothing."""
        if self._stopping:
            return
        self._stopping = True
        self.wake()
        self._thread.join(_STOP_S)
        assert not self._thread.is_alive(), f"the simulated line {self.name} does not end"
        self._port.unplug()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wake(self) -> None:
        """Look at the faults now."""
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_write, b"!")

    def _run(self) -> None:
        wake_on_time()
        while not self._stopping:
            self._follow_plug()
            if not self._plugged:
                self._pause(time.monotonic() + _IDLE_S)
                continue
            if self._wait(self._bus.due()):
                self._hear(time.monotonic())
            now = time.monotonic()
            if self._bus.due() <= now:
                self._speak(now)

    def _speak(self, now: float) -> None:
        for say in self._bus.act(now):
            self._play(say)
        fd = self._port.watch()
        if fd is not None and self._poll(0.0, fd):
            # It came while we spoke, or since: when this thread was held up, that is not the reader's fault.
            self._hear(time.monotonic())

    def _follow_plug(self) -> None:
        wanted = not self.trouble.now(time.monotonic()).unplugged
        if self._plugged and not wanted:
            self._port.unplug()
            self._bus.reset()
            self._plugged = False
        elif wanted and not self._plugged:
            self._plugged = self._plug()

    def _plug(self) -> bool:
        """Whether the port is back; when its place was taken meanwhile it is said once, and tried again."""
        try:
            self._port.plug()
        except ConfigError as error:
            if not self._complained:
                _log.warning("line %s cannot come back: %s", self.name, error)
            self._complained = True
            return False
        self._complained = False
        return True

    def _hear(self, at: float) -> None:
        data = self._port.read()
        if not data:
            return
        heard = self._port.to_meter(data, self._bus.listening())
        self._bus.hear(heard, at)
        if self.trouble.now(at).echo:
            self._play(Say(data, at, self._bus.listening()))

    def _wait(self, until: float) -> bool:
        """Whether bytes came before `until`. Returns early, without bytes, when there is something else to look at."""
        remaining_s = until - time.monotonic()
        fd = self._port.watch()
        if fd is None:
            self._pause(min(until, time.monotonic() + _LOOK_S))
            return False
        if 0 < remaining_s < 2 * _EARLY_S:
            time.sleep(remaining_s)
            remaining_s = 0
        elif self._watch_closely(fd, self._bus.judged_from()):
            return True
        wait_s = min(max(0.0, remaining_s - _EARLY_S), _IDLE_S)
        return any(number == fd and event & select.POLLIN for number, event in self._poll(wait_s, fd))

    @staticmethod
    def _watch_closely(fd: int, judged_from: float) -> bool:
        """Whether bytes came around this instant, which is waited for awake: being woken takes 0.1 ms and more, and
        would be the reader's loss, or hide that it was early."""
        now = time.monotonic()
        if not now < judged_from + _AWAKE_TO_S < now + _IDLE_S:
            return False
        if select.select([fd], [], [], max(0.0, judged_from - _AWAKE_FROM_S - now))[0]:
            return True
        while time.monotonic() < judged_from + _AWAKE_TO_S:
            if select.select([fd], [], [], _AWAKE_NAP_S)[0]:
                return True
        return False

    def _pause(self, until: float) -> bool:
        """Sleep to an absolute instant; whether it was reached before somebody called `wake`."""
        while (remaining_s := until - time.monotonic()) > 0:
            if remaining_s < 2 * _EARLY_S:
                time.sleep(remaining_s)
            elif self._poll(remaining_s - _EARLY_S):
                return False
        return True

    def _poll(self, timeout_s: float, fd: int | None = None) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if fd is not None:
            poll.register(fd, select.POLLIN)
        ready = poll.poll(timeout_s * 1000)
        if any(number == self._wake_read for number, _ in ready):
            os.read(self._wake_read, 1024)
        return ready

    def _play(self, say: Say) -> None:
        """Hand over byte after byte, each when its stop bit would be through."""
        character_s = say.serial.character_s
        group = max(1, int(max(GRAIN_S, self._latency_s) / character_s))
        at = time.monotonic()
        for first in range(0, len(say.data), group):
            chunk = say.data[first : first + group]
            deadline = self._handed_over(say, first + len(chunk))
            last = first + group >= len(say.data)
            while not self._pause(deadline - (_SPIN_S if last else 0.0)):
                self._follow_plug()
                if self._stopping or not self._plugged:
                    return
            while last and time.monotonic() < deadline:
                pass  # readers are measured by this byte
            at = time.monotonic()
            self._port.write(self._port.to_reader(chunk, say.serial))
        self._bus.said(say, at)

    def _handed_over(self, say: Say, size: int) -> float:
        """When that many bytes reach the reader: an adapter with latency gives them in bundles."""
        on_wire_s = size * say.serial.character_s
        if self._latency_s:
            on_wire_s = math.ceil(on_wire_s / self._latency_s - 1e-9) * self._latency_s
        return say.start + on_wire_s
