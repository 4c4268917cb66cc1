"""A command that writes goes through the daemon that has the book."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from wattbook.config import Config
from wattbook.engine.reach_daemon import daemon_url
from wattbook.model import BookError, ConfigError
from wattbook.store import BookHeld

_WAIT_S = 120.0  # a correction of many readings


def through_daemon(config: Config, held: BookHeld, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """POST to the daemon of this configuration and return its answer.

    Raises ConfigError for what it does not understand, BookError for what cannot be done, or when it is not there.
    """
    content, headers = json.dumps(body).encode(), {"content-type": "application/json"}
    url = daemon_url(config, held) + quote(path)
    request = urllib.request.Request(url, content, headers, method="POST")  # noqa: S310 - what our daemon wrote
    try:
        with urllib.request.urlopen(request, timeout=_WAIT_S) as answer:  # noqa: S310 - as above
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except (OSError, ValueError) as error:
        raise BookError(f"{held}; its API at {url} does not answer: {error}") from error


def ask_daemon(config: Config, path: str) -> Any:
    """GET from the daemon of this configuration; None = none answers. Raises BookError when it refuses."""
    try:
        url = config.address.read_text(encoding="utf-8").strip().removesuffix("/") + quote(path)
        with urllib.request.urlopen(url, timeout=_WAIT_S) as answer:  # noqa: S310 - what our daemon wrote
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except OSError:  # no address, or one that a killed daemon left
        return None


def _refused(error: urllib.error.HTTPError) -> Exception:
    try:
        message = str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        message = f"the daemon answers {error.code} {error.reason}"
    return ConfigError(message) if error.code in (400, 404, 413) else BookError(message)
