"""MQTT packets against bytes written out from the standard."""

import pytest

from wattbook.codecs.mqtt import (
    PAYLOAD_SIZE_MAX,
    Connected,
    Dismissed,
    Message,
    Pong,
    Receiver,
    Subscribed,
    Version,
    encode_acknowledge,
    encode_connect,
    encode_subscribe,
    encode_unsubscribe,
    refusal,
)
from wattbook.model import Garbled


def publish(
    topic: str, payload: bytes, packet_id: int = 0, *, flags: int = 0, properties: bytes | None = None
) -> bytes:
    body = len(topic.encode()).to_bytes(2, "big") + topic.encode()
    body += packet_id.to_bytes(2, "big") if packet_id else b""
    body += b"" if properties is None else bytes((len(properties),)) + properties
    body += payload
    length, size = bytearray(), len(body)
    while True:
        length.append(size & 0x7F | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            return bytes((0x30 | (2 if packet_id else 0) | flags,)) + bytes(length) + body


def test_connect_3() -> None:
    packet = encode_connect("ab", version=Version.V3, keepalive_s=30, user="u", password="p")
    assert packet == b"\x10\x14\x00\x04MQTT\x04\xc0\x00\x1e\x00\x02ab\x00\x01u\x00\x01p"


def test_connect_5_asks_for_a_kept_session_and_names_its_limit() -> None:
    packet = encode_connect("ab", version=Version.V5, keepalive_s=30, unacknowledged_max=1000)
    assert packet == b"\x10\x17\x00\x04MQTT\x05\x00\x00\x1e\x08\x11\xff\xff\xff\xff\x21\x03\xe8\x00\x02ab"


def test_subscribe_and_unsubscribe() -> None:
    assert encode_subscribe(7, ["a/b", "c"], version=Version.V3) == b"\x82\x0c\x00\x07\x00\x03a/b\x01\x00\x01c\x01"
    assert encode_subscribe(7, ["c"], version=Version.V5) == b"\x82\x07\x00\x07\x00\x00\x01c\x01"
    assert encode_unsubscribe(8, ["c"], version=Version.V5) == b"\xa2\x06\x00\x08\x00\x00\x01c"


def test_acknowledge_leaves_out_what_needs_none() -> None:
    assert encode_acknowledge([1, 0, 65_535]) == b"\x40\x02\x00\x01\x40\x02\xff\xff"


@pytest.mark.parametrize(
    ("version", "data", "packet"),
    [
        (Version.V3, b"\x20\x02\x01\x00", Connected(True, 0)),
        (Version.V3, b"\x20\x02\x00\x05", Connected(False, 5)),
        (Version.V5, b"\x20\x03\x00\x86\x00", Connected(False, 0x86)),
        (Version.V5, b"\x20\x06\x01\x00\x03\x21\x00\x14", Connected(True, 0, 0, 20)),
        (Version.V5, b"\x20\x06\x01\x00\x03\x13\x00\x14", Connected(True, 0, 20)),
        (Version.V5, b"\x20\x0f\x00\x00\x0c\x1f\x00\x02ok\x24\x01\x13\x00\x0a\x2a\x01", Connected(False, 0, 10)),
        (Version.V5, b"\x20\x0d\x00\x00\x0a\x26\x00\x01a\x00\x01b\x13\x01\x00", Connected(False, 0, 256)),
        (Version.V3, b"\x90\x04\x00\x07\x01\x80", Subscribed(7, b"\x01\x80")),
        (Version.V5, b"\x90\x05\x00\x07\x00\x01\x87", Subscribed(7, b"\x01\x87")),
        (Version.V5, b"\xd0\x00", Pong()),
        (Version.V5, b"\xe0\x02\x8e\x00", Dismissed(0x8E)),
        (Version.V3, b"\x31\x04\x00\x01tx", Message("t", b"x", 0, True, 1)),
        (Version.V3, b"\x32\x06\x00\x01t\x01\x02x", Message("t", b"x", 0x0102, False, 1)),
        (Version.V3, b"\x3a\x05\x00\x01t\x00\x02", Message("t", b"", 2, False, 0)),
        (Version.V5, b"\x32\x0c\x00\x01t\x00\x09\x05\x02\x00\x00\x00\x0ax", Message("t", b"x", 9, False, 1)),
    ],
)
def test_what_brokers_send(version: Version, data: bytes, packet: object) -> None:
    assert Receiver(version).feed(data) == [packet]


@pytest.mark.parametrize(
    "data",
    [
        b"\x34\x06\x00\x01t\x01\x02x",  # quality of service 2
        b"\x32\x03\x00\x01t",  # ends before its packet id
        b"\x30\x03\x00\x05t",  # topic longer than the packet
        b"\x30\x02\x00\x00",  # no topic
        b"\x30\x01\x00",
        b"\x30\x04\x00\x01\xffx",  # topic is no UTF-8
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x10\x00",  # CONNECT from a broker
        b"\x20\xff\xff\xff\x7f",  # a welcome of 268 MB
    ],
)
def test_what_is_no_mqtt(data: bytes) -> None:
    with pytest.raises(Garbled):
        Receiver(Version.V3).feed(data + bytes(300_000))


@pytest.mark.parametrize("chunk", [1_000, 65_536, 10**7])
def test_a_payload_that_is_too_long_is_passed_by(chunk: int) -> None:
    limit, size = publish("t", bytes(PAYLOAD_SIZE_MAX), 1), 1_000_000
    stream = limit + publish("t", bytes(size), 2) + publish("t", b"next", 3)
    receiver = Receiver(Version.V3)
    heard = [packet for at in range(0, len(stream), chunk) for packet in receiver.feed(stream[at : at + chunk])]
    assert heard == [
        Message("t", bytes(PAYLOAD_SIZE_MAX), 1, False, PAYLOAD_SIZE_MAX),
        Message("t", b"", 2, False, size),
        Message("t", b"next", 3, False, 4),
    ]


def test_refusals_in_words() -> None:
    assert refusal(4) == "wrong user or password"
    assert refusal(0x98) == "reason 0x98"
