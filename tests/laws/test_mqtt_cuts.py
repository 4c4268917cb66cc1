"""Any cutting of a broker's bytes gives the same packets, and no bytes give anything but packets or Garbled."""

from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.mqtt import Message, Packet, Receiver, Version
from wattbook.model import Garbled

topics = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, bytes]:
    topic, payload = draw(topics), draw(st.binary(max_size=200))
    packet_id = draw(st.integers(0, 65_535))
    retained = draw(st.booleans())
    properties = b"\x02" + draw(st.binary(min_size=4, max_size=4)) if draw(st.booleans()) else b""
    body = len(topic.encode()).to_bytes(2, "big") + topic.encode()
    body += packet_id.to_bytes(2, "big") if packet_id else b""
    body += bytes((len(properties),)) + properties + payload
    length = bytes((len(body),)) if len(body) < 128 else bytes((len(body) & 0x7F | 0x80, len(body) >> 7))
    kind = 0x30 | (0x02 if packet_id else 0) | retained
    return Message(topic, payload, packet_id, retained, len(payload)), bytes((kind,)) + length + body


@given(st.lists(messages(), max_size=10), st.data())
def test_any_cutting_gives_the_same_messages(sent: list[tuple[Message, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encoded for _, encoded in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    receiver = Receiver(Version.V5)
    heard: list[Packet] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += receiver.feed(stream[start:end])
    assert heard == [message for message, _ in sent]


@given(st.sampled_from(Version), st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_give_packets_or_garbled(version: Version, chunks: list[bytes]) -> None:
    receiver = Receiver(version)
    for chunk in chunks:
        try:
            receiver.feed(chunk)
        except Garbled:
            return


@given(st.lists(messages(), min_size=1, max_size=4), st.integers(0), st.integers(1, 255))
def test_a_damaged_byte_gives_packets_or_garbled(sent: list[tuple[Message, bytes]], place: int, flip: int) -> None:
    stream = bytearray(b"".join(encoded for _, encoded in sent))
    stream[place % len(stream)] ^= flip
    try:
        heard = Receiver(Version.V5).feed(bytes(stream))
    except Garbled:
        return
    assert len(heard) <= len(stream) // 2
