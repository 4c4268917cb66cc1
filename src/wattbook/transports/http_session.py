"""What HttpClient leaves to aiohttp."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from io import BytesIO

import aiohttp

from wattbook.transports.connection_words import connection_words
from wattbook.transports.http_client import ANSWER_SIZE_MAX, Answer
from wattbook.transports.tls import tls_words

PIECE_SIZE_MAX = 500_000  # bytes of a body that are sent as they are
FAILURES = (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError, ValueError)  # of one request


class HttpSession:
    """Connections that are kept between requests. Made where a loop runs."""

    def __init__(self, headers: Mapping[str, str], tls: ssl.SSLContext | bool) -> None:
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(ssl=tls),
            timeout=aiohttp.ClientTimeout(total=None),  # whoever delivers sets the limit of a whole batch
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None) -> Answer:
        """Ask and return the answer, whatever its status. No redirect is followed. Raises one of FAILURES."""
        async with self._session.request(
            method, url, data=_sent(body), headers=headers, allow_redirects=False
        ) as response:
            text = (await _beginning(response)).decode("utf-8", "replace")
            return Answer(response.status, text, response.headers.get("Retry-After", ""))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()


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


def in_words(error: BaseException) -> str:
    """What went wrong, for a person."""
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
