"""One message to people."""

from __future__ import annotations

from dataclasses import dataclass

from wattbook.model import WattbookError


class NotSent(WattbookError):
    """The message did not go out; it is tried again."""

    retry = True


class SomeRefused(NotSent):
    """Some addresses will never take the message, all others have it: it is not tried again."""

    retry = False


@dataclass(frozen=True, slots=True)
class Message:
    """What is said. `key` names the event that it carries: a message sent twice has the same one."""

    key: str  # unique over all books: "4711.c0ffee"
    title: str  # one line
    body: str
    severity: str = "info"  # info, warning, critical; or recovered
    picture: bytes = b""  # PNG; b"" = none
