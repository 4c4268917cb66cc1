"""What an [[alert]] or a [[notify]] cannot know alone: keys of its kind, and names that must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec

from wattbook.config.alert_settings import KEYS, AlertSettings, NotifySettings
from wattbook.config.settings import Config
from wattbook.config.text import Problem, place_of
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import Kind, all_names, known_kind

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://\S+")
_OF_ENERGY = ("budget",)


def alert_problems(config: Config, text: str) -> Iterator[Problem]:
    """Every problem of the rules and of those who are told, with its place."""
    for table, named in (("alert", config.alerts), ("notify", config.notify)):
        names = [each.name for each in named]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield Problem(place_of(text, (table, number, "name")), f'two {table}s are called "{name}"')
    for number, rule in enumerate(config.alerts):
        for key, message in _problems_of(config, rule):
            yield Problem(place_of(text, ("alert", number, key)), f'alert "{rule.name}": {message}')
    for number, target in enumerate(config.notify):
        for key, message in _target_problems(config, target):
            yield Problem(place_of(text, ("notify", number, key)), f'notify "{target.name}": {message}')


def _problems_of(config: Config, rule: AlertSettings) -> Iterator[tuple[str, str]]:
    takes = KEYS[rule.kind]
    for key in rule.given():
        if key not in takes:
            known = ", ".join(takes) or "nothing more"
            yield key, f'kind "{rule.kind}" takes no "{key}"; it takes {known}'
    for key, default in takes.items():
        if default is None and rule.told(key) in (None, ""):
            yield "kind", f'kind "{rule.kind}" needs "{key}"'
    if "meters" in takes:
        yield from _meters(config, rule)
    for name in rule.sinks:
        sinks = [sink.name for sink in config.sinks]
        if name not in sinks:
            yield "sinks", f'no sink is called "{name}"{did_you_mean(name, sinks)}'
    if rule.quantity and "quantity" in takes:
        yield from _quantity(rule)
    yield from _nothing_to_watch(config, rule)


def _meters(config: Config, rule: AlertSettings) -> Iterator[tuple[str, str]]:
    computed = {meter.name for meter in config.virtual_meters}
    for name in rule.meters:
        if name not in config.meter_names:
            yield "meters", f'no meter is called "{name}"{did_you_mean(name, config.meter_names)}'
        elif name in computed and rule.kind not in _OF_ENERGY:
            yield "meters", f'"{name}" is computed from others; watch those'


def _quantity(rule: AlertSettings) -> Iterator[tuple[str, str]]:
    if rule.quantity not in all_names():
        yield "quantity", f'no quantity is called "{rule.quantity}"{did_you_mean(rule.quantity, all_names())}'
    elif rule.kind in _OF_ENERGY and known_kind(rule.quantity) is not Kind.REGISTER:
        yield "quantity", f'a budget is of a register such as active_energy_import, not of "{rule.quantity}"'
    elif rule.kind == "imbalance" and rule.quantity not in ("voltage", "current"):
        yield "quantity", f'imbalance is of "voltage" or "current", not of "{rule.quantity}"'


def _nothing_to_watch(config: Config, rule: AlertSettings) -> Iterator[tuple[str, str]]:
    """Rules that could never say anything."""
    sources = {meter.source for meter in config.meters}
    if rule.kind in ("supply", "generator") and "utility" not in sources:
        yield "kind", 'no meter has source = "utility", so nobody knows what feeds the house'
    if rule.kind == "generator" and "generator" not in sources:
        yield "kind", 'no meter has source = "generator"'
    if rule.kind == "sink" and not config.sinks:
        yield "kind", "there is no [[sink]]"
    if rule.kind == "backup" and config.backup is None:
        yield "kind", "there is no [backup]"


def _target_problems(config: Config, target: NotifySettings) -> Iterator[tuple[str, str]]:
    rules: Sequence[str] = [rule.name for rule in config.alerts]
    for pattern in target.alerts:
        if not any(fnmatchcase(rule, pattern) for rule in rules):
            yield "alerts", f'no alert is called "{pattern}"{did_you_mean(pattern, rules)}'
    if (target.quiet_from is None) != (target.quiet_to is None):
        yield "quiet_from", 'quiet hours need "quiet_from" and "quiet_to"'
    elif target.quiet_from is not None and target.quiet_from == target.quiet_to:
        yield "quiet_to", "quiet hours begin and end at the same time"
    if not _URL.fullmatch(target.url.reveal()):
        yield "url", 'it is no address as apprise writes it; for example "ntfy://ntfy.sh/my-topic"'
    if find_spec("apprise") is None:
        yield "url", 'messages need the package apprise: pip install "wattbook[notify]"'
