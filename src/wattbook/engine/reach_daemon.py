"""Where the daemon that has a book serves: it says so beside the book, whatever its configuration says by now."""

from __future__ import annotations

from wattbook.config import Config
from wattbook.model import BookError
from wattbook.store import BookHeld


def daemon_url(config: Config, held: BookHeld) -> str:
    """The address of the daemon's API, without a slash at its end. Raises BookError when nothing is served."""
    try:
        return config.address.read_text(encoding="utf-8").strip().removesuffix("/")
    except OSError as error:
        raise BookError(f"{held}; nobody answers for it: it serves no API", retry=True) from error
