"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """One thing somebody may do."""

    READ = "read"  # see everything but secrets
    METRICS = "metrics"  # /metrics alone
    PUSH = "push"  # send readings
    OPERATE = "operate"  # meters' lives, sinks, alerts
    CONFIGURE = "configure"  # change wattbook.toml
    USERS = "users"  # people and tokens


class Role(StrEnum):
    """What a person is; each role may do what the one before it may, and more."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What this role may do."""
        return _SCOPES[self]


_VIEWER = frozenset({Scope.READ, Scope.METRICS})
_OPERATOR = _VIEWER | {Scope.PUSH, Scope.OPERATE}
_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: _OPERATOR | {Scope.CONFIGURE, Scope.USERS},
}


class Kind(StrEnum):
    """How somebody is known."""

    USER = "user"  # by a session, after a password
    TOKEN = "token"  # noqa: S105 - a word, no secret
    LOCAL = "local"  # a command that may read the book's secret file
    OPEN = "open"  # a client on this machine before a password is set
    NONE = "none"  # not at all

    @property
    def known(self) -> bool:
        """Whether there is somebody at all."""
        return self is not Kind.NONE


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks."""

    kind: Kind = Kind.NONE
    name: str = ""  # of the user or token
    scopes: frozenset[Scope] = frozenset()
    role: Role | None = None  # of a user
    key: str = field(default="", repr=False)  # the hash under which its session or token is kept

    def may(self, scope: Scope) -> bool:
        """Whether this is allowed."""
        return scope in self.scopes


NOBODY = Principal()
LOCAL = Principal(Kind.LOCAL, scopes=frozenset(Scope))
# As powerful as whoever sits at the machine was before there were passwords; but whom to trust later is not its to say.
OPEN = Principal(Kind.OPEN, scopes=frozenset(Scope) - {Scope.USERS})
