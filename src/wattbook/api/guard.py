"""Who may ask, and how much: checked before any route sees a request.

A page of any site in the user's browser can send requests to 127.0.0.1 and can make its own name point there, so Host
and Origin are checked even on loopback (the defence against cross-site requests and DNS rebinding).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wattbook.api.answers import Refusal
from wattbook.api.forwarded import Asker, asker_of
from wattbook.api.who import DIRECT, ENCRYPTED
from wattbook.config import ApiSettings
from wattbook.model import ConfigError
from wattbook.transports.addresses import may_ask, parse_ip

BODY_MAX = 1_000_000  # bytes: no ordinary request has more
BODY_MAX_OF: Mapping[str, int] = {
    "/api/v1/readings": 16_000_000,  # a day of 5-second readings of a dozen meters
    "/api/v1/login": 10_000,  # the one body that is read before anybody is known
}
BODY_WAIT_S = 30.0  # for a whole body: 16 MB over a 5 Mbit/s uplink
HEADERS_MAX = 100

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class Guard:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._networks = [_network(text, "allow") for text in settings.allow]
        self._proxies = [_network(text, "proxies") for text in settings.proxies]
        machine = socket.gethostname().casefold()
        self._hosts = {"localhost", machine, f"{machine}.local", *(host.casefold() for host in settings.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse in words; anything but HTTP goes on untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        try:
            scope = self._checked(scope)
            body = _Body(receive, BODY_MAX_OF.get(scope["path"], BODY_MAX), _declared_length(scope))
            if scope["method"] == "HEAD":  # the server leaves the body out; routes need to know GET only
                scope = {**scope, "method": "GET", "wattbook.head": True}
            await self._app(scope, body.receive, answer.send)
        except Refusal as refusal:
            if answer.started:
                raise
            await refusal.response()(scope, receive, answer.send)

    def _checked(self, scope: Scope) -> Scope:
        """The scope with who really asks. Raises Refusal unless host, client and origin are right."""
        headers = scope["headers"]
        if len(headers) > HEADERS_MAX:
            raise Refusal(431, f"more than {HEADERS_MAX} headers")
        given = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(given) != 1:
            raise Refusal(400, "a request needs exactly one Host header")
        host = _host_of(given[0])
        if host not in self._hosts and not _is_ip(host):
            raise Refusal(
                421, f'this is not "{host}"; to use this name, add it in wattbook.toml: [api] hosts = ["{host}"]'
            )
        asker = asker_of(scope, self._proxies)
        if not may_ask(asker.address, self._networks) and not _is_own(asker, scope):
            raise Refusal(
                403,
                f"{asker.address} may not ask here; to allow its network, add it in wattbook.toml: "
                '[api] allow = ["…/24"]',
            )
        _check_site(scope, given[0])
        port = scope["client"][1] if scope.get("client") else 0
        return {**scope, "client": (asker.address, port), DIRECT: asker.direct, ENCRYPTED: asker.encrypted}


def _check_site(scope: Scope, host: str) -> None:
    """Raise Refusal when a page of another site asks; but its links to our page may be followed."""
    headers = dict(scope["headers"])
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    followed = scope["method"] in ("GET", "HEAD") and headers.get(b"sec-fetch-mode") == b"navigate"
    foreign = headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site") and not followed
    if foreign or not all(_same_origin(origin, host) for origin in origins):
        raise Refusal(403, "a page of another site may not ask here")


def _is_own(asker: Asker, scope: Scope) -> bool:
    """Whether a program on this machine asks at one of the machine's outer addresses."""
    server = scope.get("server")
    return asker.direct and server is not None and asker.address == server[0] != ""


def _network(text: str, key: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(
            f'"{text}" is no network; write one as "192.168.0.0/24" or one address', place=f"[api] {key}"
        ) from error


class _Answer:
    """Adds the safety headers and notes whether the answer has begun."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._path: str = scope["path"]
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": [*message.get("headers", ()), *self._headers(message["status"])]}
        await self._send(message)

    def _headers(self, status: int) -> Iterable[tuple[bytes, bytes]]:
        yield from _ALWAYS
        api = self._path.startswith(("/api/", "/metrics", "/electricity_meter/")) and self._path != "/api/v1/docs"
        yield b"content-security-policy", (_API_POLICY if api else _PAGE_POLICY).encode()
        # Names of assets change with their content; everything else is as old as its answer.
        lasting = self._path.startswith("/assets/") and status == 200
        fresh = b"no-cache" if not api and status in (200, 304) else b"no-store"
        yield b"cache-control", b"public, max-age=31536000, immutable" if lasting else fresh


class _Body:
    """A request's body with its bounds in bytes and in time."""

    def __init__(self, receive: Receive, limit: int, declared: int) -> None:
        if declared > limit:
            raise _too_large(limit)
        self._receive, self._limit = receive, limit
        self._size, self._whole = 0, False
        self._deadline = asyncio.get_running_loop().time() + BODY_WAIT_S

    async def receive(self) -> Message:
        if self._whole:  # from here on a route only waits for the client to leave
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {BODY_WAIT_S:.0f} s") from None
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._size > self._limit:
                raise _too_large(self._limit)
        return message


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body is larger than {limit} bytes; send it in parts")


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _host_of(header: str) -> str:
    """The name in a Host header: without port, brackets and a final dot, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].rstrip(".").casefold()


def _is_ip(host: str) -> bool:
    return parse_ip(host) is not None


def _same_origin(origin: str, host: str) -> bool:
    # The scheme is not compared: behind a proxy that ends TLS the page is https and we are http.
    scheme, _, name = origin.partition("://")
    return scheme in ("http", "https") and name.casefold() == host.casefold()
