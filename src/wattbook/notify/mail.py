"""A message as an e-mail (RFC 5322) and its way to the server (RFC 5321).

Ours and not apprise's, whose Message-ID is random: ours is made of the event's number, so that a mail which went out
twice (we were killed before we could note it) is one and the same for servers and readers that look.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from html import escape
from typing import Any

from wattbook.notify.message import Message, NotSent, SomeRefused

_CURVE = "curve@wattbook"
_FOR_GOOD = 500  # replies from here on: the same again would be refused again


def make_mail(message: Message, *, sender: tuple[str, str], to: list[tuple[str, str]]) -> EmailMessage:
    """The mail: text, and HTML with the curve where there is one. `sender`, `to`: name, address."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<wattbook.{message.key}@{sender[1].rpartition('@')[2] or 'localhost'}>"
    mail["Date"] = formatdate()
    mail["From"] = _address(*sender)
    mail["To"] = [_address(*each) for each in to]
    mail["Subject"] = " ".join(message.title.split())
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers, please
    mail["X-Wattbook-Event"] = message.key
    if message.severity == "critical":
        mail["Importance"] = "high"
    mail.set_content(message.body)
    if message.picture:
        text = escape(message.body).replace("\n", "<br>")
        mail.add_alternative(f'<p>{text}</p><p><img src="cid:{_CURVE}" alt=""></p>', subtype="html")
        html = list(mail.iter_parts())[1]
        assert isinstance(html, EmailMessage)
        html.add_related(message.picture, "image", "png", cid=f"<{_CURVE}>", filename="curve.png", disposition="inline")
    return mail


def send_mail(name: str, service: Any, message: Message, *, timeout_s: float, settled: set[str]) -> None:
    """Send it as an e-mail address of apprise says. Raises NotSent, SomeRefused.

    `settled`: the addresses that have it, or are refused for good while others have it. They are left out when it is
    tried again: one address that is gone must not bring the mail to all others each minute.
    """
    sender = (service.from_addr[0] or "wattbook", service.from_addr[1])
    to = [(each[0] or "", each[1]) for each in service.targets]
    mail = make_mail(message, sender=sender, to=to)
    left = [each for each in (*(address for _, address in to), *service.cc, *service.bcc) if each not in settled]
    try:
        with _connected(service, timeout_s) as server:
            if service.user and service.password:
                server.login(service.user, service.password)
            refused = _give(server, mail, sender[1], left, settled)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"{name}: {service.smtp_host} did not take the mail: {_in_words(error)}") from error
    for_good = [address for address, (code, _) in refused.items() if code >= _FOR_GOOD]
    settled.update(for_good)
    if waiting := [each for each in left if each not in settled]:
        raise NotSent(f"{name}: {service.smtp_host} refused {', '.join(waiting)} for now")
    if for_good:
        raise SomeRefused(f"{name}: {service.smtp_host} refused {', '.join(for_good)}; all others have the mail")


def _give(
    server: smtplib.SMTP, mail: EmailMessage, sender: str, left: list[str], settled: set[str]
) -> Mapping[str, tuple[int, bytes]]:  # fmt: skip
    """Give the mail to those who are left; return who was refused. Raises SMTPException when nobody has it yet."""
    try:
        refused = server.send_message(mail, sender, left)
    except smtplib.SMTPRecipientsRefused as error:  # none of these got it
        if not settled:
            raise
        return error.recipients
    settled.update(set(left) - refused.keys())
    return refused


def _connected(service: Any, timeout_s: float) -> smtplib.SMTP:
    """A connection, secured as the address asks for."""
    mode = str(getattr(service.secure_mode, "value", service.secure_mode))
    context = ssl.create_default_context() if service.verify_certificate else ssl._create_unverified_context()  # noqa: S323 - ?verify=no
    if mode == "ssl":
        return smtplib.SMTP_SSL(service.smtp_host, service.port or 465, timeout=timeout_s, context=context)
    server = smtplib.SMTP(service.smtp_host, service.port or 25, timeout=timeout_s)
    if mode == "starttls":
        server.starttls(context=context)
    return server


def _address(name: str, address: str) -> Address:
    return Address(name, addr_spec=address)


def _in_words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {said}"
    return str(error) or type(error).__name__
