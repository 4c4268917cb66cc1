"""Secrets that programs and browsers show: made at random, kept as hashes."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "wattbook_"  # so that a token in a file or a log is recognised
_BYTES = 32


def new_secret() -> str:
    """256 random bits as text: nobody guesses it, so a fast hash is enough to keep it."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(secret: str) -> str:
    """What is kept of a secret.

    Looking a hash up in a table takes a time that depends on the hash, from which the secret does not follow.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
