"""The blocking player on a virtual line: silence, early ends, few wake-ups, progress, stop."""

from __future__ import annotations

import pytest

from wattbook.codecs.conversation import Conversation, Pause, Receive, Send, SetBaud, exactly, until
from wattbook.codecs.modbus import Request, Response, encode_request, encode_response, frame_silence_s
from wattbook.codecs.modbus_ask import Rtu
from wattbook.model.errors import Garbled, Refused, Unreachable
from wattbook.transports.pace import Stopped
from wattbook.transports.play import Player
from wattbook.transports.replay import Exchange, Replay

CHARACTER_S = 10 / 9600
SILENCE_S = 3.5 * CHARACTER_S
ASK = Request(4, 4, 0, 9)
GOOD = encode_response(Response(4, 4, tuple(range(9))))
REFUSAL = encode_response(Response(4, 4, exception=2))


def player(*dialogue: Exchange, **settings: object) -> tuple[Player, Replay]:
    line = Replay(dialogue)
    return Player(line, framed=True, pace=line.pace(), **settings), line  # type: ignore[arg-type]


def asked(answer: bytes, after_s: float = 0.0) -> Exchange:
    return Exchange(encode_request(ASK), answer, after_s)


def test_silence_is_counted_from_the_last_byte() -> None:
    play, line = player(*[asked(GOOD, 0.004)] * 40)
    rtu = Rtu()
    for _ in range(40):
        play.play(rtu.exchange(ASK, 0.1))
    poll_s = [later - earlier for (earlier, _), (later, _) in zip(line.written, line.written[1:], strict=False)]
    least_s = (8 + len(GOOD)) * CHARACTER_S + 0.004 + SILENCE_S
    assert min(poll_s) >= least_s - 1e-9
    assert max(poll_s) <= least_s + CHARACTER_S  # an early look may be a character too early, never two late
    settled = [s for n, s in enumerate(poll_s[5:], 5) if n % 16]
    assert max(settled) <= least_s + 0.0002


def test_the_player_wakes_twice_a_poll() -> None:
    play, line = player(*[asked(GOOD, SILENCE_S)] * 100)
    rtu = Rtu()
    for _ in range(100):
        play.play(rtu.exchange(ASK, 0.1))
    assert line.sleeps <= 2.3 * 100


@pytest.mark.parametrize("character_s", [10 / 9600, 10 / 19200, 10 / 115200])
def test_silence_between_frames(character_s: float) -> None:
    assert frame_silence_s(character_s) == max(3.5 * character_s, 0.00175)


def test_a_first_exception_ends_early() -> None:
    play, line = player(asked(REFUSAL))
    began = line.now
    with pytest.raises(Refused):
        play.play(Rtu().exchange(ASK, 0.5))
    assert line.now - began <= (8 + 5 + 1) * CHARACTER_S


def test_silence_ends_at_the_time_out() -> None:
    play, line = player(asked(b""))
    began = line.now
    with pytest.raises(Unreachable):
        play.play(Rtu().exchange(ASK, 0.1))
    assert line.now - began == pytest.approx(8 * CHARACTER_S + 0.1, abs=0.001)


def test_a_cut_answer_ends_after_its_gap() -> None:
    play, line = player(asked(GOOD[:10]))
    began = line.now
    with pytest.raises(Garbled, match="cut"):
        play.play(Rtu().exchange(ASK, 0.5))
    assert line.now - began < (8 + 23) * CHARACTER_S + 0.2


def test_late_noise_is_dropped_and_silence_begins_again() -> None:
    """A slave that answers after the time-out must not be taken for the next one, nor be interrupted."""
    late = Exchange(encode_request(ASK), GOOD, 0.12)
    play, line = player(late, asked(GOOD))
    with pytest.raises(Unreachable):
        play.play(Rtu().exchange(ASK, 0.1))
    line.now += 0.03
    play.play(Rtu().exchange(ASK, 0.1))
    spoken_until = line.written[0][0] + (8 + len(GOOD)) * CHARACTER_S + 0.12
    assert line.written[1][0] >= spoken_until + SILENCE_S


def talk(*steps: Send | Receive | SetBaud | Pause) -> Conversation[list[bytes]]:
    heard = []
    for step in steps:
        answer = yield step
        if isinstance(step, Receive):
            heard.append(answer)
    return heard


def test_speed_changes_when_the_request_has_left_and_progress_is_told() -> None:
    sizes: list[int] = []
    line = Replay([Exchange(b"/?!\r\n", b"x" * 59 + b"!"), Exchange(b"\x06", b"!")], character_s=10 / 300)
    play = Player(line, heard=sizes.append, pace=line.pace())
    heard = play.play(
        talk(
            Send(b"/?!\r\n"),
            Receive(until(b"!"), 1.5),
            Pause(0.2),
            Send(b"\x06"),
            SetBaud(9600),
            Receive(exactly(1), 1),
        )
    )
    assert heard == [b"x" * 59 + b"!", b"!"]
    assert line.bauds == [9600]
    assert sizes[-2:] == [60, 1]
    assert len(sizes) >= 8  # a readout shows where it is at least every 0.2 s
    first, second = (at for at, _ in line.written)
    assert second >= first + 65 * 10 / 300 + 0.2  # the reaction time, after the last byte


def test_a_stop_ends_a_readout_within_a_second() -> None:
    line = Replay([Exchange(b"?", b"x" * 600)], character_s=10 / 300)
    end = line.now + 5
    pace = line.pace()
    pace.stopped = lambda: line.now > end
    with pytest.raises(Stopped):
        Player(line, pace=pace).play(talk(Send(b"?"), Receive(exactly(600), 1.5)))
    assert line.now - end < 0.5


def test_the_slowest_answer_of_a_conversation_is_what_it_takes() -> None:
    """Else a meter that thinks long over one command, and not over the last one, would be given up each time."""
    line = Replay([Exchange(b"a", b"x", 0.3), Exchange(b"b", b"x", 0.01), Exchange(b"b", b"x", 0.01)])
    play = Player(line, pace=line.pace())
    ask = [Send(b"a"), Receive(exactly(1), 1.0), Send(b"b"), Receive(exactly(1), 1.0)]
    play.play(talk(*ask))
    assert 0.3 <= play.first_byte_s < 0.31
    play.play(talk(*ask[2:]))
    assert play.first_byte_s < 0.02


def test_what_is_kept_of_a_talkative_line_is_bounded() -> None:
    line = Replay([Exchange(b"?", b"x" * 5000)])
    [heard] = Player(line, pace=line.pace()).play(talk(Send(b"?"), Receive(until(b"!"), 0.5, size_max=1000)))
    assert 1000 <= len(heard) < 1300


def test_a_line_that_never_is_silent_is_given_up() -> None:
    line = Replay([Exchange(b"?", b"x" * 5000)])
    play = Player(line, framed=True, pace=line.pace())
    play.play(talk(Send(b"?"), Receive(exactly(1), 0.5)))
    with pytest.raises(Garbled, match="without a pause"):
        play.play(talk(Send(b"?")))
