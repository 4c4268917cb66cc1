"""Who is asking: from a session, a token, the machine's secret, or only from where."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from wattbook.access.changes import By, Tell, change_tokens, change_users
from wattbook.access.local_secret import LocalSecret
from wattbook.access.passwords import is_password
from wattbook.access.people import People
from wattbook.access.people_file import PeopleFile
from wattbook.access.sessions import Sessions
from wattbook.access.throttle import Throttle
from wattbook.access.tokens import hash_of
from wattbook.model import Clock, Event
from wattbook.model.principal import LOCAL, OPEN, Kind, Principal

LOGINS_WAITING_MAX = 20  # each costs 20 MB and 30 ms for its hash, one after another
_log = logging.getLogger(__name__)


class TooMany(Exception):
    """Too many wrong passwords, or too many at once: wait."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class Access:
    """The people of a book, and who of them is here now. Used from the event loop alone."""

    def __init__(
        self,
        file: PeopleFile,
        clock: Clock,
        tell: Tell,
        local: LocalSecret | None = None,
        *,
        before: Access | None = None,
    ) -> None:
        """`before`: of the configuration that was in force; who is logged in stays so, who must wait still waits."""
        self._file, self._clock, self._tell, self._local = file, clock, tell, local
        self._sessions: Sessions = before._sessions if before else Sessions()
        self._throttle: Throttle = before._throttle if before else Throttle()
        self._one, self._waiting = asyncio.Lock(), 0

    @property
    def people(self) -> People:
        """Everybody. Raises BookError when their file cannot be read."""
        return self._file.people()

    @property
    def password_set(self) -> bool:
        """Whether anybody can log in; until then this machine may do as it likes, and nobody else anything."""
        return bool(self.people.users)

    def by_local_secret(self, secret: str) -> Principal | None:
        """A command on this machine."""
        return LOCAL if self._local and self._local.is_it(secret) else None

    def by_token(self, secret: str) -> Principal | None:
        """A program."""
        return self._of_token(hash_of(secret))

    def by_session(self, secret: str) -> Principal | None:
        """A browser in which somebody logged in."""
        return self._of_session(hash_of(secret))

    def holds(self, principal: Principal) -> bool:
        """Whether who was let in would be let in now: streams last, and people are removed."""
        match principal.kind:
            case Kind.USER:
                now = self._of_session(principal.key)
                return now is not None and now.scopes >= principal.scopes
            case Kind.TOKEN:
                return self._of_token(principal.key) is not None
            case Kind.LOCAL:
                return True
            case Kind.OPEN:
                return not self.password_set
            case Kind.NONE:
                return False

    async def log_in(self, name: str, password: str, address: str) -> str | None:
        """A new session's secret, or None when name or password is wrong. Raises TooMany."""
        if self._waiting >= LOGINS_WAITING_MAX:
            raise TooMany(1.0)
        self._waiting += 1
        try:
            async with self._one:  # the count is looked at and raised by one at a time
                return await self._logged_in(name, password, address)
        finally:
            self._waiting -= 1

    async def _logged_in(self, name: str, password: str, address: str) -> str | None:
        if not await self._is_right(name, password, address):
            return None
        user = self.people.known(name)
        self._throttle.succeeded(name)
        # Best effort: a full disk must not keep out whoever comes to make room.
        self._tell(Event("user.login", user.name, self._clock.now(), {"from": address}, user.name))
        return self._sessions.begin(user, self._clock.monotonic())

    async def check_own(self, principal: Principal, password: str, address: str) -> bool:
        """Whether this is the user's own password, throttled like a login. Raises TooMany."""
        async with self._one:
            return await self._is_right(principal.name, password, address)

    async def _is_right(self, name: str, password: str, address: str) -> bool:
        wait_s = self._throttle.wait_s(name, address, self._clock.monotonic())
        if wait_s > 0:
            raise TooMany(wait_s)
        user = self.people.user(name)
        right = await asyncio.to_thread(is_password, password, user.password if user else None)
        # A file that changed meanwhile: the hash that was compared must still be the user's.
        if right and self.people.user(name) == user:
            return True
        self._throttle.failed(name, address, self._clock.monotonic())
        if self._throttle.wait_s(name, address, self._clock.monotonic()) > 0:
            _log.warning("wrong passwords from %s; it waits before it may try again", address)
        return False

    def log_out(self, principal: Principal) -> None:
        """End a session."""
        self._sessions.end(principal.key)

    async def change_users(
        self, order: Mapping[str, Any], actor: str, principal: Principal, *, first: bool = False
    ) -> None:
        """Change who may come in. Raises ConfigError or BookError."""
        await asyncio.to_thread(change_users, self._file, order, self._by(actor, principal), first=first)

    async def change_tokens(self, order: Mapping[str, Any], actor: str, principal: Principal) -> str:
        """Make a token, which is returned, or revoke one. Raises ConfigError or BookError."""
        return await asyncio.to_thread(change_tokens, self._file, order, self._by(actor, principal))

    def _by(self, actor: str, principal: Principal) -> By:
        return By(actor, self._clock.now(), self._tell, principal.scopes)

    def _of_session(self, key: str) -> Principal | None:
        found = self._sessions.user_of(key, self._clock.monotonic())
        user = self.people.user(found[0]) if found else None
        if found is None or user is None or user.password != found[1]:
            self._sessions.end(key)
            return None
        return Principal(Kind.USER, user.name, user.role.scopes, user.role, key)

    def _of_token(self, key: str) -> Principal | None:
        token = self.people.token(key, self._clock.now())
        return Principal(Kind.TOKEN, token.name, frozenset(token.scopes), None, key) if token else None


def of_this_machine(access: Access) -> Principal | None:
    """Who a client on this machine is that shows nothing."""
    return None if access.password_set else OPEN
