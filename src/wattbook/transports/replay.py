"""A line that answers from a captured dialogue, on a clock of its own: for tests and for a user's bug report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattbook.transports.link import LinkLost
from wattbook.transports.pace import Pace

_LOOK_S = 1e-7


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked and what came back, `after_s` the request's end on the wire."""

    request: bytes
    answer: bytes = b""
    after_s: float = 0.0


@dataclass(slots=True)
class Replay:
    """A Link. Answers arrive byte by byte with the timing of the wire, on virtual time that `sleep` and `read` pass.

    A request that is not the next of the dialogue raises AssertionError: the codec asked something else.
    """

    dialogue: Iterable[Exchange]
    character_s: float = 10 / 9600
    now: float = 1000.0
    written: list[tuple[float, bytes]] = field(default_factory=list)
    bauds: list[int] = field(default_factory=list)
    sleeps: int = 0
    _due: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dialogue = iter(self.dialogue)

    def pace(self) -> Pace:
        """Waits on this line's own time."""
        return Pace(monotonic=self.monotonic, sleep=self.sleep)

    def monotonic(self) -> float:
        """The virtual instant. Looking at it takes a while, or who waits awake would wait for ever."""
        self.now += _LOOK_S
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.sleeps += 1
        # A sum of floats may stay a hair before the instant waited for, for ever.
        self.now += seconds + 1e-9

    def write(self, data: bytes) -> None:
        """Take a request; it must be the dialogue's next."""
        exchange = next(iter(self.dialogue), None)
        if exchange is None:
            raise LinkLost("the captured dialogue is over")
        assert data == exchange.request, f"asked {data.hex(' ')} instead of {exchange.request.hex(' ')}"
        self.written.append((self.now, data))
        start = self.now + len(data) * self.character_s + exchange.after_s
        self._due += [(start + n * self.character_s, byte) for n, byte in enumerate(exchange.answer, 1)]

    def read(self, timeout_s: float) -> bytes:
        """What has arrived; waits in virtual time."""
        if self._due and self._due[0][0] > self.now and self._due[0][0] <= self.now + timeout_s:
            self.now = self._due[0][0]
        elif not self._due or self._due[0][0] > self.now:
            self.now += max(timeout_s, 0.0)
        there = [byte for at, byte in self._due if at <= self.now]
        del self._due[: len(there)]
        return bytes(there)

    def set_baud(self, baud: int) -> None:
        """Note the speed; characters take accordingly."""
        self.bauds.append(baud)

    def close(self) -> None:
        """Nothing to give back."""
