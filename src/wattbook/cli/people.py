"""`wattbook user` and `wattbook token`: who may come in, on a machine without a screen too."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from wattbook import config as configuration
from wattbook.access import By, PeopleFile, change_tokens, change_users
from wattbook.access.passwords import check_password
from wattbook.cli import complete
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, local, print_line
from wattbook.cli.through import through_daemon
from wattbook.codecs.reading_json import format_instant
from wattbook.config import Config
from wattbook.model import ConfigError, SystemClock
from wattbook.model.principal import Role, Scope
from wattbook.store import Book, BookHeld

users = typer.Typer(help="Who can log in.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens of programs.", no_args_is_help=True)

UserName = Annotated[str, typer.Argument(help="The user's name.", autocompletion=complete.users)]
TokenName = Annotated[str, typer.Argument(help="What it is for.", autocompletion=complete.tokens)]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input instead of asking.")]


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.add_typer(users, name="user")
    app.add_typer(tokens, name="token")


@users.command()
def add(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    *,
    role: Annotated[Role | None, typer.Option(help="viewer, operator or admin; the first one is an admin.")] = None,
    stdin: Stdin = False,
    path: ConfigOption = HERE,
) -> None:
    """Add somebody who can log in."""
    config = configuration.load(path)
    role = role or (Role.VIEWER if PeopleFile(config.people).people().users else Role.ADMIN)
    _users(config, {"do": "add", "name": name, "password": _password(name, stdin=stdin), "role": role})
    console(stderr=True).print(f"{name} can log in as {role}", highlight=False)


@users.command()
def passwd(name: UserName, *, stdin: Stdin = False, path: ConfigOption = HERE) -> None:
    """Give a user another password; who is logged in with the old one is logged out."""
    config = configuration.load(path)
    PeopleFile(config.people).people().known(name)
    _users(config, {"do": "passwd", "name": name, "password": _password(name, stdin=stdin)})


@users.command("role")
def change_role(
    name: UserName,
    role: Annotated[Role, typer.Argument(help="viewer, operator or admin.")],
    *,
    path: ConfigOption = HERE,
) -> None:
    """Give a user another role."""
    _users(configuration.load(path), {"do": "role", "name": name, "role": role})


@users.command("remove")
def remove_user(name: UserName, *, path: ConfigOption = HERE) -> None:
    """Let a user in no more; its sessions end."""
    _users(configuration.load(path), {"do": "remove", "name": name})


@users.command("list")
def list_users(*, path: ConfigOption = HERE, as_json: JsonOption = False) -> None:
    """Print who can log in."""
    config = configuration.load(path)
    found = PeopleFile(config.people).people().users
    if as_json:
        for user in found:
            print_line(json.dumps({"name": user.name, "role": user.role, "since": format_instant(user.since)}))
        return
    table = Table("user", "role", "since", box=None, pad_edge=False)
    for user in found:
        table.add_row(user.name, user.role, local(user.since, config.site.timezone))
    console().print(table)


@tokens.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    scopes: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help=f"{', '.join(Scope)}; may be repeated. Without it: read."),
    ] = None,
    days: Annotated[int | None, typer.Option(help="How long it lasts; else until it is revoked.", min=1)] = None,
    path: ConfigOption = HERE,
) -> None:
    """Make a token and print it, this once: wattbook keeps its hash alone."""
    order = {"do": "create", "name": name, "scopes": list(scopes or [Scope.READ]), "days": days}
    print_line(_tokens(configuration.load(path), order))


@tokens.command()
def revoke(name: TokenName, *, path: ConfigOption = HERE) -> None:
    """Let a token's holder in no more."""
    _tokens(configuration.load(path), {"do": "revoke", "name": name})


@tokens.command("list")
def list_tokens(*, path: ConfigOption = HERE, as_json: JsonOption = False) -> None:
    """Print the tokens, without their secrets."""
    config = configuration.load(path)
    zone = config.site.timezone
    table = Table("token", "scopes", "since", "until", "made by", box=None, pad_edge=False)
    for token in PeopleFile(config.people).people().tokens:
        until = token.until and format_instant(token.until)
        if as_json:
            facts = {"name": token.name, "scopes": list(token.scopes), "since": format_instant(token.since)}
            print_line(json.dumps({**facts, "until": until, "by": token.by}))
        since, end = local(token.since, zone), local(token.until, zone) if token.until else ""
        table.add_row(token.name, " ".join(token.scopes), since, end, token.by)
    if not as_json:
        console().print(table)


def _password(name: str, *, stdin: bool) -> str:
    """Never from the command line, which every user of the machine can read. Raises ConfigError."""
    if stdin:
        return check_password(sys.stdin.readline().rstrip("\r\n"), name=name)
    if not sys.stdin.isatty():
        raise ConfigError("no terminal to ask for the password; give it with --stdin")
    password = check_password(getpass.getpass(f"Password of {name}: "), name=name)
    if getpass.getpass("Once more: ") != password:
        raise ConfigError("these are two different passwords; nothing was changed")
    return password


def _users(config: Config, order: Mapping[str, Any]) -> None:
    _order(config, "users", order)


def _tokens(config: Config, order: Mapping[str, Any]) -> str:
    return _order(config, "tokens", order)


def _order(config: Config, what: str, order: Mapping[str, Any]) -> str:
    """Through the daemon, or beside the book where none runs; return a new token, or ""."""
    who = getpass.getuser()
    clock = SystemClock()
    try:
        with Book.open(config.book, clock=clock, site=config.site.name) as book:
            by, file = By(who, clock.now(), book.append_event), PeopleFile(config.people)
            if what == "tokens":
                return change_tokens(file, order, by)
            change_users(file, order, by)
            return ""
    except BookHeld as held:
        return str(through_daemon(config, held, f"/api/v1/{what}", {**order, "who": who}).get("token", ""))
