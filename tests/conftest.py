"""What every test may rely on. This file also puts its folder on the path, for what several kinds of tests share."""

import pytest
import pytest_socket


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Only partners talk over sockets; everything else is pure, or uses files."""
    if "partners" in item.path.parts:
        pytest_socket.enable_socket()
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)
