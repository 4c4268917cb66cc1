"""What was asked and answered, kept to be written down as a capture: without serial numbers, with right CRCs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.modbus import REPORT_ID, Request, Response, encode_request, encode_response
from wattbook.codecs.modbus_ask import Framing
from wattbook.codecs.sunspec import serial_places
from wattbook.model.errors import Refused
from wattbook.profiles.profile import ModbusSettings

Exchange = tuple[Request, Response]
_REPORT_HEAD = 2  # id and run indicator, before the maker's text


@dataclass(slots=True)
class Recorder:
    """A framing that remembers every exchange that had an answer, exceptions among them."""

    framing: Framing
    heard: list[Exchange]

    def exchange(self, request: Request, timeout_s: float) -> Conversation[Response]:
        """Ask through the real framing."""
        try:
            response = yield from self.framing.exchange(request, timeout_s)
        except Refused as error:
            self.heard.append((request, Response(request.unit, request.function, exception=error.code)))
            raise
        self.heard.append((request, response))
        return response

    def reset(self) -> None:
        """Forget the line, not what was heard."""
        self.framing.reset()


def scrubbed(heard: Sequence[Exchange], settings: ModbusSettings | None, zero: Collection[int] = ()) -> list[Exchange]:
    """The same exchanges with zeros where a serial number stands: the profile's, SunSpec's, and `zero` addresses.

    Of function 17 the id, the run indicator and the model's own name stay; the rest is made zero.
    """
    words = {request.address + n: word for request, response in heard for n, word in enumerate(response.words)}
    places = {*zero, *serial_places(words)}
    known = ""
    if settings is not None:
        known = settings.identity.report_id
        if serial := settings.identity.serial_number:
            places |= set(range(serial.address, serial.address + serial.count))
    return [(request, _without(request, response, places, known)) for request, response in heard]


def _without(request: Request, response: Response, places: Collection[int], known: str) -> Response:
    if request.function == REPORT_ID and response.data:
        return replace(response, data=_report(response.data, known.encode("latin-1", "replace")))
    words = tuple(0 if request.address + n in places else word for n, word in enumerate(response.words))
    return replace(response, words=words)


def _report(data: bytes, known: bytes) -> bytes:
    at = data.find(known, _REPORT_HEAD) if known else -1
    if at < 0:
        return data[:_REPORT_HEAD] + bytes(len(data) - _REPORT_HEAD) if len(data) > _REPORT_HEAD else data
    blank = data[:_REPORT_HEAD] + bytes(len(data) - _REPORT_HEAD)
    return blank[:at] + known + blank[at + len(known) :]


def capture_text(heard: Iterable[Exchange], header: Iterable[str]) -> str:
    """A capture as `wattbook decode` reads it: comments, then `>` requests and `<` answers as frames of a line."""
    lines = [f"# {line}" for line in header]
    for request, response in heard:
        lines += [f"> {encode_request(request).hex(' ')}", f"< {encode_response(response).hex(' ')}"]
    return "\n".join(lines) + "\n"
