"""Sessions of browsers, in memory: a restart logs everybody out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from wattbook.access.people import User
from wattbook.access.tokens import hash_of, new_secret

IDLE_S_MAX = 7 * 86400.0
AGE_S_MAX = 30 * 86400.0
SESSIONS_MAX = 1000  # of all users; the one that was used longest ago ends for a new one
OF_USER_MAX = 50  # so that one user's do not end the others'


@dataclass(slots=True)
class _Session:
    user: str
    password: str  # the hash at login: a new password ends the sessions of the old one
    made_s: float
    used_s: float


class Sessions:
    """Who is logged in. Keys are hashes of what browsers hold; instants are monotonic seconds."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, _Session] = OrderedDict()  # the least recently used first

    def begin(self, user: User, now_s: float) -> str:
        """A new session's secret, never one that somebody proposed."""
        own = [key for key, session in self._sessions.items() if session.user == user.name]
        for key in own[: max(0, len(own) - OF_USER_MAX + 1)]:
            del self._sessions[key]
        if len(self._sessions) >= SESSIONS_MAX:
            self._sessions.popitem(last=False)
        secret = new_secret()
        self._sessions[hash_of(secret)] = _Session(user.name, user.password, now_s, now_s)
        return secret

    def user_of(self, key: str, now_s: float) -> tuple[str, str] | None:
        """The user's name and password hash at login, and the session counts as used; None when it is over."""
        session = self._sessions.get(key)
        if session is None:
            return None
        if now_s - session.used_s > IDLE_S_MAX or now_s - session.made_s > AGE_S_MAX:
            del self._sessions[key]
            return None
        session.used_s = now_s
        self._sessions.move_to_end(key)
        return session.user, session.password

    def end(self, key: str) -> None:
        """Log out; what is over already stays so."""
        self._sessions.pop(key, None)

    def __len__(self) -> int:
        return len(self._sessions)
