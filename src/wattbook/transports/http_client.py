"""One HTTP server that is asked by us: a session that is opened when needed, and what goes wrong in words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import aiohttp

from wattbook.model import SinkUnavailable
from wattbook.transports.connection_words import connection_words
from wattbook.transports.tls import tls_words

PIECE_SIZE_MAX = 500_000  # bytes of a body that are sent as they are
ANSWER_SIZE_MAX = 1_000_000  # bytes of an answer that are read
_SHOWN_MAX = 300  # characters of an answer in an error


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    text: str
    retry_after: str = ""  # its header Retry-After, as it stands

    @property
    def shown(self) -> str:
        """The answer's beginning, on one line, for an error."""
        return " ".join(self.text.split())[:_SHOWN_MAX]


@dataclass(slots=True)
class HttpClient:
    """Requests to one base address. `headers` may hold secrets: neither they nor a URL's password are ever shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: Path | None = None  # authorities the server is checked against; else the system's
    certificate: Path | None = None  # our own, for servers that ask for one
    key: Path | None = None
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def ask(
        self, method: str, path: str = "", *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask and return the answer, whatever its status. No redirect is followed. Raises SinkUnavailable."""
        try:
            async with self._opened().request(
                method, self.url + path, data=_sent(body), headers=headers, allow_redirects=False
            ) as response:
                text = (await _beginning(response)).decode("utf-8", "replace")
                return Answer(response.status, text, response.headers.get("Retry-After", ""))
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            raise SinkUnavailable(f"{self.shown}: {_in_words(error)}") from error

    @property
    def shown(self) -> str:
        """The address without user, password and query."""
        scheme, _, rest = self.url.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"

    async def aclose(self) -> None:
        """Close the session; a later request opens another."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self.headers,
                connector=aiohttp.TCPConnector(ssl=self._tls()),
                timeout=aiohttp.ClientTimeout(total=None),  # whoever delivers sets the limit of a whole batch
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _tls(self) -> ssl.SSLContext | bool:
        if not self.url.startswith("https:"):
            return True
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


def _sent(body: bytes | None) -> bytes | BytesIO | None:
    """aiohttp warns of large bytes, since it hands them to the connection at once; a stream goes in pieces."""
    return BytesIO(body) if body is not None and len(body) > PIECE_SIZE_MAX else body


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The answer, up to its limit; the connection can be used again when that was all of it."""
    raw = b""
    async for chunk in response.content.iter_chunked(65_536):
        raw += chunk
        if len(raw) >= ANSWER_SIZE_MAX:
            break
    return raw[:ANSWER_SIZE_MAX]


def _in_words(error: BaseException) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "no host of this name is known"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted: {error.certificate_error}"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection"
        case aiohttp.ClientConnectorError():
            return f"no connection: {tls_words(error.os_error) or connection_words(error.os_error)}"
        case aiohttp.InvalidURL():
            return "this is no address"
        case _:
            return str(error) or type(error).__name__
