"""TCP ports that a test gives to a server, which no other test and no connection can have meanwhile."""

import errno
import random
import socket

_OFFERED = range(20_000, 32_000)  # Linux takes its own, for port 0 and for who connects, from 32768 on
_ours: list[socket.socket] = []  # one for each port given out, kept as long as this process lives


def free_port() -> int:
    """A port of 127.0.0.1 where nobody listens.

    Between here and its server's start, and while that is killed and started again, the port would be anybody's. So
    it is marked as taken, by a name that all processes of this machine see and that ends with this one.
    """
    for port in random.sample(_OFFERED, len(_OFFERED)):
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0wattbook test port {port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError as error:
            mark.close()
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        _ours.append(mark)
        return port
    raise OSError(errno.EADDRINUSE, "every port that tests may have is taken")
