import errno
import socket

import pytest

from wattbook.transports.connection_words import connection_words


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (socket.gaierror(-2, "Name or service not known"), "no host of this name is known"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused; does it run there"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] …"), "connection refused; does it"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 1)"), "No route to host"),
        (OSError("odd"), "odd"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_why_there_is_no_connection(error: OSError, says: str) -> None:
    assert connection_words(error).startswith(says)
