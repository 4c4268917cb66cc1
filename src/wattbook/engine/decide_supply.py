"""Follow the journal and decide which source feeds the house: events, and what is so now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from wattbook.config import Config, MeterSettings
from wattbook.engine.follow import Decision
from wattbook.engine.status import DarkSpan, SupplyNow, SupplyState
from wattbook.engine.supply import SETTLE_MS, Evidence, Memory, Supply, SupplyRule, patience_s
from wattbook.model import Batch, Clock, Event
from wattbook.model.batch import Columns, from_ms, to_ms
from wattbook.model.clock import STEP_MIN

NAME = "supply"
TICK_S = 1.0  # silence is looked at so often
COLUMNS_FROM = 16  # readings: of fewer, one by one costs less
_SENT_EVERY_S = 300.0  # what is sent to us without a promise: Tasmota publishes every 300 s unless told otherwise
_HEARD_EVERY_S = 10.0  # what speaks by itself over a wire: P1 and SML meters do every 1 to 10 s

_log = logging.getLogger("wattbook.supply")


@dataclass(slots=True)
class SupplyDecider:
    """The follower; it needs `idle_s=TICK_S`. Its memory is the bookmark, so a batch may come again."""

    rule: SupplyRule
    clock: Clock
    boot: str  # names this start of the machine
    lag_s: float = 0.0  # until a reading is in the journal, at the most
    stalled: Callable[[], bool] = lambda: False  # the book cannot be written: silence there means nothing
    changed: Callable[[SupplyNow], None] = lambda now: None
    now: SupplyNow = field(default_factory=lambda: SupplyNow("unknown"))
    name: str = NAME
    run: int = 0  # when this run of the program began, in ms; 0 = now

    def __post_init__(self) -> None:
        self.run = self.run or to_ms(self.clock.now())

    def recall(self, bookmark: str) -> None:
        """Show what this very run decided before its configuration changed; what another one did may be long ago."""
        memory = _memory(bookmark)
        if memory.run == self.run:
            self._show(memory)

    async def take(self, batch: Batch, bookmark: str) -> Decision:
        """Decide as far as the batch goes; an empty one says that all was quiet until now."""
        supply = Supply(self.rule, _memory(bookmark))
        if supply.memory.run != self.run:
            supply.begin(self.run, boot=self.boot)
        if not len(batch) and self.stalled():
            return Decision(bookmark)
        events = list(self._decide(supply, batch))
        for event in events:
            _log.log(logging.INFO if event.kind == "supply.utility" else logging.WARNING, "%s", in_words(event))
        self._show(supply.memory)
        if not len(batch) and not events:
            return Decision(bookmark)  # nothing to remember: the next look finds the same and more
        return Decision(msgspec.json.encode(supply.memory).decode(), tuple(events))

    def _decide(self, supply: Supply, batch: Batch) -> Iterator[Event]:
        now = to_ms(self.clock.now())
        if not len(batch):
            yield from supply.take((), until=now - SETTLE_MS - round(1000 * self.lag_s))
            return
        after = 0
        for step in (event for event in batch.events if event.kind == "clock.step"):
            yield from supply.take(self._evidence(batch, after, step.seq, now))
            supply.shift(_step_ms(step))
            after = step.seq
        yield from supply.take(self._evidence(batch, after, None, now))

    def _evidence(self, batch: Batch, after: int, before: int | None, now: int) -> Iterator[Evidence]:
        """What the readings between two numbers say. What a clock tells that is ahead of ours is not believed."""
        latest = now + STEP_MIN // timedelta(milliseconds=1)
        for columns in batch.columns:
            if columns.site or not (columns.meter in self.rule.utility or columns.meter in self.rule.generator):
                continue
            for seq, evidence in self._said(columns):
                if seq > after and (before is None or seq < before) and evidence.at <= latest:
                    yield evidence

    def _said(self, columns: Columns) -> Iterator[tuple[int, Evidence]]:
        if len(columns) >= COLUMNS_FROM:
            from wattbook.engine.supply_columns import evidences  # with numpy, which takes 17 MB

            yield from evidences(self.rule, columns)
            return
        for seq, reading in zip(columns.seq, columns.readings(), strict=True):
            if (evidence := self.rule.evidence(reading)) is not None:
                yield seq, evidence

    def _show(self, memory: Memory) -> None:
        state: SupplyState = "unknown" if memory.restart else memory.state
        dark = memory.dark
        shown = SupplyNow(
            state,
            None if memory.restart else _instant(memory.since),
            DarkSpan(from_ms(dark.start), _instant(dark.end), dark.reason) if dark else None,
        )
        if shown != self.now:
            self.now = shown
            self.changed(shown)


def supply_rule(config: Config) -> SupplyRule | None:
    """The rule of a configuration; None when no meter is the utility's."""
    settings = config.supply
    by_source = {
        source: {meter.name: patience_s(_period_s(config, meter)) for meter in config.meters if meter.source == source}
        for source in ("utility", "generator")
    }
    if not by_source["utility"]:
        return None
    return SupplyRule(by_source["utility"], by_source["generator"], settings.generator_current, settings.dark_after)


def _period_s(config: Config, meter: MeterSettings) -> float:
    """How often a meter tells something."""
    profile = config.profiles[meter.name]
    own_s = _SENT_EVERY_S if profile.protocol in ("mqtt", "push") else _HEARD_EVERY_S if profile.listens else 0.0
    return max(config.every_s(meter), own_s)


def _memory(bookmark: str) -> Memory:
    if not bookmark:
        return Memory()
    try:
        return msgspec.json.decode(bookmark, type=Memory)
    except msgspec.MsgspecError:
        _log.warning("what was remembered of the supply cannot be read; it is found anew")
        return Memory()


def _instant(at: int | None) -> datetime | None:
    return None if at is None else from_ms(at)


def _step_ms(step: Event) -> int:
    """By how much the clock was stepped; 0 where the readings before it are re-dated, or it does not say."""
    by_s = step.body.get("by_s")
    return round(1000 * by_s) if isinstance(by_s, int | float) and not step.body.get("first_set") else 0


def in_words(event: Event) -> str:
    """A change of the supply as a person reads it in the log."""
    start, end, reason = event.body.get("from"), event.body.get("to"), event.body.get("reason")
    match event.kind.removeprefix("supply."):
        case "dark":
            what = "the house is dark"
        case "unknown":
            what = "it is not known what feeds the house"
        case source:
            what = f"the {source} feeds the house"
    span = f"from {start} to {end}" if end else f"since {start}"
    return f"{what} {span}" + (f": {reason}" if reason else "")
