"""MQTT packets as a subscriber and a publisher need them: versions 5 and 3.1.1, quality of service 0 and 1. No I/O.

Source: OASIS MQTT 5.0 and 3.1.1, chapters 2 (packet format) and 3 (packets). What we never ask for
(quality of service 2, topic aliases, enhanced authentication) is refused as a broken stream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from wattbook.model.errors import Garbled

PAYLOAD_SIZE_MAX = 65_536  # a meter's JSON has some hundred bytes, a gateway's with many meters some 20,000
_HEAD_SIZE_MAX = 131_072  # of a PUBLISH before its payload: a topic of 65,535 bytes, the rest is properties
_OTHER_SIZE_MAX = 65_536  # of a packet that is no message: acknowledgements, properties, reasons in words
_SESSION_FOREVER = 0xFFFFFFFF  # the broker keeps our messages while we are away, as 3.1.1 does without asking
_PAIR = struct.Struct(">H")
_PUBACK = struct.Struct(">BBH")
_CONNACK, _PUBLISH, _PUBACK_TYPE, _SUBACK, _UNSUBACK, _PINGRESP, _DISCONNECT = 0x20, 0x30, 0x40, 0x90, 0xB0, 0xD0, 0xE0

_SERVER_KEEP_ALIVE, _RECEIVE_MAXIMUM, _RETAIN_AVAILABLE, _PACKET_SIZE_MAXIMUM = 0x13, 0x21, 0x25, 0x27
_PROPERTY_SIZES = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}  # CONNACK
_PROPERTY_TEXTS = {0x12: 1, 0x15: 1, 0x16: 1, 0x1A: 1, 0x1C: 1, 0x1F: 1, 0x26: 2}

PING = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


class Version(IntEnum):
    """The protocol level in CONNECT."""

    V3 = 4  # 3.1.1
    V5 = 5


class Message(NamedTuple):
    """A PUBLISH from the broker. A tuple, because tens of thousands a second are made."""

    topic: str
    payload: bytes
    packet_id: int  # 0 = quality of service 0, nothing to acknowledge
    retained: bool  # the broker's last known one, older than our subscription
    size: int  # of the payload as sent; larger than `payload` when it was over the limit and was skipped


@dataclass(frozen=True, slots=True)
class Connected:
    """CONNACK. `code` 0 is a welcome; others by `refusal`."""

    session_present: bool
    code: int
    keepalive_s: int = 0  # how long the broker bears silence from us, where it overrules what we said; 0 = it does not
    unacknowledged_max: int = 65_535  # messages we may send ahead of its acknowledgements
    packet_size_max: int = 0  # bytes of a packet that it takes; 0 = it does not say
    keeps_retained: bool = True  # False: it would refuse a retained message


class Acknowledged(NamedTuple):
    """PUBACK: the broker has a message of ours. `code` 0x80 and above = it does not; 0x10 = nobody is subscribed."""

    packet_id: int
    code: int = 0


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when we are gone without a word."""

    topic: str
    payload: bytes
    retained: bool = True


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK: the granted quality of service of each topic, 0x80 and above = refused."""

    packet_id: int
    codes: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """PINGRESP."""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """DISCONNECT from a version 5 broker, with its reason."""

    code: int


Packet = Message | Acknowledged | Connected | Subscribed | Pong | Dismissed

_REFUSALS = {
    1: "it does not speak this version of MQTT",
    2: "it does not accept the client id",
    3: "it is not ready",
    4: "wrong user or password",
    5: "this user may not connect",
    0x84: "it does not speak this version of MQTT",
    0x85: "it does not accept the client id",
    0x86: "wrong user or password",
    0x87: "this user may not do that",
    0x88: "it is not ready",
    0x89: "it is busy",
    0x8B: "it shuts down",
    0x8D: "it heard nothing from us for too long",
    0x8E: "another client uses the same client id",
    0x90: "it does not take this topic",
    0x93: "too many messages were unacknowledged",
    0x95: "a packet was too large",
    0x97: "a quota is used up",
    0x99: "it does not take this payload",
    0x9A: "it keeps no retained messages",
}
WRONG_VERSION = (1, 0x84)
ACT = (2, 4, 5, 0x85, 0x86, 0x87)  # refusals that stay until somebody acts


def refusal(code: int) -> str:
    """Say in words why the broker refused or dismissed us."""
    return _REFUSALS.get(code, f"reason 0x{code:02X}")


def encode_connect(
    client_id: str,
    *,
    version: Version,
    keepalive_s: int,
    user: str = "",
    password: str = "",
    unacknowledged_max: int = 65_535,
    will: Will | None = None,
    clean: bool = False,
) -> bytes:
    """CONNECT that continues the session of this client id, or begins one that ends with the connection (`clean`).

    `unacknowledged_max` is how many messages the broker may send ahead of our acknowledgements (version 5 only: a 3.1.1
    broker decides for itself, mosquitto 20).
    """
    flags = (0x80 if user else 0) | (0x40 if password else 0) | (0x02 if clean else 0)
    last_words = b""
    if will:
        flags |= 0x0C | (0x20 if will.retained else 0)  # with quality of service 1
        payload = _PAIR.pack(len(will.payload)) + will.payload
        last_words = (b"\x00" if version is Version.V5 else b"") + _text(will.topic) + payload
    properties = b""
    if version is Version.V5:
        body = struct.pack(">BIBH", 0x11, 0 if clean else _SESSION_FOREVER, 0x21, unacknowledged_max)
        properties = _length(len(body)) + body
    return _packet(
        0x10,
        _text("MQTT"),
        bytes((version, flags)),
        _PAIR.pack(keepalive_s),
        properties,
        _text(client_id),
        last_words,
        _text(user) if user else b"",
        _text(password) if password else b"",
    )


def encode_subscribe(packet_id: int, topics: Iterable[str], *, version: Version) -> bytes:
    """SUBSCRIBE to topics with quality of service 1."""
    properties = b"\x00" if version is Version.V5 else b""
    return _packet(0x82, _PAIR.pack(packet_id), properties, *(_text(topic) + b"\x01" for topic in topics))


def encode_unsubscribe(packet_id: int, topics: Iterable[str], *, version: Version) -> bytes:
    """UNSUBSCRIBE from topics that an earlier configuration of this session asked for."""
    properties = b"\x00" if version is Version.V5 else b""
    return _packet(0xA2, _PAIR.pack(packet_id), properties, *map(_text, topics))


def publish_head(topic: str, *, version: Version) -> tuple[bytes, bytes]:
    """What PUBLISH packets of one topic have in common: what stands before and behind the packet id."""
    return _text(topic), b"\x00" if version is Version.V5 else b""


def encode_publish(head: tuple[bytes, bytes], payload: bytes, packet_id: int, *, retained: bool = False) -> bytes:
    """PUBLISH with quality of service 1; a packet id of 0 = quality of service 0."""
    topic, properties = head
    if packet_id:
        return _packet(0x33 if retained else 0x32, topic, _PAIR.pack(packet_id), properties, payload)
    return _packet(0x31 if retained else 0x30, topic, properties, payload)


def encode_acknowledge(packet_ids: Iterable[int]) -> bytes:
    """One PUBACK each; the short form is the same in both versions."""
    pack = _PUBACK.pack
    return b"".join([pack(_PUBACK_TYPE, 2, packet_id) for packet_id in packet_ids if packet_id])


class Receiver:
    """Turns the bytes of a broker into packets, in any cutting.

    A message over `PAYLOAD_SIZE_MAX` is passed by without being kept; its Message has an empty payload and its size.
    Raises Garbled when the bytes are no MQTT: the connection is then of no use.
    """

    def __init__(self, version: Version) -> None:
        self._version = version
        self._chunks: list[bytes] = []
        self._held, self._needed = 0, 2
        self._to_skip = 0

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes, return the packets they complete."""
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        self._chunks.append(data)
        self._held += len(data)
        if self._held < self._needed:
            return []  # nothing can be complete yet: joining now would copy a long packet once a chunk
        data = b"".join(self._chunks)
        packets: list[Packet] = []
        start = self._parse(data, packets)
        rest = data[start:]
        self._chunks, self._held = [rest] if rest else [], len(rest)
        return packets

    def _parse(self, data: bytes, packets: list[Packet]) -> int:
        """Append every whole packet, return where the unfinished one starts. One loop, for speed."""
        start, end = 0, len(data)
        has_properties = self._version is Version.V5
        while end - start >= 2:
            kind = data[start]
            size, body = data[start + 1], start + 2
            if size & 0x80:
                size, body = _read_length(data, start + 1)
                if body < 0:
                    self._needed = end - start + 1
                    return start
            stop = body + size
            if kind & 0xF0 != _PUBLISH:
                if kind & 0x0F or size > _OTHER_SIZE_MAX:
                    raise Garbled(f"the broker sent a packet 0x{kind:02X} of {size} bytes", offset=start)
                if stop > end:
                    self._needed = stop - start
                    return start
                packet = self._other(kind & 0xF0, data[body:stop])
                if packet is not None:
                    packets.append(packet)
                start = stop
                continue
            if stop > end:
                if size > PAYLOAD_SIZE_MAX and end - body >= min(size, _HEAD_SIZE_MAX):
                    packets.append(_publish(data, kind, body, stop, has_properties))
                    self._to_skip = stop - end
                    self._needed = 2
                    return end
                self._needed = min(stop, body + _HEAD_SIZE_MAX) - start if size > PAYLOAD_SIZE_MAX else stop - start
                return start
            packets.append(_publish(data, kind, body, stop, has_properties))
            start = stop
        self._needed = 2
        return start

    def _other(self, kind: int, body: bytes) -> Packet | None:
        """A packet that is no message; None for one that needs no answer."""
        if kind == _CONNACK and len(body) >= 2:
            return _connected(body, self._version)
        if kind == _PUBACK_TYPE and len(body) >= 2:
            return Acknowledged((body[0] << 8) | body[1], body[2] if len(body) > 2 else 0)
        if kind == _SUBACK and len(body) >= 2:
            at = 2
            if self._version is Version.V5:
                size, at = _read_length(body, 2)
                at += size
            return Subscribed(_PAIR.unpack_from(body)[0], body[at:])
        if kind == _PINGRESP:
            return Pong()
        if kind == _DISCONNECT:
            return Dismissed(body[0] if body else 0)
        if kind == _UNSUBACK:
            return None
        raise Garbled(f"the broker sent a packet 0x{kind:02X} that we never get")


def _connected(body: bytes, version: Version) -> Connected:
    """CONNACK with what the broker says of its limits (MQTT 5, 3.2.2.3)."""
    said = _limits(body) if version is Version.V5 and len(body) > 2 else {}  # short: it speaks 3.1.1 only
    return Connected(
        bool(body[0] & 1),
        body[1],
        said.get(_SERVER_KEEP_ALIVE, 0),
        said.get(_RECEIVE_MAXIMUM, 65_535),
        said.get(_PACKET_SIZE_MAXIMUM, 0),
        bool(said.get(_RETAIN_AVAILABLE, 1)),
    )


def _limits(connack: bytes) -> dict[int, int]:
    """The properties of a CONNACK that are numbers."""
    size, at = _read_length(connack, 2)
    stop = at + size
    if at < 0 or stop > len(connack):
        raise Garbled("the broker sent properties that are longer than themselves")
    found: dict[int, int] = {}
    while at < stop:
        kind, start = connack[at], at + 1
        at = _after_property(connack, kind, start, stop)
        if kind in _PROPERTY_SIZES:
            found[kind] = int.from_bytes(connack[start:at], "big")
    return found


def _after_property(data: bytes, kind: int, at: int, stop: int) -> int:
    """Where the property that begins at `at` ends (MQTT 5, 2.2.2.2)."""
    texts = _PROPERTY_TEXTS.get(kind, 0)
    for _ in range(texts):
        if at + 2 > stop:
            break
        at += 2 + int(_PAIR.unpack_from(data, at)[0])
    size = _PROPERTY_SIZES.get(kind, 0)
    if (not texts and not size) or at + size > stop:
        raise Garbled(f"the broker sent a property 0x{kind:02X} that does not belong there or is not whole")
    return at + size


def _publish(data: bytes, kind: int, body: int, stop: int, has_properties: bool) -> Message:
    """A PUBLISH whose head is whole in `data`; a payload over the limit is left out."""
    qos = kind & 0x06
    topic_end = body + 2 + ((data[body] << 8) | data[body + 1]) if stop - body >= 2 else stop + 1
    at, packet_id = topic_end, 0
    if qos:
        at += 2
        if qos != 0x02 or at > stop:
            raise Garbled("the broker sent a message of a kind we never asked for", offset=body)
        packet_id = (data[topic_end] << 8) | data[topic_end + 1]
    if has_properties and at < stop:
        size = data[at]
        at += 1
        if size:
            size, after = _read_length(data, at - 1)
            at = after + size if after > 0 else stop + 1
    if at > stop or topic_end == body + 2:
        raise Garbled("the broker sent a message without a topic or longer than itself", offset=body)
    size = stop - at
    try:
        topic = data[body + 2 : topic_end].decode()
    except UnicodeDecodeError as error:
        raise Garbled("the broker sent a topic that is no text", offset=body) from error
    payload = data[at:stop] if size <= PAYLOAD_SIZE_MAX else b""
    return Message(topic, payload, packet_id, bool(kind & 0x01), size)


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    """A length of one to four bytes at `at`: the length and where it ends; where = -1 when it is not whole yet."""
    length = 0
    for place in range(4):
        if at + place >= len(data):
            return 0, -1
        byte = data[at + place]
        length |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return length, at + place + 1
    raise Garbled("the broker sent a length of more than four bytes", offset=at)


def _length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, low = length >> 7, length & 0x7F
        encoded.append(low | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def _text(text: str) -> bytes:
    data = text.encode()
    return _PAIR.pack(len(data)) + data


def _packet(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((kind,)) + _length(len(body)) + body
