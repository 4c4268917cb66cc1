"""Who may come in: users with their roles, tokens with their scopes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime

from wattbook.model import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.model.principal import Role, Scope

USERS_MAX = 200
TOKENS_MAX = 200
_NAME = re.compile(r"[\w.@-](?:[\w.@ -]{0,62}[\w.@-])?")


@dataclass(frozen=True, slots=True)
class User:
    """A person."""

    name: str
    role: Role
    password: str = field(repr=False)  # its argon2id hash
    since: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A program's way in."""

    name: str
    scopes: tuple[Scope, ...]
    hash: str = field(repr=False)
    since: datetime
    until: datetime | None = None  # None = until it is revoked
    by: str = ""  # who made it


@dataclass(frozen=True, slots=True)
class People:
    """All of them. Names differ in more than case."""

    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = ()

    def user(self, name: str) -> User | None:
        """The user of this name, whatever its case."""
        return next((user for user in self.users if same(user.name, name)), None)

    def known(self, name: str) -> User:
        """The user of this name. Raises ConfigError."""
        user = self.user(name)
        if user is None:
            raise ConfigError(f'no user is called "{name}"{did_you_mean(name, [user.name for user in self.users])}')
        return user

    def token(self, hashed: str, now: datetime) -> Token | None:
        """The token of this hash, unless its time is over."""
        found = next((token for token in self.tokens if token.hash == hashed), None)
        return None if found is None or (found.until and found.until <= now) else found

    def with_user(self, user: User) -> People:
        """One more. Raises ConfigError when the name is taken or there are too many."""
        if self.user(user.name):
            raise ConfigError(f'there is a user "{user.name}" already')
        if len(self.users) >= USERS_MAX:
            raise ConfigError(f"there are {USERS_MAX} users already; remove one")
        return replace(self, users=(*self.users, user))

    def changed(self, user: User) -> People:
        """The same people with this user in the place of the one of its name. Raises ConfigError for the last admin."""
        return self._guarded(tuple(user if same(each.name, user.name) else each for each in self.users))

    def without_user(self, name: str) -> People:
        """One less. Raises ConfigError for the last admin."""
        gone = self.known(name)
        return self._guarded(tuple(user for user in self.users if user is not gone))

    def with_token(self, token: Token) -> People:
        """One more. Raises ConfigError when the name is taken or there are too many."""
        if any(same(each.name, token.name) for each in self.tokens):
            raise ConfigError(f'there is a token "{token.name}" already; revoke it, or choose another name')
        if len(self.tokens) >= TOKENS_MAX:
            raise ConfigError(f"there are {TOKENS_MAX} tokens already; revoke one")
        return replace(self, tokens=(*self.tokens, token))

    def without_token(self, name: str) -> People:
        """One less. Raises ConfigError when there is none of this name."""
        names = [token.name for token in self.tokens]
        rest = tuple(token for token in self.tokens if not same(token.name, name))
        if len(rest) == len(self.tokens):
            raise ConfigError(f'no token is called "{name}"{did_you_mean(name, names)}')
        return replace(self, tokens=rest)

    def _guarded(self, users: tuple[User, ...]) -> People:
        # Without an admin nobody could let others in; without users the machine would be open to itself again.
        if not any(user.role is Role.ADMIN for user in users):
            raise ConfigError("this is the last admin; make somebody else an admin first")
        return replace(self, users=users)


def same(one: str, other: str) -> bool:
    """Whether two names are one to a person's eye: case and composed characters do not count."""
    return folded(one) == folded(other)


def folded(name: str) -> str:
    """What all spellings of a name have in common."""
    return unicodedata.normalize("NFKC", name).casefold()


def check_name(name: object) -> str:
    """Return it, or raise ConfigError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError('a name has 1 to 64 letters, digits and ". _ - @", and blanks between them')
    return name
