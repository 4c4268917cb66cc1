"""The alerts of a configuration: who decides, who carries out, and how they fare as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wattbook.codecs.reading_json import format_instant
from wattbook.config import AlertSettings, Config
from wattbook.config.alert_settings import KEYS
from wattbook.engine.alert_energy import EnergyLook
from wattbook.engine.alert_looks import Looks
from wattbook.engine.alert_state import Memory, State
from wattbook.engine.alert_words import in_words
from wattbook.engine.follow import Following, follow
from wattbook.engine.language import Language, language
from wattbook.engine.notify import SENT, Carrier, make_carriers
from wattbook.engine.status import AlertsNow
from wattbook.engine.watch import KINDS, NAME, TICK_S, Watcher
from wattbook.model import Clock, Event, quantity
from wattbook.model.batch import from_ms, to_ms
from wattbook.store import Book, BookReader

HISTORY_MAX = 1000  # events in one answer
_WORST = ("raised", "pending", "quiet")


@dataclass(frozen=True, slots=True)
class Alerts:
    """What watches and tells."""

    config: Config
    book: Book
    reader: BookReader
    clock: Clock
    watcher: Watcher
    carriers: Mapping[str, Carrier]

    def work(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What is to run, with names."""
        if self.config.alerts:
            yield NAME, self._watch()
        for carrier in self.carriers.values():
            yield carrier.name, carrier.run()

    async def _watch(self) -> None:
        if self.book.position(NAME) is None:  # what was before is not news
            self.book.acknowledge(NAME, await asyncio.to_thread(self.reader.end))
        newest = await asyncio.to_thread(self.reader.newest_events, KINDS, 1)
        self.watcher.changed = newest[0].seq if newest else 0
        await follow(self.book, self.watcher, idle_s=TICK_S)


def make_alerts(
    config: Config,
    book: Book,
    reader: BookReader,
    clock: Clock,
    sinks: Callable[[], Sequence[tuple[str, Following]]] = tuple,
    *,
    show: Callable[[AlertsNow], None] = lambda now: None,
) -> Alerts:
    """The alerts of a configuration, not yet running. `show` is told of every change."""
    looks = Looks(
        config,
        EnergyLook(config, reader),
        to_ms(clock.now()),
        sinks,
        unwritable=lambda: book.statistics().gap_reason if book.statistics().gap_since else "",
    )
    watcher = Watcher(config, looks, clock, lambda: book.statistics().gap_since is not None, show)
    if position := book.position(NAME):
        watcher.recall(position.bookmark)
    carriers = {carrier.target.name: carrier for carrier in make_carriers(config, book, reader, clock)}
    return Alerts(config, book, reader, clock, watcher, carriers)


def rules_json(config: Config, memory: Memory, now: int) -> Sequence[Mapping[str, Any]]:
    """Every rule with the state of each thing it is about, the worst first."""
    words = language(config.site.language)
    return [_rule_json(words, rule, memory, now) for rule in config.alerts]


def _rule_json(words: Language, rule: AlertSettings, memory: Memory, now: int) -> Mapping[str, Any]:
    states = sorted(memory.states.get(rule.name, {}).items(), key=lambda each: _WORST.index(each[1].state))
    told = [_state_json(words, rule, about, state) for about, state in states]
    muted, until = memory.is_muted(rule.name, now), memory.muted.get(rule.name, 0)
    worst = told[0] if told else {"state": "quiet", "since": None, "value": None}
    return {
        "name": rule.name,
        "kind": rule.kind,
        "severity": rule.severity,
        "meters": list(rule.meters),
        "settings": {key: getattr(rule, key) for key in rule.given() if key != "meters"},
        "watches": {key: rule.told(key) for key in KEYS[rule.kind] if key != "meters"},
        "state": worst["state"],
        "since": worst["since"],
        "value": worst["value"],
        "muted": muted,
        "muted_until": format_instant(from_ms(until)) if muted and until else None,
        "about": told,
    }


def _state_json(words: Language, rule: AlertSettings, about: str, state: State) -> Mapping[str, Any]:
    meter, _, name = about.partition("/")
    return {
        "about": meter,
        "quantity": name,
        "unit": "%" if rule.kind in ("imbalance", "disk") else quantity(name).unit if name else "",
        "state": state.state,
        "since": format_instant(from_ms(state.since)) if state.since else None,
        "value": state.value,
        "worst": state.worst if state.state != "quiet" else None,
        "text": in_words(words, rule, about, state, "recovered" if state.state == "quiet" else "raised"),
    }


def targets_json(config: Config, carriers: Mapping[str, Carrier]) -> Sequence[Mapping[str, Any]]:
    """Everybody who is told. The address is a secret: only its kind is shown."""
    return [_target_json(target.name, config, carriers.get(target.name)) for target in config.notify]


def _target_json(name: str, config: Config, carrier: Carrier | None) -> Mapping[str, Any]:
    target = next(each for each in config.notify if each.name == name)
    status = carrier.status if carrier else Following("", "starting", "wattbook is not running")
    hours = target.quiet_from and target.quiet_to and f"{target.quiet_from:%H:%M}-{target.quiet_to:%H:%M}"
    return {
        "name": name,
        "service": target.url.reveal().partition("://")[0],
        "alerts": list(target.alerts),
        "severity": target.severity,
        "quiet": hours or None,
        "remind_s": target.remind,
        "recovery": target.recovery,
        "state": status.state if carrier else "stopped",
        "reason": status.reason if not carrier or status.state in ("away", "failed") else "",
        "held": carrier.held if carrier else 0,
        "sent_at": format_instant(carrier.sent_at) if carrier and carrier.sent_at else None,
    }


def history_json(
    reader: BookReader, *, limit: int, before: int | None = None, rule: str | None = None
) -> Mapping[str, Any]:
    """What was raised, recovered and told, the newest first; `before` is the number to ask for more with."""
    events = reader.newest_events(KINDS, limit, before=before, subject=rule)
    sent: dict[int, list[str]] = {}
    for each in reader.newest_events((SENT,), 10 * HISTORY_MAX) if events else ():
        for number in each.body.get("numbers", ()):
            sent.setdefault(number, []).append(each.subject)
    more = events[-1].seq if len(events) == limit else None
    return {"events": [_event_json(event, sent.get(event.seq, ())) for event in events], "before": more}


def _event_json(event: Event, sent: Sequence[str]) -> Mapping[str, Any]:
    keys = ("kind", "severity", "about", "quantity", "value", "worst", "text", "since", "lasted_s", "until")
    return {
        "number": event.seq,
        "at": format_instant(event.at),
        "event": event.kind.removeprefix("alert."),
        "rule": event.subject,
        "who": event.actor,
        **{key: event.body.get(key) for key in keys},
        "sent": sorted(sent),
    }
