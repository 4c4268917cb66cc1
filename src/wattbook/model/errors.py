"""What can go wrong, named for what happened and for who must act."""

from __future__ import annotations


class WattbookError(Exception):
    """Anything wattbook reports to a person in one line: what happened, where, what to do.

    `retry` says whether the same thing may succeed later without anybody acting.
    """

    retry = False


class ConfigError(WattbookError):
    """The operator must act. `place` is where: a file and line, a key, an option."""

    def __init__(self, message: str, *, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place


class MeterError(WattbookError):
    """A meter gave no good answer. `meter` is its name or address, as the operator knows it."""

    retry = True

    def __init__(self, message: str, *, meter: str = "") -> None:
        super().__init__(f"{meter}: {message}" if meter else message)
        self.meter = meter


class Unreachable(MeterError):
    """Nobody answered: no port, no connection, silence."""


class Garbled(MeterError):
    """An answer came and its check failed. `offset` is where in the bytes, when that is known."""

    def __init__(self, message: str, *, meter: str = "", offset: int = 0) -> None:
        super().__init__(message, meter=meter)
        self.offset = offset


class Refused(MeterError):
    """The device understood and said no. `code` is its own word for why (a Modbus exception code)."""

    def __init__(self, message: str, *, meter: str = "", code: int = 0) -> None:
        super().__init__(message, meter=meter)
        self.code = code


class Stranger(MeterError):
    """Another device than the one that was named answers."""


class BookError(WattbookError):
    """The book cannot take or give what was asked: disk full, locked, newer than the program."""

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


class SinkUnavailable(WattbookError):
    """The other system does not take readings now; the batch is kept and tried again."""

    retry = True


class SinkRefused(WattbookError):
    """The other system will never take something of what it was given, and does not say which reading it is."""
