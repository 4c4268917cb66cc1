"""What a simulated line saw, by its own clock: the yardstick of the benches."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class MeterStatistics:
    """One meter's part. Times in seconds."""

    requests: int = 0  # asked by its address
    answers: int = 0  # sent, good ones and damaged ones
    gap_max_s: float = 0.0  # longest time between two answers that followed each other


@dataclass(frozen=True, slots=True)
class LineStatistics:
    """A line since its start or since the last reset. Times in seconds."""

    requests: int  # whole messages heard
    answers: int  # messages sent
    garbled: int  # messages heard that no meter understood
    offences: int  # requests that began before 3.5 characters of silence
    ignored: int  # of these, the ones a strict line did not answer
    gap_min_s: float | None  # shortest silence between an answer's last byte and the next request
    elapsed_s: float  # from the first request to the last one
    polls_per_s: float  # answers over that time
    share: float  # of the line's limit: the wire time and silence that polls must take / the time they took
    late_s: float  # by which the simulator itself, on a busy machine, ended its answers late; a mean
    late_max_s: float
    meters: Mapping[str, MeterStatistics]


def report(lines: Mapping[str, LineStatistics]) -> str:
    """The statistics of all lines as JSON: line -> the fields above."""
    return json.dumps({name: asdict(line) for name, line in lines.items()}, indent=2)


class Tally:
    """Counts in the line's thread, read by any. Instants are monotonic seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: what follows is a new window."""
        with self._lock:
            self._requests = self._answers = self._garbled = self._offences = self._ignored = 0
            self._gap_min_s = math.inf
            self._first_at = self._last_at = math.nan
            self._due_s = self._open_s = self._late_s = self._late_max_s = 0.0
            self._counted = self._open = 0
            self._meters: dict[str, list[float]] = {}  # requests, answers, longest gap, last answer's instant

    def request(self, at: float) -> None:
        """A whole message arrived; it began at `at`. What was answered before it is now a finished poll."""
        with self._lock:
            self._requests += 1
            if math.isnan(self._first_at):
                self._first_at = at
                self._due_s = self._open_s = 0.0
                self._counted = self._open = 0
            self._last_at = at
            self._due_s, self._counted = self._due_s + self._open_s, self._counted + self._open
            self._open_s, self._open = 0.0, 0

    def asked(self, meter: str) -> None:
        """The message was for this meter."""
        with self._lock:
            self._of(meter)[0] += 1

    def answer(self, meter: str, at: float, *, due_s: float, late_s: float = 0.0) -> None:
        """A meter answered: complete at `at`, of a poll that takes `due_s` of the line at the very least."""
        with self._lock:
            self._answers += 1
            self._late_s += late_s
            self._late_max_s = max(self._late_max_s, late_s)
            self._open_s, self._open = self._open_s + due_s, self._open + 1
            of = self._of(meter)
            of[1] += 1
            of[2] = max(of[2], at - of[3])
            of[3] = at

    def garbled(self) -> None:
        """Bytes came that no meter understood."""
        with self._lock:
            self._garbled += 1

    def gap(self, gap_s: float, *, least_s: float, strict: bool) -> None:
        """A request began so long after the line's last byte."""
        with self._lock:
            self._gap_min_s = min(self._gap_min_s, gap_s)
            if gap_s < least_s:
                self._offences += 1
                self._ignored += strict

    def _of(self, meter: str) -> list[float]:
        return self._meters.setdefault(meter, [0, 0, 0.0, math.inf])

    def snapshot(self) -> LineStatistics:
        """What was counted so far."""
        with self._lock:
            elapsed_s = 0.0 if math.isnan(self._first_at) else self._last_at - self._first_at
            return LineStatistics(
                requests=self._requests,
                answers=self._answers,
                garbled=self._garbled,
                offences=self._offences,
                ignored=self._ignored,
                gap_min_s=None if math.isinf(self._gap_min_s) else self._gap_min_s,
                elapsed_s=elapsed_s,
                polls_per_s=self._counted / elapsed_s if elapsed_s else 0.0,
                share=self._due_s / elapsed_s if elapsed_s else 0.0,
                late_s=self._late_s / self._answers if self._answers else 0.0,
                late_max_s=self._late_max_s,
                meters={
                    name: MeterStatistics(int(asked), int(answers), max(0.0, gap_s))
                    for name, (asked, answers, gap_s, _) in self._meters.items()
                },
            )
