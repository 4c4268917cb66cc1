"""A serial server that loses its power never says so."""

import socket

from wattbook.profiles import SerialSettings
from wattbook.transports.tcp import TcpLink


def test_the_system_asks_a_silent_peer_whether_it_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = TcpLink("127.0.0.1", server.getsockname()[1], SerialSettings())
        own, peer = link._socket, server.accept()[0]
        try:
            assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            patience_s = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            patience_s += own.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) * own.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_KEEPCNT
            )
            assert patience_s <= 30
        finally:
            link.close()
            peer.close()
