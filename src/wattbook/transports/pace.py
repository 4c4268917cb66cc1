"""Being awake at an instant: a thread wakes a little too late, and later when others keep the interpreter busy.

Some 100 µs late twice a poll cost 0.5 % of a line at 9600 Bd, and waiting awake instead would cost as much again in
processor time. So a thread sleeps less by what it is usually late, and looks at the clock for the rest. Beside a busy
thread lateness varies ten times as much: then it pays to wake earlier and to look for longer.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

SLEEP_S_MAX = 0.2  # so that a stop and the readout's progress are seen soon, even at 300 Bd
_LATE_S_MAX = 0.0015  # whoever wakes later has lost the processor, not the interpreter
_USUAL_UP_S, _USUAL_DOWN_S = 0.000010, 0.000005  # two times out of three it is no later than usual
_SELDOM_UP_S, _SELDOM_DOWN_S = 0.000040, 0.000004  # ten times out of eleven no later than this
_BUSY_S = 0.00035  # seldom later than so much: an idle machine; beside a busy thread it is more
_NICE = -15  # before everything but what keeps the machine itself alive; the thread runs for a hundredth of its time
_PR_SET_TIMERSLACK = 29  # linux/prctl.h


class Stopped(Exception):
    """The wait was given up because the line is being stopped."""


def _never() -> bool:
    return False


def wake_on_time() -> None:
    """Ask Linux not to round this thread's wake-ups up by its usual 50 µs, and to let it run before others.

    The second needs a right that a service has when it is given one (LimitNICE); without it, or elsewhere, a busy
    machine costs a line some tenths of a percent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # of this thread alone


@dataclass(slots=True)
class Pace:
    """Waits of one thread. It learns how late it wakes; when that is much, it sleeps less and looks at the clock."""

    stopped: Callable[[], bool] = _never
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    late_s: float = 0.0  # usually
    _seldom_s: float = 0.0  # seldom more than this

    def until(self, instant: float) -> None:
        """Return at the instant, never before it."""
        self.near(instant)
        while self.monotonic() < instant:
            pass

    def near(self, instant: float) -> None:
        """Return about the instant: beside a busy thread perhaps a little before, or after."""
        early_s = self._seldom_s if self._seldom_s > _BUSY_S else self.late_s
        while (left := instant - early_s - self.monotonic()) > 0:
            if self.stopped():
                raise Stopped
            if left > SLEEP_S_MAX:
                self.sleep(SLEEP_S_MAX)
            else:
                self.sleep(left)
                self._woke(self.monotonic() - instant + early_s)

    def _woke(self, late_s: float) -> None:
        """Learn from having woken so late."""
        step_s = _USUAL_UP_S if late_s > self.late_s else -_USUAL_DOWN_S
        self.late_s = min(max(self.late_s + step_s, 0.0), _BUSY_S)
        step_s = _SELDOM_UP_S if late_s > self._seldom_s else -_SELDOM_DOWN_S
        self._seldom_s = min(max(self._seldom_s + step_s, 0.0), _LATE_S_MAX)
