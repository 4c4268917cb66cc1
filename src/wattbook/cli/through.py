"""A command that writes goes through the daemon that has the book."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from wattbook.config import Config
from wattbook.engine.reach_daemon import Daemon, daemon_of, find_daemon
from wattbook.model import BookError, ConfigError
from wattbook.store import BookHeld

_WAIT_S = 120.0  # a correction of many readings


def through_daemon(config: Config, held: BookHeld, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """POST to the daemon of this configuration and return its answer.

    Raises ConfigError for what it does not understand, BookError for what cannot be done, or when it is not there.
    """
    daemon = daemon_of(config, held)
    try:
        return dict(_ask(daemon, "POST", path, json.dumps(body).encode()))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BookError(f"{held}; its API at {daemon.url} does not answer: {error}") from error


def order_daemon(config: Config, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """POST to the daemon of this configuration and return its answer. Raises BookError: none runs, or it refuses."""
    daemon = find_daemon(config)
    if daemon is None:
        raise BookError(f"no daemon runs for {config.book}; start one with `wattbook run`")
    try:
        return dict(_ask(daemon, "POST", path, json.dumps(body).encode()))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BookError(f"the daemon at {daemon.url} does not answer: {error}") from error


def ask_daemon(config: Config, path: str) -> Any:
    """GET from the daemon of this configuration; None = none answers. Raises BookError when it refuses."""
    daemon = find_daemon(config)
    try:
        return None if daemon is None else _ask(daemon, "GET", path)
    except (OSError, http.client.HTTPException):  # an address that a killed daemon left
        return None


def _ask(daemon: Daemon, method: str, path: str, body: bytes | None = None) -> Any:
    connection = daemon.connection(_WAIT_S)
    try:
        headers = {**daemon.headers, **({"content-type": "application/json"} if body else {})}
        connection.request(method, quote(path), body, headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise _refused(answer.status, answer.reason, content)
    return json.loads(content)


def _refused(status: int, reason: str, content: bytes) -> Exception:
    try:
        message = str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        message = f"the daemon answers {status} {reason}"
    if status == 401:
        return BookError(f"{message}; run this command as the user that runs the daemon")
    return ConfigError(message) if status in (400, 404, 413) else BookError(message)
