"""What every test may rely on. This file also puts its folder on the path, for what several kinds of tests share."""

import hypothesis
import pytest
import pytest_socket

# How long an example takes says how busy the machine is: another run of the tests may have its processors.
hypothesis.settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared machine")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Only partners talk over sockets; everything else is pure, or uses files."""
    if "partners" in item.path.parts:
        pytest_socket.enable_socket()
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)
