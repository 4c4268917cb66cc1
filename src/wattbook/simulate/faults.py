"""Trouble on request: what a meter or its line does wrong, when, and how often. All of it from one seed."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, fields

NOISE_MAX = 4096  # bytes of garbage in one go: more than any adapter's buffer holds


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong. The defaults are a good meter on a good line."""

    silent: bool = False  # no answer at all
    damage_every: int = 0  # every n-th answer has a wrong check; 0 = none
    damage_share: float = 0.0  # and this share of the others, by chance
    late_s: float = 0.0  # the answer comes so much later
    exception: int = 0  # a Modbus exception code instead of every answer
    noise_before: int = 0  # bytes of garbage just before each answer
    noise_after: int = 0  # bytes of garbage after each answer, when the line should be silent
    echo: bool = False  # the line gives the reader's own bytes back, as some adapters do
    unplugged: bool = False  # the line's port is gone

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            most = {"damage_share": 1, "exception": 255, "noise_before": NOISE_MAX, "noise_after": NOISE_MAX}
            if not 0 <= value <= most.get(field.name, 86400):
                raise ValueError(f"a fault's {field.name} must be from 0 to {most.get(field.name, 86400)}, not {value}")


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True)
class TimedFaults:
    """Faults of a meter or a line from one moment to another, both in seconds since the simulation's start.

    With `every_s` they come again: from_s=10, until_s=12, every_s=60 is two seconds of trouble each minute.
    """

    target: str  # the name of a meter or of a line
    faults: Faults
    from_s: float = 0.0
    until_s: float = float("inf")
    every_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.from_s < self.until_s or (self.every_s and self.until_s - self.from_s >= self.every_s):
            raise ValueError("faults must end after they begin, and before they come again")

    def active(self, elapsed_s: float) -> bool:
        """Whether they act so long after the start."""
        since_s = elapsed_s - self.from_s
        if since_s < 0:
            return False
        return (since_s % self.every_s if self.every_s else since_s) < self.until_s - self.from_s


class Trouble:
    """The faults of one meter or line now: set by anyone at any time, suffered in the line's thread."""

    def __init__(
        self, name: str, *, seed: int = 0, first: Faults = NO_FAULTS, timed: tuple[TimedFaults, ...] = ()
    ) -> None:
        self._random = random.Random(f"{seed} {name}")  # noqa: S311 - reproducible on purpose
        self._always, self._timed = first, tuple(plan for plan in timed if plan.target == name)
        self._answers = 0
        self._lock = threading.Lock()
        self.started_at = 0.0  # of the simulation, set at its start

    def set(self, faults: Faults) -> None:
        """Suffer these from now on, beside the timed ones."""
        with self._lock:
            self._always = faults

    def now(self, at: float) -> Faults:
        """The faults at a monotonic instant: a timed set that is active wins over the lasting ones."""
        for plan in self._timed:
            if plan.active(at - self.started_at):
                return plan.faults
        with self._lock:
            return self._always

    def damage(self, answer: bytes, faults: Faults) -> bytes:
        """Return the answer, with one bit of it turned when its turn has come."""
        self._answers += 1
        due = faults.damage_every and self._answers % faults.damage_every == 0
        if not answer or not (due or (faults.damage_share and self._random.random() < faults.damage_share)):
            return answer
        spoiled = bytearray(answer)
        spoiled[self._random.randrange(len(answer))] ^= 1 << self._random.randrange(7)
        return bytes(spoiled)

    def noise(self, size: int) -> bytes:
        """Garbage, as a bad contact makes it."""
        return self._random.randbytes(size)
