"""POST /api/v1/readings: readings sent to us, answered when they are durable."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from wattbook.api.answers import Refusal, json_response
from wattbook.api.context import ApiContext
from wattbook.api.guard import BODY_MAX_OF
from wattbook.api.orders import UNSAID, media_type
from wattbook.codecs import plain_table, reading_json
from wattbook.model import Kept, Reading, Readings
from wattbook.model.clock import latest_believed
from wattbook.model.era import ERA, ERA_SAID
from wattbook.model.nearest import did_you_mean

PATH = "/api/v1/readings"
SIZE_MAX = BODY_MAX_OF[PATH]  # also of what a compressed body becomes
HELD_MAX = 64_000_000  # bytes of all bodies in work at once, unpacked ones too; more are asked to come again
INLINE_MAX = 256_000  # bytes decoded on the loop, in under 10 ms; larger bodies go to a thread
KEEP_MAX = 10_000  # readings for one commit, so that one sender's day does not hold up the others' second

_Decode = Callable[[bytes], Sequence[Reading]]
_FORMATS: dict[str, _Decode] = {
    "application/json": reading_json.decode_columns,
    "application/x-ndjson": reading_json.decode_columns,
    **dict.fromkeys(UNSAID, reading_json.decode_columns),
    "text/csv": plain_table.decode,
}


class Ingest:
    """Takes bodies of readings."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._pushed = frozenset(
            name
            for name, meter in context.meters.items()
            if not meter.line and context.config.profiles[name].protocol != "host"
        )
        self._held = 0

    async def post(self, request: Request) -> Response:
        """Answer {"new", "same", "conflicts"} after the commit; a body with one bad row is refused whole.

        `?history=1`: readings of the past, as `wattbook import` sends them, also of meters that are on a line now.
        """
        told = request.query_params.get("history", "0")
        if told not in ("0", "1"):
            raise Refusal(400, "history is 0 or 1")
        history = told == "1"
        decode, unpack = _format_of(request)
        body, held = bytearray(), 0
        try:
            async for chunk in request.stream():
                held += self._hold(len(chunk))
                body += chunk
            content = bytes(body)
            if unpack:
                content = await asyncio.to_thread(_unpacked, content)
                held += self._hold(len(content))
            return await self._take(content, decode, history=history)
        except ClientDisconnect:
            raise Refusal(400, "the body ended before its end") from None
        finally:
            self._held -= held

    def _hold(self, size: int) -> int:
        """Count bytes that are held from now on, and return them."""
        if self._held + size > HELD_MAX:
            raise Refusal(503, "too many large bodies at once; send it again", headers={"retry-after": "1"})
        self._held += size
        return size

    async def _take(self, body: bytes, decode: _Decode, *, history: bool) -> Response:
        def read() -> Readings:
            readings = Readings.of(decode(body))
            return self._checked(readings, self._context.meters.keys() if history else self._pushed)

        readings = await asyncio.to_thread(read) if len(body) > INLINE_MAX else read()
        new = same = conflicts = 0
        for first in range(0, len(readings), KEEP_MAX):
            kept = await self._keep(readings[first : first + KEEP_MAX], history=history)
            new, same, conflicts = new + kept.new, same + kept.same, conflicts + kept.conflicts
        return json_response({"new": new, "same": same, "conflicts": conflicts})

    async def _keep(self, readings: Readings, *, history: bool) -> Kept:
        kept = await self._context.keeper.keep(readings)
        if not history:  # which says nothing about who is heard now
            self._note(readings)
        return kept

    def _note(self, readings: Readings) -> None:
        """Say which meters were heard, as a line does for its meters."""
        counts = Counter(readings.meter)
        for (_, meter), place in readings.newest().items():
            self._context.heard(meter, readings.at[place], counts[meter])

    def _checked(self, readings: Readings, meters: Set[str]) -> Readings:
        """The readings as the book's own, or Refusal: only of these `meters` may they be, and of a time that can be."""
        for name in set(readings.meter) - meters:
            raise self._not_pushed(name)
        own = self._context.config.site.name
        for site in set(readings.site) - {""}:
            if site != own:
                raise Refusal(404, f'this book is of site "{own}", not of "{site}"')
            readings = replace(readings, site=[""] * len(readings))
        now = self._context.clock.now()
        oldest, newest = min(readings.at, default=now), max(readings.at, default=now)
        if oldest < ERA.start:
            row = readings.at.index(oldest) + 1
            raise Refusal(
                400, f"reading {row}: {oldest.isoformat()} is of no year {ERA_SAID}; check the clock it is from"
            )
        if newest > latest_believed(now):
            raise Refusal(400, f"{newest.isoformat()} is more than a day ahead of this machine's clock; check both")
        return readings

    def _not_pushed(self, name: str) -> Refusal:
        settings = self._context.meters.get(name)
        if settings is not None:
            where = f'on line "{settings.line}"' if settings.line else "by wattbook itself"
            return Refusal(409, f'"{name}" is read {where}; only meters without a line may be sent')
        near = did_you_mean(name, self._pushed)
        return Refusal(404, f'no meter is called "{name}"{near}; a meter that is sent stands in wattbook.toml first')


def _format_of(request: Request) -> tuple[_Decode, bool]:
    """How to decode the body, and whether it is compressed."""
    kind = media_type(request)
    decode = _FORMATS.get(kind)
    if decode is None:
        raise Refusal(
            415, f'content type "{kind}" is not known; send application/json, application/x-ndjson or text/csv'
        )
    encoding = request.headers.get("content-encoding", "identity").strip().casefold()
    if encoding not in ("identity", "gzip"):
        raise Refusal(415, f'content encoding "{encoding}" is not known; send gzip or nothing')
    return decode, encoding == "gzip"


def _unpacked(body: bytes) -> bytes:
    """The content of a gzip body, bounded: a few bytes may promise gigabytes."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unpacker.decompress(body, SIZE_MAX + 1)
    except zlib.error as error:
        raise Refusal(400, f"the body is not gzip: {error}") from error
    if len(content) > SIZE_MAX:
        raise Refusal(413, f"the body unpacks to more than {SIZE_MAX} bytes; send it in parts")
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(400, "the gzip body is cut off or has bytes after its end; send one whole gzip stream")
    return content
