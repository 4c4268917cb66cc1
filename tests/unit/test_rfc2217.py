"""The two ends of RFC 2217 with each other and with bytes as the RFC prints them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.rfc2217 import ComPortClient, ComPortServer, escape
from wattbook.profiles.profile import SerialSettings

SEVEN_EVEN = SerialSettings(baud=300, bits=7, parity="even", stopbits=1)


def settle(client: ComPortClient, server: ComPortServer) -> int:
    """Let both talk until nothing is owed; how many rounds that took."""
    for rounds in range(10):
        to_server, to_client = client.take_output(), server.take_output()
        if not to_server and not to_client:
            return rounds
        assert server.feed(to_server) == b""
        assert client.feed(to_client) == b""
    raise AssertionError("they answer each other for ever")


@pytest.mark.parametrize(
    "settings", [SEVEN_EVEN, SerialSettings(115200, 8, "none", 2), SerialSettings(9600, 8, "odd", 1)]
)
def test_the_server_gets_the_settings_and_the_client_is_told(settings: SerialSettings) -> None:
    client, server = ComPortClient(settings), ComPortServer()
    settle(client, server)
    assert server.settings == settings
    assert client.settled
    client.set_baud(4800)
    assert not client.settled
    settle(client, server)
    assert (server.settings.baud, client.settled) == (4800, True)


def test_the_frame_of_the_rfc() -> None:
    """RFC 2217, section 3: IAC SB COM-PORT-OPTION SET-BAUDRATE 9600 IAC SE and its answer."""
    server = ComPortServer()
    server.take_output()
    server.feed(bytes.fromhex("FF FA 2C 01 00 00 25 80 FF F0"))
    assert server.settings.baud == 9600
    assert server.take_output() == bytes.fromhex("FF FA 2C 65 00 00 25 80 FF F0")


def test_what_cannot_be_set_is_answered_with_what_is() -> None:
    client, server = ComPortClient(SerialSettings()), ComPortServer()
    settle(client, server)
    client.set_baud(7)
    settle(client, server)
    assert "instead of 7" in client.refusal
    assert not client.settled


def test_a_plain_telnet_server_is_no_port() -> None:
    client = ComPortClient(SerialSettings())
    client.feed(bytes.fromhex("FF FE 2C"))  # IAC DONT COM-PORT
    assert "RFC 2217" in client.refusal


def test_purge_is_asked_once() -> None:
    client, server = ComPortClient(SerialSettings()), ComPortServer()
    settle(client, server)
    assert server.take_purge() == (False, False)
    server.feed(bytes.fromhex("FF FA 2C 0C 01 FF F0"))  # IAC SB COM-PORT PURGE-DATA 1 IAC SE
    assert server.take_purge() == (True, False)
    assert server.take_purge() == (False, False)


def test_strange_options_are_refused_once() -> None:
    server = ComPortServer()
    server.take_output()
    server.feed(bytes.fromhex("FF FB 18 FF FD 05 FF FE 63 FF FC 63"))
    assert server.take_output() == bytes.fromhex("FF FE 18 FF FC 05")


@given(st.binary(max_size=300), st.lists(st.integers(0, 700), max_size=8))
def test_any_cutting_gives_the_same(data: bytes, cuts: list[int]) -> None:
    asking = ComPortClient(SEVEN_EVEN)
    stream = asking.take_output() + escape(data)
    asking.set_baud(9600)
    stream += asking.take_output() + escape(data)
    whole, cut = ComPortServer(), ComPortServer()
    heard = whole.feed(stream)
    assert heard == data + data
    edges = sorted({0, len(stream), *(at for at in cuts if at < len(stream))})
    assert b"".join(cut.feed(stream[a:b]) for a, b in itertools.pairwise(edges)) == heard
    assert cut.settings == whole.settings
    assert cut.take_output() == whole.take_output()


@given(st.binary(max_size=2000))
def test_nonsense_keeps_its_bounds(data: bytes) -> None:
    server, client = ComPortServer(), ComPortClient(SerialSettings())
    assert len(server.feed(data)) <= len(data)
    assert len(client.feed(data)) <= len(data)
    assert len(server.take_output()) <= 3 * len(data) + 20
