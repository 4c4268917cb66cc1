"""IEC 62056-21 (IEC 1107, "D0"): the dialogue through the optical head, modes A, B and C.

    > /?!                     sign-on, with an address or without
    < /LGZ4ZMF100AC.M26       identification; the fourth character offers a speed
    > ACK 0 4 0               mode C: this speed, a readout; both sides change speed
    < STX ... ! CR LF ETX BCC

In mode B the meter changes speed by itself, in mode A nobody does. Mode D, where the meter speaks first, is in `dsmr`.
"""

from __future__ import annotations

import re

from wattbook.codecs.conversation import Conversation, Pause, Receive, Send, SetBaud
from wattbook.codecs.iec_block import ACK, NAK, SOH, Block, block_check, encode_block, missing_of_block, parse_block
from wattbook.codecs.iec_text import IDENTIFICATION, Identification, parse_identification
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Telegram
from wattbook.model import ConfigError, Garbled, Refused, Unreachable
from wattbook.profiles.profile import IecSettings

__all__ = ["BAUDS", "BAUDS_B", "block_check", "encode_block", "encode_identification", "read_out"]

BAUDS = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}  # mode C
BAUDS_B = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}  # mode B
REACTION_SWIFT_S = 0.02  # of meters with a lower-case third letter
REACTION_MAX_S = 2.2  # the standard's 1.5 s for the first character, and the slack it gives the other side's timer
CHARACTER_MAX_S = 1.5  # the standard's longest silence inside a message
WAKE_PAUSE_S = 1.6  # 1.5 to 1.7 s between the wake-up characters and the sign-on
BLOCKS_MAX = 64  # partial blocks of one readout; the longest known has five
REPEATS_MAX = 2  # of one damaged partial block

_ADDRESS = re.compile(r"[0-9A-Za-z ]{0,32}")
_REFUSAL = re.compile(r"\(?(ER[A-Z0-9]*|ERROR.*)\)?", re.IGNORECASE)
_BREAK = SOH + b"B0\x03q"


def read_out(settings: IecSettings, address: str = "", *, baud: int = 300) -> Conversation[Telegram]:
    """Read a meter out, starting at `baud` whatever the line's speed is now.

    Raises Unreachable for silence, Garbled for damage, Refused for a meter that says no, ConfigError for an address
    that cannot be sent.
    """
    if not _ADDRESS.fullmatch(address):
        raise ConfigError(f'"{address}" is no address of an IEC 62056-21 meter: up to 32 letters and digits')
    yield SetBaud(baud)
    if settings.wake_nuls:
        yield Send(bytes(settings.wake_nuls))
        yield Pause(WAKE_PAUSE_S)
    identification, rest = yield from _sign_on(address)
    yield from _agree(settings, identification)
    data_sets, checked = yield from _blocks(settings, rest)
    return Telegram(data_sets, identification.maker, identification.name, checked=checked)


def _sign_on(address: str) -> Conversation[tuple[Identification, bytes]]:
    """Return how the meter introduces itself, and what was heard after it."""
    yield Send(f"/?{address}!\r\n".encode("ascii"))
    heard = yield Receive(lambda heard: 0 if _complete(heard) else 1, REACTION_MAX_S, gap_s=REACTION_MAX_S)
    match = _complete(heard)
    if match is not None:
        return parse_identification(match[0]), heard[match.end() :]
    if _complete(bytes(byte & 0x7F for byte in heard)):
        raise Garbled("the characters come with their parity bit; the line must be 7 bits, even parity")
    # A head that returns our own light is not an answer.
    answer = heard.replace(f"/?{address}!".encode("ascii"), b"").strip(b"\r\n\0\x7f")
    if not answer:
        raise Unreachable(f"no answer to the sign-on{f' of {address}' if address else ''}; is the head on the meter?")
    raise Garbled(f"no identification in {len(answer)} bytes: {answer[:40]!r}", offset=heard.find(answer[:1]))


def _complete(heard: bytes) -> re.Match[bytes] | None:
    return IDENTIFICATION.search(heard)


def _agree(settings: IecSettings, identification: Identification) -> Conversation[None]:
    """Say or follow the speed of the data."""
    speed = identification.speed
    if settings.mode == "C" and speed in BAUDS:
        chosen = speed if BAUDS[speed] <= settings.baud_max else "0"
        yield Pause(REACTION_SWIFT_S if identification.swift else settings.reaction_s)
        yield Send(ACK + f"0{chosen}0\r\n".encode("ascii"))
        if chosen != "0":
            yield SetBaud(BAUDS[chosen])
    elif settings.mode in ("B", "C") and speed in BAUDS_B:
        yield SetBaud(BAUDS_B[speed])


def _blocks(settings: IecSettings, heard: bytes) -> Conversation[tuple[tuple[DataSet, ...], bool]]:
    """Receive the data, which may come in several blocks that are acknowledged one by one."""
    data_sets: tuple[DataSet, ...] = ()
    repeats = 0
    for number in range(BLOCKS_MAX):
        heard = yield from _listen(heard)
        try:
            block = parse_block(heard, settings.check, first=number == 0)
        except Garbled:
            # Only a partial block may be asked for again: after the last one the meter is gone.
            if b"\x04" not in heard or repeats == REPEATS_MAX:
                raise
            repeats += 1
            yield Send(NAK)
        else:
            data_sets += block.data_sets
            if not block.partial:
                _check_refusal(block)
                return data_sets, block.checked
            repeats = 0
            yield Send(ACK)
        heard = b""
    raise Garbled(f"the readout has more than {BLOCKS_MAX} blocks")


def _listen(before: bytes) -> Conversation[bytes]:
    def missing(heard: bytes) -> int:
        if NAK in heard[:1] or _BREAK in heard:
            return 0
        return missing_of_block(before + heard)

    heard = before
    if missing(b""):
        heard += yield Receive(missing, REACTION_MAX_S, gap_s=CHARACTER_MAX_S)
    if not heard.strip(b"\r\n\0\x7f"):
        raise Unreachable("the meter introduced itself and sent no data; baud_max = 300 keeps the head's speed")
    if heard.startswith(NAK) or _BREAK in heard:
        raise Refused("the meter broke the readout off")
    return heard


def _check_refusal(block: Block) -> None:
    if len(block.data_sets) == 1 and _REFUSAL.fullmatch(block.data_sets[0].text):
        raise Refused(f"the meter says {block.data_sets[0].text}")


def encode_identification(identification: str) -> bytes:
    """The line a meter introduces itself with: "LGZ4ZMF100AC.M26" -> b"/LGZ4ZMF100AC.M26\\r\\n"."""
    line = f"/{identification}\r\n".encode("ascii")
    parse_identification(line)  # a simulated meter must not say what the reader would not know
    return line
