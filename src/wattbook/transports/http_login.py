"""Who we are for a server that is asked by HTTP."""

from base64 import b64encode


def basic_login(username: str, password: str) -> str:
    """The content of the header `Authorization` (RFC 7617, in UTF-8). It holds the password: show it nowhere."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
