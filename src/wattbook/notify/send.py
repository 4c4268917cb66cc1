"""Send a message to an address as apprise writes it. E-mails are our own: they carry the event's key and the picture.

apprise is imported when the first message goes out: half a second and 30 MB that a quiet house never pays.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattbook.model import ConfigError
from wattbook.notify.message import Message, NotSent

if TYPE_CHECKING:
    from wattbook.values import Secret

TIMEOUT_S = 60.0  # a slow mail server with a greeting delay; apprise gives up by itself long before
_TYPES = {"info": "info", "warning": "warning", "critical": "failure", "recovered": "success"}


@dataclass(slots=True)
class Post:
    """One address. It sends in a thread of its own, one message at a time, so that none that hangs hangs others."""

    name: str
    url: Secret
    timeout_s: float = TIMEOUT_S
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _sending: bool = False  # a thread lives on for a moment after its message has gone out
    _service: Any = None
    _settled: tuple[str, set[str]] = field(default_factory=lambda: ("", set()))  # see `_send_mail`

    async def send(self, message: Message) -> None:
        """Send it. Raises NotSent, SomeRefused, or ConfigError for an address that apprise does not understand."""
        async with self._turn:
            if self._sending:
                raise NotSent(f"{self.name}: the message before hangs still")
            try:
                async with asyncio.timeout(self.timeout_s):
                    await self._begun(message)
            except TimeoutError as error:
                raise NotSent(f"{self.name}: it did not go out within {self.timeout_s:.0f} s") from error

    def _begun(self, message: Message) -> asyncio.Future[None]:
        """Send in a thread that no end of the program waits for, unlike those of an executor."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if done.done():
                return  # nobody waited that long
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def work() -> None:
            error: BaseException | None = None
            try:
                self._send(message)
            except Exception as caught:  # noqa: BLE001 - raised again by whoever waits
                error = caught
            self._sending = False
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, error)

        self._sending = True
        try:
            threading.Thread(target=work, name=f"notify {self.name}", daemon=True).start()
        except RuntimeError:  # no thread can be had
            self._sending = False
            raise
        return done

    def _send(self, message: Message) -> None:
        service = self._made()
        if _is_plain_mail(service):
            self._send_mail(service, message)
        else:
            _send_by_apprise(self.name, service, message)

    def _send_mail(self, service: Any, message: Message) -> None:
        """`_settled` is the mail in hand, by its key, and the addresses that need it no more."""
        from wattbook.notify.mail import send_mail

        if self._settled[0] != message.key:
            self._settled = (message.key, set())
        send_mail(self.name, service, message, timeout_s=self.timeout_s / 2, settled=self._settled[1])
        self._settled = ("", set())

    def _made(self) -> Any:
        if self._service is None:
            from apprise import Apprise

            log = logging.getLogger("apprise")
            log.propagate = False  # its warnings are told in our errors
            log.setLevel(logging.WARNING)  # below that it tells addresses with their secrets
            self._service = Apprise.instantiate(self.url.reveal(), suppress_exceptions=True)
            if self._service is None:
                raise ConfigError(f"{self.name}: apprise does not understand the address; see its list of services")
        return self._service


def _is_plain_mail(service: Any) -> bool:
    """Whether it is a mail that we write ourselves; encrypted ones are left to apprise."""
    from apprise.plugins.email.base import NotifyEmail

    return type(service) is NotifyEmail and getattr(service, "pgp_mode", "none") in (None, "none", "no")


def _send_by_apprise(name: str, service: Any, message: Message) -> None:
    """Through one of apprise's services, whose words about a failure go to its log."""
    from apprise import Apprise, AppriseAttachment

    client = Apprise()
    client.add(service)
    heard = _Heard()
    log = logging.getLogger("apprise")
    log.addHandler(heard)
    try:
        with tempfile.TemporaryDirectory() as folder:
            attach = None
            if message.picture and getattr(service, "attachment_support", False):
                file = Path(folder) / "curve.png"
                file.write_bytes(message.picture)
                attach = AppriseAttachment(str(file))
            kind = _TYPES.get(message.severity, "info")
            sent = client.notify(message.body, message.title, notify_type=kind, attach=attach)
    finally:
        log.removeHandler(heard)
    if not sent:
        raise NotSent(f"{name}: not sent: {heard.last or 'the service said no'}")


class _Heard(logging.Handler):
    """What apprise said last about why."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
