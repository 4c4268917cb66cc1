"""TLS: whom to trust, who we are, and what a failed greeting means in words."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from wattbook.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Whom to trust and who we are. Empty = the system's authorities, no client certificate."""

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


def tls_files(ca: Path | None, certificate: Path | None, key: Path | None) -> TlsSettings:
    """Of the files that a configuration names; whether they can be used, `tls_context` says. Raises ValueError."""
    if key and not certificate:
        raise ValueError('a "key" is of no use without the "certificate" it belongs to')
    return TlsSettings(*(str(file or "") for file in (ca, certificate, key)))


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """Build our side of a connection: the other's certificate and its name are checked, TLS 1.2 or later.

    Raises ConfigError naming the file that cannot be used.
    """
    for name in (settings.ca_file, settings.certificate_file, settings.key_file):
        if name and not Path(name).is_file():
            raise ConfigError("no such certificate file", place=name)
    if settings.key_file and not settings.certificate_file:
        raise ConfigError('a "key" is of no use without the "certificate" it belongs to', place=settings.key_file)
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate_file:
            # An empty password instead of a question on the terminal, which a daemon has not.
            context.load_cert_chain(settings.certificate_file, settings.key_file or None, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        files = ", ".join(filter(None, (settings.ca_file, settings.certificate_file, settings.key_file)))
        raise ConfigError(f"cannot be used for TLS: {error}", place=files) from error
    return context


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Build the answering side of connections, TLS 1.2 or later. Raises ConfigError naming the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_own(context, certificate, key)
    return context


def load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Show this certificate to whoever connects from now on. Raises ConfigError naming the file."""
    try:
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigError(f"cannot be used for https: {error}", place=f"{certificate}, {key}") from error


def tls_words(error: OSError) -> str:
    """What went wrong when a TLS connection was begun, and what to do; "" = nothing that has to do with TLS."""
    match error:
        case ssl.SSLCertVerificationError():
            # OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH 62, X509_V_ERR_IP_ADDRESS_MISMATCH 64.
            if error.verify_code in (62, 64):
                return (
                    f"its certificate is for another name ({error.verify_message}); "
                    "use the address that stands in the certificate"
                )
            return f'its certificate is not trusted ({error.verify_message}); name its authority with "ca"'
        case ssl.SSLError() if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE"):
            return "it does not speak TLS; is the port right, or is it plain tcp:// there?"
        case ssl.SSLError():
            reason = (error.reason or str(error)).replace("_", " ").lower()
            return f'TLS was refused ({reason}); does it ask for a "certificate" of ours?'
        case ConnectionResetError() | ConnectionAbortedError():  # aborted: by asyncio, after its time for the greeting
            return "it does not answer the TLS greeting; is it plain tcp:// there?"
        case _:
            return ""
