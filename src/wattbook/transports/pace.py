"""Being awake at an instant: a thread sleeps a little too long, and longer when others keep the interpreter busy.

Some 70 µs late twice a poll cost 0.4 % of a line at 9600 Bd, and looking at the clock instead would cost as much again
in processor time. Beside a busy thread it is ten times that: then it pays to wake early and to look.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

SLEEP_S_MAX = 0.2  # so that a stop and the readout's progress are seen soon, even at 300 Bd
_LATE_S_WORTH = 0.0002  # less is what an idle machine needs to wake a thread
_LATE_S_MAX = 0.0015  # three switch intervals: whoever wakes later has lost the processor, not the interpreter
_STEP_UP_S, _STEP_DOWN_S = 0.00004, 0.000004  # ten times out of eleven it is no later than learnt
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
    """Waits of one thread. It learns how late it wakes; when that is much, it sleeps less and looks at the clock."""

    stopped: Callable[[], bool] = _never
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    late_s: float = 0.0

    def until(self, instant: float) -> None:
        """Return at the instant, never before it."""
        self.near(instant)
        while self.monotonic() < instant:
            pass

    def near(self, instant: float) -> None:
        """Return about the instant: beside a busy thread perhaps a little before, or after."""
        early_s = self.late_s if self.late_s > _LATE_S_WORTH else 0.0
        while (left := instant - early_s - self.monotonic()) > 0:
            if self.stopped():
                raise Stopped
            if left > SLEEP_S_MAX:
                self.sleep(SLEEP_S_MAX)
            else:
                self.sleep(left)
                late_s = self.monotonic() - instant + early_s
                step = _STEP_UP_S if late_s > self.late_s else -_STEP_DOWN_S
                self.late_s = min(max(self.late_s + step, 0.0), _LATE_S_MAX)
