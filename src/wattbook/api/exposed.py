"""What is worth a word at the start: how far the page is seen, and who could listen."""

from __future__ import annotations

from collections.abc import Iterator

from wattbook.access import Access
from wattbook.config import Config, parse_listen
from wattbook.model import BookError
from wattbook.transports.addresses import is_loopback


def exposed(config: Config, access: Access) -> Iterator[str]:
    """Lines for the log."""
    beyond = not is_loopback(parse_listen(config.api.listen)[0])
    try:
        password_set = access.password_set
    except BookError as error:
        yield str(error)
        return
    if not password_set and (beyond or config.api.proxies):
        yield "no password is set: other machines get the seeds' addresses alone; run `wattbook user add`"
    if beyond and password_set and config.certificate is None:
        yield 'passwords and tokens cross the network unencrypted; see "certificate" in [api], or use a reverse proxy'
    for network in config.api.allow:
        if network.endswith("/0") and config.api.legacy:
            yield f"[api] legacy answers {network}, which is everybody, without a token"
