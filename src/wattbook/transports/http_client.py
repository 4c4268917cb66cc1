"""One HTTP server that is asked by us: a session that is opened when needed, and what goes wrong in words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from wattbook.model import SinkUnavailable

if TYPE_CHECKING:
    from wattbook.transports.http_session import HttpSession

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
    _session: HttpSession | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Import aiohttp: where a sink is made and not for its settings, for it takes 16 MB and 0.2 s."""
        import_module("wattbook.transports.http_session")

    async def ask(
        self, method: str, path: str = "", *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask and return the answer, whatever its status. No redirect is followed. Raises SinkUnavailable."""
        from wattbook.transports import http_session

        try:
            if self._session is None:
                self._session = http_session.HttpSession(self.headers, self._tls())
            return await self._session.ask(method, self.url + path, body, headers)
        except http_session.FAILURES as error:
            raise SinkUnavailable(f"{self.shown}: {http_session.in_words(error)}") from error

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
            await session.aclose()

    def _tls(self) -> ssl.SSLContext | bool:
        if not self.url.startswith("https:"):
            return True
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context
