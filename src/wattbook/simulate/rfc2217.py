"""A port behind RFC 2217: here speed, bits and parity that the reader sets are seen, and wrong ones hurt."""

from __future__ import annotations

from wattbook.codecs.rfc2217 import ComPortServer, escape
from wattbook.profiles import SerialSettings
from wattbook.simulate.port import recode
from wattbook.simulate.tcp import SocketPort


class Rfc2217Port:
    """A serial server with one port, as ser2net is. A new connection finds it at 9600 8N1."""

    def __init__(self, url: str) -> None:
        self._socket = SocketPort(url)
        self._telnet = ComPortServer()
        self._connections = 0
        self._seen = self._telnet.settings  # what was set when the meters spoke last

    @property
    def address(self) -> str:
        """The URL with the port that was taken."""
        return self._socket.address

    def plug(self) -> None:
        """Listen. Raises ConfigError when the port is taken."""
        self._socket.plug()

    def unplug(self) -> None:
        """Refuse connections and drop the one there is."""
        self._socket.unplug()

    def watch(self) -> int | None:
        """The connection, or who might come."""
        return self._socket.watch()

    def read(self) -> bytes:
        """The serial data in what the reader sent; its settings are taken and confirmed."""
        data = self._socket.read()
        if self._socket.connections != self._connections:
            self._connections = self._socket.connections
            self._telnet = ComPortServer()
            self._seen = self._telnet.settings
        heard = self._telnet.feed(data)
        self._telnet.take_purge()  # nothing is kept here that could be purged
        self._socket.write(self._telnet.take_output())
        return heard

    def write(self, data: bytes) -> None:
        """Send as telnet data; what a reader does not take is lost."""
        self._socket.write(escape(data))

    def to_reader(self, data: bytes, meter: SerialSettings) -> bytes:
        """The bits as the reader's settings understand them."""
        self._seen = self._telnet.settings
        return recode(data, meter, self._seen)

    def to_meter(self, data: bytes, meter: SerialSettings) -> bytes:
        """The bits as the meter understands them.

        A reader may change its speed right behind its last byte: what was set when the meter spoke last counts too.
        """
        now = self._telnet.settings
        return recode(data, self._seen if self._seen.baud == meter.baud != now.baud else now, meter)
