"""Being awake at an instant: a thread sleeps a little too long, and longer when others keep the interpreter busy."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

SLEEP_S_MAX = 0.2  # so that a stop and the readout's progress are seen soon, even at 300 Bd
_EARLY_S_MAX = 0.001  # two switch intervals: whoever wakes later has lost the processor, not the interpreter
_PR_SET_TIMERSLACK = 29  # linux/prctl.h


class Stopped(Exception):
    """The wait was given up because the line is being stopped."""


def _never() -> bool:
    return False


def wake_on_time() -> None:
    """Ask Linux not to round this thread's wake-ups up by its usual 50 µs; elsewhere the rounding stays."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


@dataclass(slots=True)
class Pace:
    """Waits of one thread. It learns how late it wakes, sleeps that much less, and looks at the clock for the rest."""

    stopped: Callable[[], bool] = _never
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    late_s: float = 0.0001  # how late it usually wakes: more than four times out of five it is not later

    def until(self, instant: float) -> None:
        """Return at the instant, not before, and after it by microseconds if nobody holds the processor."""
        self.near(instant)
        while self.monotonic() < instant:
            pass

    def near(self, instant: float) -> None:
        """Return about the instant: a little before, or after."""
        while (left := instant - self.late_s - self.monotonic()) > 0:
            if self.stopped():
                raise Stopped
            if left > SLEEP_S_MAX:
                self.sleep(SLEEP_S_MAX)
            else:
                self.sleep(left)
                self._learn(self.monotonic() - instant + self.late_s)

    def _learn(self, late_s: float) -> None:
        """Follow lateness up in big steps and down in small ones."""
        step = (late_s - self.late_s) / (4 if late_s > self.late_s else 16)
        self.late_s = min(self.late_s + step, _EARLY_S_MAX)
