"""Passwords: what is one, and its argon2id hash."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from wattbook.model import ConfigError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SIZE_MIN = 10  # characters; a guesser is throttled, and a stolen file costs 30 ms a guess
SIZE_MAX = 200  # characters: what is hashed is bounded
DIFFERENT_MIN = 5  # characters that differ: "aaaaaaaaaa" and "1212121212" are none
NAME_SIZE_MIN = 4  # shorter names are part of many a good password
# OWASP's smallest recommendation for argon2id: the daemon of a Raspberry Pi has 80 MB in all.
_MEMORY_KIB, _PASSES, _LANES = 19_456, 2, 1


def check_password(password: object, *, name: str) -> str:
    """Return it, or raise ConfigError that says what is missing (never the password itself)."""
    if not isinstance(password, str) or not SIZE_MIN <= len(password) <= SIZE_MAX:
        raise ConfigError(f"a password has {SIZE_MIN} to {SIZE_MAX} characters")
    named = len(name) >= NAME_SIZE_MIN and name.casefold() in password.casefold()
    if len(set(password)) < DIFFERENT_MIN or named:
        raise ConfigError("this password is easy to guess; choose one of different characters, without the user's name")
    return password


def hash_password(password: str) -> str:
    """The argon2id hash with its salt and costs, as text. Takes some 30 ms."""
    return _hasher().hash(_normal(password))


def is_password(password: str, hashed: str | None) -> bool:
    """Whether it is the one; without a hash (nobody has that name) the same work is done for nothing."""
    from argon2.exceptions import VerifyMismatchError

    try:
        _hasher().verify(_of_nobody() if hashed is None else hashed, _normal(password[: SIZE_MAX + 1]))
    except VerifyMismatchError:
        return False
    return hashed is not None


def _normal(password: str) -> bytes:
    # One keyboard sends é as one character, another as two. Lone surrogates, which JSON can hold, fail nothing.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(_PASSES, _MEMORY_KIB, _LANES)


@cache
def _of_nobody() -> str:
    return _hasher().hash(secrets.token_bytes(16))
