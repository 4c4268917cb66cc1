"""What a [[proxy]] cannot be: of a line that nobody can be asked on, or open to more than it says."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from wattbook.config.settings import Config, ProxySettings, parse_listen
from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.transports.addresses import is_loopback, may_ask, parse_ip
from wattbook.transports.ports import AUTO, BROKER_SCHEMES, scheme_of


def proxy_problems(config: Config, proxy: ProxySettings) -> Iterator[tuple[str, str]]:
    """Everything wrong with one [[proxy]], as (key, message)."""
    yield from (("line", message) for message in _line_problems(config, proxy))
    yield from _who_problems(proxy)
    same = [other for other in config.proxies if other.listen == proxy.listen]
    if len(same) > 1 and not proxy.listen.endswith(":0"):
        yield "listen", f"two proxies listen at {proxy.listen}; give each a port of its own"


def _line_problems(config: Config, proxy: ProxySettings) -> Iterator[str]:
    names = [line.name for line in config.lines]
    if proxy.line not in names:
        yield f'no line is called "{proxy.line}"{did_you_mean(proxy.line, names)}'
        return
    line = config.lines[names.index(proxy.line)]
    try:
        if scheme_of(line.port) in BROKER_SCHEMES:
            yield f'line "{line.name}" is a broker; only Modbus lines can be served'
            return
    except ConfigError:
        return  # the line itself is told to be wrong
    known = [meter for meter in config.meters_of(line) if meter.model in config.library.names()]
    for meter in known:
        if config.library.get(meter.model).protocol != "modbus":
            yield f'meter "{meter.name}" of line "{line.name}" is no Modbus meter; only Modbus lines can be served'
            return
    if not known and (line.ports or line.port == AUTO):
        yield f'line "{line.name}" has no meter by which its port could be found; name one port'


def _who_problems(proxy: ProxySettings) -> Iterator[tuple[str, str]]:
    networks = []
    for text in proxy.allow:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            yield "allow", f"no network: {error}; write as 192.168.0.0/24"
    for text in proxy.allow_write:
        if parse_ip(text) is None:
            yield "allow_write", f'"{text}" is no address of a client; write as 192.168.0.7'
        elif not may_ask(text, networks) and len(networks) == len(proxy.allow):
            yield "allow_write", f'{text} may write but not ask; add its network to "allow"'
    try:
        host, _ = parse_listen(proxy.listen)
    except ConfigError as error:
        yield "listen", str(error)
        return
    if not is_loopback(host) and not proxy.allow:
        yield "listen", f'{proxy.listen} is open beyond this machine; name who may ask, as allow = ["192.168.0.0/24"]'
