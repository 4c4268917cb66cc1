"""Follow the journal and decide what people are told: events alert.raised, alert.recovered, alert.reminded.

Nothing leaves the house here: engine/notify.py carries the events out. All memory is the bookmark, which is written
with the events in one transaction, so that a restart says nothing twice and forgets nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from wattbook.codecs.reading_json import format_instant
from wattbook.config import AlertSettings, Config
from wattbook.engine.alert_looks import SLOW, Looks, meters_of, supply_sight
from wattbook.engine.alert_readings import sight_of, values_for
from wattbook.engine.alert_state import Change, Memory, Sight, State, Supplied, is_fresh, read_memory, write_memory
from wattbook.engine.alert_watched import Watched
from wattbook.engine.alert_words import in_words, unwatched
from wattbook.engine.follow import BATCH_MAX, Decision
from wattbook.engine.language import Language, language
from wattbook.engine.status import AlertsNow
from wattbook.model import Batch, Clock, Event
from wattbook.model.batch import from_ms, to_ms

NAME = "watch"
TICK_S = 1.0  # time is looked at so often
SLOW_S = 60.0  # the book and the disk are asked so often
RAISED, RECOVERED, REMINDED = "alert.raised", "alert.recovered", "alert.reminded"
MUTED, UNMUTED, TESTED = "alert.muted", "alert.unmuted", "alert.tested"
KINDS = (RAISED, RECOVERED, REMINDED, MUTED, UNMUTED, TESTED)

_log = logging.getLogger("wattbook.watch")


@dataclass(slots=True)
class Watcher:
    """The follower; it needs `idle_s=TICK_S`."""

    config: Config
    looks: Looks
    clock: Clock
    stalled: Callable[[], bool] = lambda: False  # the book cannot be written: silence there means nothing
    show: Callable[[AlertsNow], None] = lambda now: None  # told of every change, once it is in the book
    now: Memory = field(default_factory=Memory)  # as it was decided last, for the page
    changed: int = 0  # number of the newest event of alerts
    name: str = NAME
    _watched: Watched = field(init=False)
    _looked: float | None = None  # monotonic
    _slow: Mapping[str, Sequence[Sight]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watched = Watched.by(self.config)

    @property
    def _words(self) -> Language:
        return language(self.config.site.language)

    async def take(self, batch: Batch, bookmark: str) -> Decision:
        """Decide as far as the batch goes, and, at the journal's end, what time alone decides."""
        memory, now = self._memory(bookmark), self.clock.now()
        events = [*self._end(memory), *self._hear(memory, batch, to_ms(now))]
        if len(batch) < BATCH_MAX and (len(batch) or not self.stalled()):
            await self._look(now)
            events += self._tick(memory, to_ms(now))
        for event in events:
            level = logging.WARNING if event.kind == RAISED else logging.INFO
            _log.log(level, "%s: %s", event.subject, event.body["text"])
        self.now = memory
        self._show(batch)
        return Decision(write_memory(memory), tuple(events))

    def recall(self, bookmark: str) -> None:
        """Show what was decided last, until there is something to decide."""
        self.now = self._memory(bookmark)
        self._watched.forget_others(self.now)

    def standing(self) -> AlertsNow:
        """How many rules are raised, and what changed last."""
        raised = sum(self.now.is_raised(rule.name) for rule in self.config.alerts)
        return AlertsNow(raised, self.changed)

    def _show(self, batch: Batch) -> None:
        """Tell of what the batch says happened: what is decided now comes back, with its number, when it is durable."""
        numbers = [event.seq for event in batch.events if event.kind in KINDS]
        if numbers:
            self.changed = max(self.changed, *numbers)
            self.show(self.standing())

    def _memory(self, bookmark: str) -> Memory:
        try:
            memory = read_memory(bookmark)
        except msgspec.MsgspecError:
            _log.warning("what was remembered of the alerts cannot be read; they are found anew")
            memory = Memory()
        now = to_ms(self.clock.now())
        memory.heard = {meter: at for meter, at in memory.heard.items() if at <= now or is_fresh(at, now)}
        for states in memory.states.values():
            for state in states.values():
                state.believe(now)
        return memory

    def _end(self, memory: Memory) -> Iterator[Event]:
        """Forget what is not watched any more. What was raised about it has ended, however it may be by now."""
        now = self.clock.now()
        for rule, about, state in self._watched.forget_others(memory):
            if state.state == "raised":
                since = from_ms(state.since)
                body = _body(rule, about, state, unwatched(self._words, about)) | {
                    "value": None, "since": format_instant(since), "lasted_s": (now - since).total_seconds(),
                    "unwatched": True,
                }  # fmt: skip
                yield Event(RECOVERED, rule.name, now, body)

    def _hear(self, memory: Memory, batch: Batch, now: int) -> Iterator[Event]:
        """What readings and events say."""
        for columns in batch.columns:
            if columns.site:
                continue
            fresh = [at for at in columns.at_ms if is_fresh(at, now)]
            if not fresh:
                continue  # history
            memory.heard[columns.meter] = max(memory.heard.get(columns.meter, 0), *fresh)
            for rule in self._rules_of(columns.meter):
                for value in values_for(rule, columns):
                    if is_fresh(value.at, now):
                        about = f"{columns.meter}/{value.quantity}"
                        sight = sight_of(rule, memory.state(rule.name, about), about, value)
                        yield from self._see(rule, memory, sight)
        for event in batch.events:
            yield from self._hear_event(memory, event, now)

    def _rules_of(self, meter: str) -> Iterator[AlertSettings]:
        for rule in self.config.alerts:
            of_values = rule.kind in ("above", "below", "rate", "en50160", "imbalance")
            if of_values and meter in meters_of(rule, self.config):
                yield rule

    def _hear_event(self, memory: Memory, event: Event, now: int) -> Iterator[Event]:
        if event.kind in (MUTED, UNMUTED):
            _mute(memory, event)
        elif event.kind.startswith("supply."):
            memory.supplied = supplied(self._words, event)
            for rule in self.config.alerts:
                if rule.kind in ("supply", "generator"):
                    yield from self._see(rule, memory, supply_sight(rule, memory, now))
        elif event.kind in ("backup.failed", "backup.made"):
            failed = event.kind == "backup.failed"
            reason = str(event.body.get("reason", ""))
            said = self._words.say("backup.failed", reason=reason) if failed else self._words.say("backup.made")
            for rule in self.config.alerts:
                if rule.kind == "backup":
                    yield from self._see(rule, memory, Sight("", now, failed, said=said))

    async def _look(self, now: datetime) -> None:
        """Ask the book and the disk, when it is time."""
        if self._looked is not None and self.clock.monotonic() - self._looked < SLOW_S:
            return
        self._looked = self.clock.monotonic()
        rules = [rule for rule in self.config.alerts if rule.kind in SLOW]
        if rules:
            self._slow = await asyncio.to_thread(lambda: {rule.name: self.looks.slow(rule, now) for rule in rules})

    def _tick(self, memory: Memory, now: int) -> Iterator[Event]:
        """What time decides, and whom it reminds."""
        slow, self._slow = self._slow, {}
        for rule in self.config.alerts:
            for sight in (*self.looks.quick(rule, memory, now), *slow.get(rule.name, ())):
                yield from self._see(rule, memory, sight)
            for about, state in memory.states.get(rule.name, {}).items():
                yield from self._remind(rule, about, state, now)

    def _see(self, rule: AlertSettings, memory: Memory, sight: Sight | None) -> Iterator[Event]:
        if sight is None:
            return
        state = memory.state(rule.name, sight.about)
        began = state.since
        change = state.see(sight, 0 if rule.kind == "silent" else rule.lasting_ms)
        if change is not None:
            if change == "recovered":
                state.since = sight.at
            yield self._event(rule, sight.about, state, change, began if change == "recovered" else state.since)

    def _event(self, rule: AlertSettings, about: str, state: State, change: Change, began: int) -> Event:
        text = in_words(self._words, rule, about, state, change)
        body = _body(rule, about, state, text) | {"since": format_instant(from_ms(began))}
        if change == "recovered":
            lasted_s = (state.at - began) / 1000
            told = self._words.say("alert.lasted", text=text, duration=self._words.duration(lasted_s))
            body |= {"lasted_s": lasted_s, "text": told}
        return Event(RAISED if change == "raised" else RECOVERED, rule.name, self.clock.now(), body)

    def _remind(self, rule: AlertSettings, about: str, state: State, now: int) -> Iterator[Event]:
        targets = [
            target.name
            for target in self.config.notify
            if target.remind and target.wants(rule.name, rule.severity)
            and state.due(target.name, round(1000 * target.remind), now)
        ]  # fmt: skip
        if targets:
            text = self._words.say(
                "alert.still", duration=self._words.duration((now - state.since) / 1000),
                text=in_words(self._words, rule, about, state, "raised"),
            )  # fmt: skip
            body = _body(rule, about, state, text) | {"since": format_instant(from_ms(state.since)), "to": targets}
            yield Event(REMINDED, rule.name, self.clock.now(), body)


def _body(rule: AlertSettings, about: str, state: State, text: str) -> dict[str, object]:
    meter, _, name = about.partition("/")
    return {
        "kind": rule.kind,
        "severity": rule.severity,
        "about": meter,
        "quantity": name,
        "value": state.value,
        "worst": state.worst,
        "text": text,
    }


def _mute(memory: Memory, event: Event) -> None:
    if event.kind == UNMUTED:
        memory.muted.pop(event.subject, None)
        return
    until = event.body.get("until")
    memory.muted[event.subject] = to_ms(datetime.fromisoformat(until)) if until else 0


def supplied(words: Language, event: Event) -> Supplied:
    """What an event of the supply tells, kept."""
    kind, body = event.kind.removeprefix("supply."), event.body
    since, until = event.at, body.get("to")
    ran_s = body.get("was_s") if body.get("was") == "generator" else None
    ended = datetime.fromisoformat(until) if until else None
    said = words.say(f"supply.{kind if kind in ('utility', 'generator', 'dark') else 'unknown'}")
    if kind == "dark" and ended is not None:
        lasted = words.duration((ended - since) / timedelta(seconds=1))
        said = words.say("supply.was_dark", duration=lasted, reason=words.reason(str(body.get("reason", ""))))
    if ran_s is not None:
        said = words.say("supply.ran", text=said, duration=words.duration(float(ran_s)))
    return Supplied(kind, to_ms(since), to_ms(ended) if ended else None, said)
