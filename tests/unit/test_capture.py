"""A live meter recorded: serial numbers go, holes are found, and what is written decodes again."""

from dataclasses import dataclass

import pytest

from wattbook.codecs.conversation import Conversation, Pause, T
from wattbook.codecs.detect import Decoded, decode
from wattbook.codecs.modbus import Request, Response
from wattbook.codecs.modbus_record import Recorder, capture_text, scrubbed
from wattbook.codecs.telegram import Damage
from wattbook.drivers.explore import explore
from wattbook.engine.prove import expected_of, prove
from wattbook.model import Refused, Unreachable
from wattbook.profiles import Identity, Library, ModbusSettings, Register
from wattbook.profiles.profile import SerialNumber

PZEM = Library().get("pzem-016")


@dataclass
class Device:
    """Answers where it has registers: each holds its own address."""

    holes: frozenset[int] = frozenset()
    silent: bool = False
    asked: int = 0

    def exchange(self, request: Request, timeout_s: float) -> Conversation[Response]:
        yield Pause(0)
        self.asked += 1
        if self.silent:
            raise Unreachable("no answer")
        places = range(request.address, request.address + request.count)
        if self.holes & set(places):
            raise Refused("refused", code=2)
        return Response(request.unit, request.function, tuple(places))

    def reset(self) -> None:
        """Nothing was learnt."""


def play(conversation: Conversation[T]) -> T:
    try:
        while True:
            next(conversation)
    except StopIteration as end:
        result: T = end.value
        return result


def test_exploring_halves_what_is_refused() -> None:
    device = Device(frozenset({7, 8, 40}))
    recorder = Recorder(device, [])
    found = play(explore(recorder, unit=1, function=3, addresses=range(100), timeout_s=1.0))
    assert found.holes == [(7, 8), (40, 40)]
    words = {request.address + n: word for request, answer in recorder.heard for n, word in enumerate(answer.words)}
    assert words == {n: n for n in range(100) if n not in device.holes}
    assert found.asked == device.asked < 40


def test_a_device_that_never_answers_is_given_up_at_once() -> None:
    device = Device(silent=True)
    with pytest.raises(Unreachable, match="check wiring"):
        play(explore(device, unit=1, function=3, addresses=range(100), timeout_s=1.0))
    assert device.asked == 2


def test_serial_numbers_go() -> None:
    serial = SerialNumber(3, 10, 2)
    settings = ModbusSettings((Register("voltage", 0, "uint16"),), identity=Identity("ACME", serial_number=serial))
    heard = [
        (Request(1, 3, 9, 4), Response(1, 3, (1, 2, 3, 4))),
        (Request(1, 17), Response(1, 17, data=b"\x05\xffACME 123456")),
    ]
    one, other = scrubbed(heard, settings)
    assert one[1].words == (1, 0, 0, 4)
    assert other[1].data == b"\x05\xffACME" + bytes(7)
    common = (0x5375, 0x6E53, 1, 66, *range(1, 67))
    [(_, answer)] = scrubbed([(Request(1, 3, 40000, 70), Response(1, 3, common))], None)
    assert answer.words[52:68] == (0,) * 16 and answer.words[51] and answer.words[68]
    [(_, answer)] = scrubbed([(Request(1, 4, 5, 2), Response(1, 4, (8, 9)))], None, {6})
    assert answer.words == (8, 0)


def test_a_capture_decodes_again_and_proves_the_profile() -> None:
    words = (2301, 1500, 0, 3450, 0, 77, 0, 500, 100)
    heard = [
        (Request(4, 4, 0, 9), Response(4, 4, words)),
        (Request(4, 17), Response(4, 17, exception=1)),
    ]
    text = capture_text(heard, ["a header", "port: serial"]).encode()
    good = [item for item in decode(text, profile=PZEM) if isinstance(item, Decoded)]
    assert good[0].measured.values["voltage"] == 230.1
    assert sum(isinstance(item, Damage) for item in decode(text, profile=PZEM)) == 1
    expected = expected_of(PZEM, text)
    assert expected["errors"] == 1 and prove(PZEM, text, expected).holds
    wrong = {**expected, "readings": [{"values": {**good[0].measured.values, "current": 2.0}}]}
    assert prove(PZEM, text, wrong).differences == ["reading 1: current is 1.5, expected 2.0"]
    odd = capture_text([(Request(4, 4, 0, 9), Response(4, 4, (2301, 1500, 0, 3450, 0, 77, 0, 5000, 100)))], [])
    proof = prove(PZEM, odd.encode())
    assert proof.suspect == ["frequency"] and "frequency is 500 Hz" in proof.findings[0] and not proof.holds
