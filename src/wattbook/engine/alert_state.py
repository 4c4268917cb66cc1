"""The state of one alert about one thing, and how it changes with what is seen. Pure; instants in ms since 1970."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from wattbook.model.clock import STEP_MIN

AlertState = Literal["quiet", "pending", "raised"]
Change = Literal["raised", "recovered"]
BREAK_MS = 300_000  # two sights further apart say nothing about the time between them, unless they come so seldom
_SKIPPED = 2  # times the time between the two before: one of a meter that is read seldom may be missing
FRESH_MS = 900_000  # what was read longer ago is history: it was late, or was imported
AHEAD_MS = int(STEP_MIN.total_seconds() * 1000)  # what a clock tells that is further ahead of ours is not believed


class Sight(NamedTuple):
    """What is seen of one thing at an instant. `bad` None: it does not say."""

    about: str  # meter, meter and quantity, sink; "" = the house
    at: int
    bad: bool | None
    value: float | None = None
    said: str = ""  # in words, where a value is not all
    since: int | None = None  # bad since then already


class State(msgspec.Struct, omit_defaults=True):
    """One rule about one thing. Kept in the follower's bookmark."""

    state: AlertState = "quiet"
    since: int = 0  # of this state; pending: when it began to be bad
    at: int = 0  # of the last sight
    apart: int = 0  # the last two sights; 0 = there were no two
    value: float | None = None  # of the last sight
    worst: float | None = None  # while it was bad
    said: str = ""
    marks: list[list[float]] = []  # what a rule remembers of the time before; msgspec copies it for each
    reminded: dict[str, int] = {}  # target -> when it was last reminded

    def see(self, sight: Sight, lasting_ms: int) -> Change | None:
        """Take the next sight; one that is older than the last is ignored. Raised and recovered alternate."""
        if sight.at < self.at:
            return None
        apart = sight.at - self.at
        broken = apart > max(BREAK_MS, lasting_ms, _SKIPPED * self.apart)
        if self.at and apart:
            # Of an outage only so much: the next one of its length shall be a break, too.
            self.apart = min(apart, _SKIPPED * self.apart) if broken and self.apart else apart
        self.at = sight.at
        self.value, self.said = sight.value, sight.said or self.said
        if sight.bad is None:
            return None
        return self._bad(sight, lasting_ms, broken=broken) if sight.bad else self._good(sight)

    def _bad(self, sight: Sight, lasting_ms: int, *, broken: bool) -> Change | None:
        if self.state == "quiet" or (self.state == "pending" and broken):
            self.state, self.since, self.worst = "pending", sight.at if sight.since is None else sight.since, None
        if self.worst is None or (sight.value is not None and abs(sight.value) > abs(self.worst)):
            self.worst = sight.value
        if self.state == "raised" or sight.at - self.since < lasting_ms:
            return None
        self.state = "raised"
        return "raised"

    def _good(self, sight: Sight) -> Change | None:
        was, self.said = self.state, sight.said
        if was == "quiet":
            return None
        self.state, self.reminded = "quiet", {}
        if was == "pending":
            self.since = sight.at
            return None
        return "recovered"

    def due(self, target: str, every_ms: int, now: int) -> bool:
        """Whether somebody is to be reminded, which is noted."""
        if self.state != "raised" or now - self.reminded.setdefault(target, now) < every_ms:
            return False
        self.reminded[target] = now
        return True

    def believe(self, now: int) -> None:
        """Instants that lie in the future were told by a clock that has been set back since."""
        latest = now + AHEAD_MS
        if self.at > latest:
            self.at, self.apart, self.since, self.marks = 0, 0, min(self.since, now), []
        self.reminded = {target: min(at, now) for target, at in self.reminded.items()}


class Supplied(msgspec.Struct, omit_defaults=True):
    """What feeds the house, as the events last told."""

    kind: str = ""  # utility, generator, dark, unknown; "" = nothing was told yet
    since: int = 0
    until: int | None = None  # dark: when it was over, if it was told afterwards
    said: str = ""


class Memory(msgspec.Struct, omit_defaults=True):
    """All that the follower remembers, in its bookmark."""

    states: dict[str, dict[str, State]] = {}  # rule -> about -> state
    heard: dict[str, int] = {}  # meter -> its last reading
    supplied: Supplied = msgspec.field(default_factory=Supplied)
    muted: dict[str, int] = {}  # rule -> until; 0 = for good
    kinds: dict[str, str] = {}  # rule -> its kind when it was last decided on

    def state(self, rule: str, about: str) -> State:
        """The state of a rule about a thing, a new one where there is none."""
        return self.states.setdefault(rule, {}).setdefault(about, State())

    def is_raised(self, rule: str) -> bool:
        """Whether a rule is raised about anything."""
        return any(state.state == "raised" for state in self.states.get(rule, {}).values())

    def is_muted(self, rule: str, now: int) -> bool:
        """Whether nothing is said of a rule now."""
        until = self.muted.get(rule)
        return until is not None and (until == 0 or now < until)


def read_memory(bookmark: str) -> Memory:
    """The memory of a bookmark. Raises msgspec.MsgspecError for one that cannot be read."""
    return msgspec.json.decode(bookmark, type=Memory) if bookmark else Memory()


def write_memory(memory: Memory) -> str:
    """The bookmark of a memory."""
    return msgspec.json.encode(memory).decode()


def is_fresh(at_ms: int, now_ms: int) -> bool:
    """Whether something read at an instant is about now."""
    return now_ms - FRESH_MS <= at_ms <= now_ms + AHEAD_MS
