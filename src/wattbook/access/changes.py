"""Orders that change who may come in; each is told to the journal before it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from wattbook.access.passwords import check_password, hash_password
from wattbook.access.people import People, Token, User, check_name
from wattbook.access.people_file import PeopleFile
from wattbook.access.tokens import PREFIX, hash_of, new_secret
from wattbook.model import ConfigError, Event
from wattbook.model.keeping import write_durably
from wattbook.model.nearest import did_you_mean
from wattbook.model.principal import Role, Scope

DAYS_MAX = 3650
_USER_KEYS = {"add": ("name", "password", "role"), "passwd": ("name", "password"), "role": ("name", "role"),
              "remove": ("name",)}  # fmt: skip
_TOKEN_KEYS = {"create": ("name", "scopes", "days"), "revoke": ("name",)}
_OPTIONAL = ("days",)

Tell = Callable[[Event], "Future[int]"]


@dataclass(frozen=True, slots=True)
class By:
    """Who orders, when, and where it is told."""

    actor: str
    now: datetime
    tell: Tell
    scopes: frozenset[Scope] = frozenset(Scope)  # a token gets no more than its maker has


def change_users(file: PeopleFile, order: Mapping[str, Any], by: By, *, first: bool = False) -> None:
    """Carry an order out; blocks for a hash and two syncs. `first`: only while there is nobody yet.

    Raises ConfigError for what cannot be meant, BookError when it cannot be written.
    """
    deed = _deed(order, _USER_KEYS)
    name = check_name(order["name"])
    hashed = hash_password(check_password(order["password"], name=name)) if "password" in order else ""
    role = _role(order["role"]) if "role" in order else None

    def changed(people: People) -> People:
        if first and people.users:
            raise ConfigError("a password is set already; log in")
        if not people.users and (deed, role) != ("add", Role.ADMIN):
            raise ConfigError("there are no users yet; the first one is an admin")
        after = _users(people, deed, name, hashed, role, by.now)
        _told(by, f"user.{_PAST[deed]}", name, {"role": role} if role else {})
        return after

    file.change(changed)


_PAST = {"add": "added", "passwd": "password", "role": "role", "remove": "removed"}


def _users(people: People, deed: str, name: str, hashed: str, role: Role | None, now: datetime) -> People:
    match deed:
        case "add":
            assert role is not None  # the order has all its keys
            return people.with_user(User(name, role, hashed, now))
        case "passwd":
            return people.changed(replace(people.known(name), password=hashed))
        case "role":
            assert role is not None
            return people.changed(replace(people.known(name), role=role))
        case _:
            return people.without_user(name)


def change_tokens(file: PeopleFile, order: Mapping[str, Any], by: By) -> str:
    """Carry an order out; return a new token, which nobody can see again, or "". Raises as `change_users`."""
    deed = _deed(order, _TOKEN_KEYS)
    name = check_name(order["name"])
    if deed == "revoke":

        def revoked(people: People) -> People:
            after = people.without_token(name)
            _told(by, "token.revoked", name, {})
            return after

        file.change(revoked)
        return ""
    secret = PREFIX + new_secret()
    token = Token(name, _scopes(order["scopes"], by.scopes), hash_of(secret), by.now, _until(order, by.now), by.actor)

    def created(people: People) -> People:
        after = people.with_token(token)
        _told(by, "token.created", name, {"scopes": list(token.scopes)})
        return after

    file.change(created)
    return secret


def _told(by: By, kind: str, subject: str, body: Mapping[str, Any]) -> None:
    # Before the change: one that is written down and then fails is seen; one that was made unseen is not.
    write_durably(by.tell, Event(kind, subject, by.now, body, by.actor))


def _deed(order: Mapping[str, Any], deeds: Mapping[str, Sequence[str]]) -> str:
    """What is to be done. Raises ConfigError unless the order has exactly the keys for it."""
    deed = order.get("do")
    if not isinstance(deed, str) or deed not in deeds:
        raise ConfigError(f'"do" is one of {", ".join(deeds)}{did_you_mean(str(deed), deeds)}')
    for key in order.keys() - {"do", "who", *deeds[deed]}:
        raise ConfigError(f'"{deed}" takes no "{key}"{did_you_mean(key, deeds[deed])}')
    for key in deeds[deed]:
        if key not in order and key not in _OPTIONAL:
            raise ConfigError(f'"{deed}" needs "{key}"')
    return deed


def _role(given: object) -> Role:
    if given not in list(Role):
        raise ConfigError(f"a role is one of {', '.join(Role)}{did_you_mean(str(given), list(Role))}")
    return Role(str(given))


def _scopes(given: object, allowed: frozenset[Scope]) -> tuple[Scope, ...]:
    if not isinstance(given, list | tuple) or not given:
        raise ConfigError(f'"scopes" is a list of {", ".join(Scope)}')
    for each in given:
        if each not in list(Scope):
            raise ConfigError(f"a scope is one of {', '.join(Scope)}{did_you_mean(str(each), list(Scope))}")
        if each not in allowed:
            raise ConfigError(f'you may not give the scope "{each}", which you have not')
    return tuple(scope for scope in Scope if scope in given)


def _until(order: Mapping[str, Any], now: datetime) -> datetime | None:
    days = order.get("days")
    if days is None:
        return None
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= DAYS_MAX:
        raise ConfigError(f'"days" is a whole number from 1 to {DAYS_MAX}, or null for no end')
    return now + timedelta(days=days)
