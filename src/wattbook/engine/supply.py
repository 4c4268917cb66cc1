"""Which source feeds the house, from what its meters say. Pure: readings come in, a history of states goes out.

The generator feeds when its own meter tells more than a set current; through an interlock the utility's meters show
voltage then too, so voltage proves the utility only while no generator gives current. Nothing feeds when nothing proves
that something does for `dark_after_s`. Everything is decided at instants of the readings themselves, in their order,
so neither the order of delivery nor the cut into batches changes the history. Instants here are ms since 1970 UTC.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from wattbook.codecs.reading_json import format_instant
from wattbook.engine.status import SupplyState
from wattbook.model import Event, Reading
from wattbook.model.batch import from_ms, to_ms

CONFIRMED_BY = 2  # readings in a row that say the same: one odd value of a meter changes nothing
GENERATOR_A = 0.3  # a PZEM-016 on an idle generator tells 0.0; the rule of the house in seeds/001
LIVE_V = 80.0  # a PZEM-016 lives from 80 V; a dead phase beside live ones shows up to some 30 V
DARK_AFTER_S = 45.0  # a meter that was silent is asked again after up to 30 s, and tells itself twice
PERIODS_MISSED, PATIENCE_S_MIN = 3, 10.0  # a meter's word is good so long: fewer missed answers are noise on the line
SETTLE_MS = 2_000  # readings of several lines may come in another order than they were taken, by so much
PENDING_MAX = 1_000  # readings that wait for it: 500 a second

CURRENTS = ("current", "current_l1", "current_l2", "current_l3")
VOLTAGES = ("voltage", "voltage_l1", "voltage_l2", "voltage_l3", "voltage_l12", "voltage_l23", "voltage_l31")


class Evidence(NamedTuple):
    """What one reading says: whether its source feeds the house."""

    at: int
    meter: str
    feeds: bool


@dataclass(frozen=True, slots=True)
class SupplyRule:
    """The meters that know, and the numbers."""

    utility: Mapping[str, float]  # meter -> s for which its word is good, as `patience_s` has it
    generator: Mapping[str, float]
    generator_current: float = GENERATOR_A  # A; more means that it runs
    dark_after_s: float = DARK_AFTER_S

    def evidence(self, reading: Reading) -> Evidence | None:
        """What a reading says; None when it says nothing that is believed, or its meter is none of ours."""
        if reading.meter in self.generator:
            told, least = _told(reading, CURRENTS), self.generator_current
            return None if told is None else Evidence(to_ms(reading.at), reading.meter, told > least)
        if reading.meter not in self.utility or not any(True for _ in reading.good_values()):
            return None
        if not any(name in reading.values for name in VOLTAGES):
            return Evidence(to_ms(reading.at), reading.meter, True)  # it answers, and lives on what it measures
        told = _told(reading, VOLTAGES)
        return None if told is None else Evidence(to_ms(reading.at), reading.meter, told >= LIVE_V)


def _told(reading: Reading, names: Iterable[str]) -> float | None:
    """The greatest good value of these quantities."""
    good = dict(reading.good_values())
    return max((good[name] for name in names if name in good), default=None)


def patience_s(every_s: float) -> float:
    """For how long the word of a meter is good that is read so often; 0 = as often as it goes."""
    return max(PERIODS_MISSED * every_s, PATIENCE_S_MIN)


@dataclass(slots=True)
class Heard:
    """The last word of one meter, and the run of equal words that it ends."""

    at: int
    feeds: bool
    first: int
    count: int
    fed: int | None = None  # when it last told of power

    @property
    def confirmed(self) -> bool:
        return self.count >= CONFIRMED_BY


@dataclass(slots=True)
class Dark:
    """A span in which nothing was proved to feed the house. `end` None: it lasts."""

    start: int
    end: int | None
    reason: str


@dataclass(slots=True)
class Memory:
    """All that is remembered from one reading to the next. Kept with the follower's position."""

    state: SupplyState = "unknown"
    since: int | None = None
    done: int = 0  # decided up to here; what is older comes too late
    fed: int | None = None  # when something was last proved to feed the house
    run: int | None = None  # which run of wattbook this was: its start
    listening: int | None = None  # since when it would have heard
    restart: Literal["", "machine", "program"] = ""  # what was off, until the first word after it
    boot: str = ""  # which start of the machine this was
    heard: dict[str, Heard] = field(default_factory=dict)
    pending: list[Evidence] = field(default_factory=list)  # in order
    dark: Dark | None = None  # the last one


class Supply:
    """Decides. Takes evidence in any order within SETTLE_MS, and gives each change of state once, as an event."""

    def __init__(self, rule: SupplyRule, memory: Memory) -> None:
        self._rule = rule
        self.memory = memory
        self._events: list[Event] = []
        self._quiet_until = 0  # no silence decides anything before; so most readings cost no look at all meters

    def begin(self, at: int, *, boot: str) -> None:
        """wattbook was started. `boot` names this start of the machine; "" = not known."""
        memory = self.memory
        if memory.run is not None:
            memory.restart = "machine" if boot and memory.boot != boot else "program"
        memory.run, memory.listening, memory.boot = at, at, boot

    def shift(self, by: int) -> None:
        """The clock was stepped: what was heard is as old as before."""
        memory = self.memory
        for heard in memory.heard.values():
            heard.at, heard.first = heard.at + by, heard.first + by
        memory.done += by
        memory.pending = [each._replace(at=each.at + by) for each in memory.pending]
        if memory.fed is not None:
            memory.fed += by
        if memory.listening is not None:
            memory.listening += by
        if memory.since is not None:
            memory.since = min(memory.since, memory.done)

    def take(self, evidence: Iterable[Evidence], *, until: int | None = None) -> list[Event]:
        """Hear evidence and decide as far as it goes: up to SETTLE_MS before its last, or `until`."""
        memory = self.memory
        for each in evidence:
            if each.at > memory.done:
                insort(memory.pending, each)
        last = memory.pending[-1].at - SETTLE_MS if memory.pending else memory.done
        end = max(memory.done, last, memory.done if until is None else until)
        taken = sum(each.at <= end for each in memory.pending)
        taken = max(taken, len(memory.pending) - PENDING_MAX)
        ready, memory.pending = memory.pending[:taken], memory.pending[taken:]
        self._events = []
        for each in ready:
            if memory.restart and each.at >= (memory.listening or 0):  # else it was heard before
                self._resume(each.at)
            self._pass_time(each.at)
            self._hear(each)
        self._pass_time(end)
        memory.done = max(memory.done, end)
        return self._events

    def _pass_time(self, to: int) -> None:
        """Decide whatever silence decides before `to`, each at its own instant."""
        if to >= self._quiet_until:
            done, deadlines = self.memory.done, sorted(set(self._deadlines()))
            for at in deadlines:
                if done < at <= to:
                    self._decide(at)
            self._quiet_until = next((at for at in deadlines if at > to), to + 1)
        self.memory.done = max(self.memory.done, to)

    def _deadlines(self) -> Iterator[int]:
        """Instants at which silence begins to count."""
        memory, generator = self.memory, self._rule.generator
        for meter, heard in memory.heard.items():
            yield heard.at + self._patience(meter) + 1
            if meter not in generator:
                yield from (heard.first + self._patience(each) + 1 for each in generator)
        if (late := self._dark_at()) is not None:
            yield late

    def _hear(self, evidence: Evidence) -> None:
        memory, (at, meter, feeds) = self.memory, evidence
        heard = memory.heard.get(meter)
        if heard is None or heard.feeds != feeds or at - heard.at > self._patience(meter):
            memory.heard[meter] = heard = Heard(at, feeds, at, 1, heard.fed if heard else None)
            self._quiet_until = 0
            news = True
        else:
            news = not heard.confirmed
            heard.at, heard.count = at, min(heard.count + 1, CONFIRMED_BY)
        if feeds:
            memory.fed = heard.fed = at
        if news:
            self._decide(at)

    def _resume(self, at: int) -> None:
        """The first word after a restart: nothing is known of the time since the last one before."""
        memory, fed = self.memory, self.memory.fed
        off, memory.restart = memory.restart, ""
        if fed is None or at - fed <= self._dark_after:
            return  # as if it had gone on
        memory.heard.clear()
        if memory.state == "dark":
            return
        if off == "machine":
            self._change("dark", fed, until=at, reason="this machine was off")
        else:
            self._change("unknown", fed, until=at, reason="wattbook was not running")

    def _decide(self, at: int) -> None:
        found = self._found(at)
        if found is None or found[0] == self.memory.state:
            return
        state, since = found
        reason = "this machine was off" if self.memory.restart == "machine" else "no meter of a source tells of power"
        self._change(state, since, reason=reason if state == "dark" else "")

    def _found(self, at: int) -> tuple[SupplyState, int] | None:
        """What is proved at this instant, and since when; None = nothing, so the state stays."""
        memory, rule = self.memory, self._rule
        fresh = {meter: heard for meter, heard in memory.heard.items() if at - heard.at <= self._patience(meter)}
        running = [heard for meter, heard in fresh.items() if meter in rule.generator and heard.feeds]
        if running:  # one value proves nothing yet, but speaks against the utility
            firsts = [heard.first for heard in running if heard.confirmed]
            return ("generator", min(firsts)) if firsts else None
        live = [
            heard.first for meter, heard in fresh.items() if meter in rule.utility and heard.feeds and heard.confirmed
        ]
        if live:
            stands = [self._stands_since(meter, fresh.get(meter), min(live), at) for meter in rule.generator]
            known = [each for each in stands if each is not None]
            return ("utility", max([min(live), *known])) if len(known) == len(stands) else None
        start, late = self._dark_from(), self._dark_at()
        alive = any(heard.feeds for heard in fresh.values())  # a first word after silence waits for its second
        return ("dark", start) if start is not None and late is not None and not alive and at >= late else None

    def _stands_since(self, meter: str, fresh: Heard | None, live: int, at: int) -> int | None:
        """From when on this generator lets a utility feed that is `live` since then; None = it may give current."""
        heard = self.memory.heard.get(meter)
        if fresh is not None:
            stands = fresh.confirmed
        else:
            stands = at - max(heard.at if heard else 0, live) > self._patience(meter)
        if not stands:
            return None
        if heard is None or heard.fed is None or heard.fed < live:
            return live
        return heard.first if fresh else heard.at

    def _dark_from(self) -> int | None:
        """From when on nothing is proved to feed the house."""
        memory = self.memory
        if memory.fed is None or (memory.restart == "program" and memory.listening is not None):
            return memory.listening
        return memory.fed

    def _dark_at(self) -> int | None:
        """When that has lasted long enough, while somebody listened."""
        start, listening = self._dark_from(), self.memory.listening
        return None if start is None else max(start, listening or 0) + self._dark_after + 1

    def _change(self, state: SupplyState, since: int, *, until: int | None = None, reason: str = "") -> None:
        memory = self.memory
        since = since if memory.since is None else max(since, memory.since)
        body: dict[str, Any] = {"from": _text(since), "was": memory.state, "was_since": _text(memory.since)}
        if memory.since is not None:
            body["was_s"] = (since - memory.since) / 1000
        if memory.state == "dark" and memory.dark is not None and memory.dark.end is None:
            memory.dark.end = since
        if reason:
            body |= {"to": _text(until), "reason": reason}
        if state == "dark":
            memory.dark = Dark(since, until, reason)
            memory.restart = ""
        self._events.append(Event(f"supply.{state}", "", from_ms(since), body))
        memory.state, memory.since = state, since

    def _patience(self, meter: str) -> int:
        rule = self._rule
        return round(1000 * (rule.utility.get(meter) or rule.generator.get(meter) or PATIENCE_S_MIN))

    @property
    def _dark_after(self) -> int:
        return round(1000 * self._rule.dark_after_s)


def _text(at: int | None) -> str | None:
    return None if at is None else format_instant(from_ms(at))
