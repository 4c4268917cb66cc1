import errno
import socket

import pytest

from wattbook.transports.connection_words import connection_words
from wattbook.transports.tcp import no_connection


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


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused; does it run there"),
        (TimeoutError(), "no answer; is the device on"),  # of asyncio
        (TimeoutError("timed out"), "no answer; is the device on"),  # of a socket
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
        (ValueError("file descriptor cannot be a negative integer (-1)"), "file descriptor"),
    ],
)
def test_a_line_says_it_in_the_same_words(error: Exception, says: str) -> None:
    assert str(no_connection(error, "gateway:502")).startswith(f"gateway:502: no connection: {says}")
