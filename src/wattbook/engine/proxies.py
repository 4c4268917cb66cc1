"""All proxies of a configuration, each on its line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from wattbook.config import Config, ProxySettings
from wattbook.engine.collect import TcpLine
from wattbook.engine.gateway import Gateway, Route
from wattbook.engine.lines import Lines
from wattbook.engine.proxy import Proxy
from wattbook.engine.share_line import units_of
from wattbook.engine.status import ProxyStatus
from wattbook.model import Clock, Keeper
from wattbook.transports.ports import AUTO, shown

_NETWORK_S = 0.5  # as for our own polls: a network and perhaps a gateway with its own line lie between


@asynccontextmanager
async def serving_proxies(
    config: Config, lines: Lines, *, keeper: Keeper, clock: Clock
) -> AsyncIterator[Sequence[ProxyStatus]]:
    """Serve every [[proxy]] until the block is left. Raises ConfigError when one cannot listen."""
    gateways = {name: _gateway(config, name, lines, clock) for name in {proxy.line for proxy in config.proxies}}
    proxies = [Proxy(settings, gateways[settings.line], keeper=keeper, clock=clock) for settings in config.proxies]
    try:
        for proxy in proxies:
            proxy.bind()
        for proxy in proxies:
            await proxy.start()
        yield [proxy.status for proxy in proxies]
    finally:
        for proxy in proxies:
            await proxy.stop()
        for gateway in gateways.values():
            gateway.stop()


def _gateway(config: Config, name: str, lines: Lines, clock: Clock) -> Gateway:
    asked = lines.asked(name)
    assert asked is not None, f"a proxy's line {name} is one of meters that are asked"
    [line] = [line for line in config.lines if line.name == name]
    over_tcp = isinstance(asked, TcpLine)
    route = Route(
        timeout_s_min=_NETWORK_S if over_tcp else 0.0,
        broadcasts=not over_tcp,
        meters=units_of(config, line) if line.port == AUTO or len(line.ports) > 1 else None,
    )
    return Gateway(asked, route, clock=clock)


def in_words(config: Config, settings: ProxySettings, listen: str) -> str:
    """What is served at HOST:PORT and to whom, in one line."""
    [line] = [line for line in config.lines if line.name == settings.line]
    ports = ", ".join(shown(port) for port in (line.ports or (line.port,)))
    protocol = "Modbus TCP" if settings.kind == "tcp" else "RTU over TCP"
    who = f"this machine and {', '.join(settings.allow)}" if settings.allow else "this machine only"
    writers = f"{', '.join(settings.allow_write)} may write" if settings.allow_write else "reading only"
    return f"{settings.line} ({ports}) as {protocol} at {listen}, for {who}; {writers}"
