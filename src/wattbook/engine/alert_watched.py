"""What the rules of a configuration can see, so that nothing is remembered of what they cannot see any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wattbook.config import AlertSettings, Config
from wattbook.engine.alert_looks import meters_of
from wattbook.engine.alert_readings import quantities_of
from wattbook.engine.alert_state import Memory, State


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything that a configuration watches."""

    rules: Sequence[AlertSettings]
    things: Mapping[str, frozenset[str]]  # rule -> all that it can be about
    meters: frozenset[str]

    @classmethod
    def by(cls, config: Config) -> Watched:
        """What the rules of a configuration watch."""
        things = {rule.name: frozenset(_things_of(rule, config)) for rule in config.alerts}
        return cls(config.alerts, things, frozenset(meter.name for meter in config.meters))

    def forget_others(self, memory: Memory) -> Sequence[tuple[AlertSettings, str, State]]:
        """Forget all else; return what rules that are still there knew, as (rule, about, state).

        A rule that is of another kind now knows nothing of what it saw before.
        """
        memory.states = {rule: states for rule, states in memory.states.items() if rule in self.things}
        memory.heard = {meter: at for meter, at in memory.heard.items() if meter in self.meters}
        forgotten = []
        for rule in self.rules:
            states = memory.states.get(rule.name, {})
            things = self.things[rule.name] if memory.kinds.get(rule.name, rule.kind) == rule.kind else ()
            forgotten += [(rule, about, states.pop(about)) for about in list(states) if about not in things]
        memory.kinds = {rule.name: rule.kind for rule in self.rules}
        return forgotten


def _things_of(rule: AlertSettings, config: Config) -> Sequence[str]:
    match rule.kind:
        case "above" | "below" | "rate" | "en50160" | "imbalance":
            return [f"{meter}/{name}" for meter in meters_of(rule, config) for name in quantities_of(rule)]
        case "silent" | "always-on":
            return meters_of(rule, config)
        case "sink":
            return rule.sinks or [sink.name for sink in config.sinks]
        case "supply" | "generator" | "budget" | "disk" | "backup":
            return [""]
