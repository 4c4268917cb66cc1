"""`wattbook alert`: what is watched and how it stands; a test of a rule or of somebody who is told."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, local, print_line
from wattbook.cli.through import ask_daemon, through_daemon
from wattbook.config import Config
from wattbook.engine.alert_state import read_memory
from wattbook.engine.alert_watched import Watched
from wattbook.engine.alerts import rules_json, targets_json
from wattbook.engine.watch import NAME
from wattbook.model import BookError, ConfigError, SystemClock
from wattbook.model.batch import to_ms
from wattbook.model.nearest import did_you_mean
from wattbook.store import Book, BookHeld, BookReader

app = typer.Typer(help="What is watched, and who is told.", no_args_is_help=True)


def register(typer_app: typer.Typer) -> None:
    """Add this room's commands."""
    typer_app.add_typer(app, name="alert")


@app.command("list")
def list_rules(*, path: ConfigOption = HERE, as_json: JsonOption = False) -> None:
    """Print each rule, how it stands, and what it says."""
    config = configuration.load(path)
    told = ask_daemon(config, "/api/v1/alerts") or _from_book(config)
    if as_json:
        for rule in told["rules"]:
            print_line(json.dumps(rule, ensure_ascii=False))
        return
    if not told["rules"]:
        console(stderr=True).print("wattbook.toml has no [[alert]].")
        return
    table = Table("alert", "kind", "state", "since", "", box=None, pad_edge=False)
    for rule in told["rules"]:
        since = local(datetime.fromisoformat(rule["since"]), config.site.timezone) if rule["since"] else ""
        text = rule["about"][0]["text"] if rule["about"] and rule["state"] != "quiet" else ""
        table.add_row(rule["name"], rule["kind"], rule["state"] + (" (muted)" if rule["muted"] else ""), since, text)
    console().print(table)


@app.command()
def test(
    name: Annotated[str, typer.Argument(help="A rule, or somebody in [[notify]].", autocompletion=complete.alerts)],
    *,
    path: ConfigOption = HERE,
) -> None:
    """Send a test: of a rule to everybody whom it tells, or to one who is told."""
    config = configuration.load(path)
    rules, targets = [each.name for each in config.alerts], [each.name for each in config.notify]
    if name not in rules and name not in targets:
        known = [*rules, *targets]
        raise ConfigError(f'no alert and nobody who is told is called "{name}"{did_you_mean(name, known)}')
    kind = "notify" if name in targets else "alerts"
    told = ", ".join(_told_by(config, name)) if kind == "alerts" else name
    if not told:
        raise BookError(f"{name}: nobody is told by this rule: no [[notify]] takes it")
    _through_running(config, f"/api/v1/{kind}/{name}", {"do": "test", "who": getpass.getuser()})
    going = f"a test goes to {told}; the history on the page Alerts says whom it reached"
    console(stderr=True).print(f"{name}: {'a test was sent' if kind == 'notify' else going}", highlight=False)


def _told_by(config: Config, rule: str) -> Sequence[str]:
    severity = next(each.severity for each in config.alerts if each.name == rule)
    return [target.name for target in config.notify if target.wants(rule, severity)]


def _through_running(config: Config, path: str, order: Mapping[str, Any]) -> None:
    """Messages are sent by the daemon alone. Raises BookError where none runs."""
    try:
        with Book.open(config.book, clock=SystemClock(), site=config.site.name):
            pass
    except BookHeld as held:
        through_daemon(config, held, path, order)
        return
    raise BookError("a test is sent by the running daemon; start it first")


def _from_book(config: Config) -> Mapping[str, Any]:
    with BookReader(config.book) as reader:
        position = reader.position(NAME)
    memory = read_memory(position.bookmark if position else "")
    Watched.by(config).forget_others(memory)
    rules = rules_json(config, memory, to_ms(SystemClock().now()))
    return {"rules": rules, "targets": targets_json(config, {})}
