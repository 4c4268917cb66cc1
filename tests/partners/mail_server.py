"""A real SMTP server (aiosmtpd) in a thread of its own, that can refuse and can hang with a mail in its hands."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from ports import free_port


class Mailbox:
    """What the server took. Its thread writes, the test reads."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.asked = 0
        self.refuses = False
        self.hangs = False  # it takes the mail, and is slow to say so
        self.takes: list[list[str]] = []  # the addresses of each mail
        self.refused: dict[str, str] = {}  # address -> why it is not taken

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.asked += 1
        if self.refuses:
            return "451 4.3.0 try again later"
        self.takes.append(list(envelope.rcpt_tos))
        self.got.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
        for _ in range(600):
            if not self.hangs:
                return "250 OK"
            await asyncio.sleep(0.05)
        return "451 4.3.0 hung for too long"

    def keys(self) -> list[str]:
        """The numbers of the events, as the mails name them."""
        return [str(mail["Message-ID"]) for mail in self.got]


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, int]]:
    """A running server: its mailbox, and its port."""
    mailbox = Mailbox()
    port = free_port()
    controller = Controller(mailbox, "127.0.0.1", port)
    controller.start()
    try:
        yield mailbox, port
    finally:
        controller.stop()
