"""/api/v1/wizard: find a meter, read it once, and write it into wattbook.toml; comments there stay.

Everything here is plain text and numbers: no path, no secret and no reference to one can be written from a browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from wattbook.api import describe_wizard as describe
from wattbook.api.answers import Refusal, json_response
from wattbook.api.context import ApiContext
from wattbook.api.orders import typed_order_of
from wattbook.api.who import actor_of
from wattbook.config import Edit, NotRight, Piece, append, pieces_text, present
from wattbook.engine.draft import Names, new_line
from wattbook.engine.once import read_in_turn, read_once
from wattbook.engine.scan import Found, shown_settings
from wattbook.engine.survey import Survey, check_port, ports_of
from wattbook.engine.take_turns import SharedLine
from wattbook.model import ConfigError, MeterError, Reading, quantity
from wattbook.profiles import Profile, SerialSettings
from wattbook.transports.ports import scheme_of, shown


class ScanOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Begin a scan, or stop the one that goes on."""

    do: Literal["start", "stop"]
    port: str = ""
    thorough: bool = False


class Device(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where a meter is asked, and as what. Settings of 0 or "" are the model's."""

    port: str = ""
    model: str
    address: int | str | None = None
    baud: int = 0
    parity: Literal["", "none", "even", "odd"] = ""
    stopbits: Literal[0, 1, 2] = 0


class NewMeter(Device, forbid_unknown_fields=True, kw_only=True):
    """A meter to write down: at a port, on a line that stands in the file, or fed by push."""

    name: str
    line: str = ""
    serial: str = ""
    location: str = ""
    every: str = ""
    source: str = ""


@dataclass
class Wizard:
    """One scan at a time."""

    context: ApiContext
    survey: Survey | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self) -> Response:
        """What there is to choose from."""
        config = self.context.config
        ports = await asyncio.to_thread(ports_of, config, self.context.shared)
        models = await asyncio.to_thread(list, config.library)
        return json_response(
            {
                "ports": [{"port": each.port, "line": each.line, "settings": each.settings} for each in ports],
                "lines": [{"name": line.name, "port": shown(line.port)} for line in config.lines],
                "models": [{"name": one.name, "title": one.title, "protocol": one.protocol} for one in models],
                "scan": self._survey_json(),
            }
        )

    async def get_scan(self) -> Response:
        """How far the scan is, and what it found."""
        return json_response(self._survey_json())

    async def post_scan(self, request: Request) -> Response:
        """Begin a scan, or stop it."""
        order = await typed_order_of(request, ScanOrder)
        running = self.survey if self.survey and self.survey.state == "running" else None
        if order.do == "stop":
            if running:
                await asyncio.to_thread(running.stop)
            return json_response(self._survey_json())
        if running:
            raise Refusal(409, f"{shown(running.port)} is being scanned; stop that first")
        shared = await self._line_at(order.port)
        library = await asyncio.to_thread(list, self.context.config.library)
        self.survey = Survey(order.port, library, thorough=order.thorough, shared=shared)
        self.survey.start()
        return json_response(self._survey_json(), status=202)

    async def post_test(self, request: Request) -> Response:
        """One reading of a meter that is not written down yet."""
        device = await typed_order_of(request, Device)
        profile = self.context.config.library.get(device.model)
        shared = await self._line_at(device.port)
        if self._asking.locked() or (self.survey and self.survey.state == "running"):
            raise Refusal(409, "a line is being asked already; wait for it, or stop the scan")
        async with self._asking:
            try:
                reading = await asyncio.to_thread(self._read, device, profile, shared)
            except MeterError as error:
                raise Refusal(409, str(error)) from error
        return json_response(_reading_json(reading))

    async def _line_at(self, port: str) -> SharedLine | None:
        """The line that is to be asked between its polls; None: the port is free. Raises ConfigError."""
        ports = await asyncio.to_thread(ports_of, self.context.config, self.context.shared)
        check_port(port, [each.port for each in ports])
        return self.context.shared(port)

    def _read(self, device: Device, profile: Profile, shared: SharedLine | None) -> Reading:
        """Ask a meter once. Blocks. Raises MeterError or ConfigError."""
        settings, clock = _settings(device, profile.serial), self.context.clock
        if shared is None:
            return read_once(device.port, replace(profile, serial=settings), device.address, clock=clock)
        if device.baud and (settings.baud, settings.parity) != (shared.settings.baud, shared.settings.parity):
            raise ConfigError(
                f'baud: line "{shared.name}" is in use at {shown_settings(shared.settings)}; others cannot be tried'
            )
        return read_in_turn(shared, profile, device.address, clock=clock)

    async def post_meter(self, request: Request) -> Response:
        """Write a meter down, and its line where that is new."""
        meter = await typed_order_of(request, NewMeter)
        config = self.context.config
        if meter.port and (shared := await self._line_at(meter.port)):
            meter = msgspec.structs.replace(meter, port="", line=shared.name)
        try:
            written, used = await self._written(meter, actor_of(request))
        except NotRight as error:
            return json_response({"error": str(error), "fields": dict(error.fields)}, status=400)
        return json_response({"written": written, "file": config.path.name, "restart": not used}, status=201)

    async def _written(self, meter: NewMeter, actor: str) -> tuple[str, bool]:
        """Append; return what was appended, and whether it is used already. Raises ConfigError."""
        path, configuring = self.context.config.path, self.context.configuring

        def write() -> str:
            pieces = _pieces(meter, Names.of(present(path)))
            append(path, pieces, before=lambda: record(pieces))
            return pieces_text(pieces)

        def record(pieces: Sequence[Piece]) -> None:
            if configuring is not None:
                for piece in pieces:
                    configuring.record(Edit("add", piece.table, piece.keys), actor)

        if configuring is None:
            return await asyncio.to_thread(write), False
        return await configuring.write(write)

    def _survey_json(self) -> Mapping[str, Any] | None:
        survey = self.survey
        if survey is None:
            return None
        config = self.context.config
        lines = {line.port: line.name for line in config.lines if line.port}
        taken = {(each.line, each.address): each.name for each in config.meters}
        return {
            "port": shown(survey.port),
            "line": survey.shared.name if survey.shared else "",
            "settings": shown_settings(survey.shared.settings) if survey.shared else "",
            "state": survey.state,
            "error": survey.error,
            "done_s": round(survey.progress.done_s, 1),
            "total_s": round(survey.progress.total_s, 1),
            "doing": survey.progress.doing,
            "found": [
                {**_found_json(one), "meter": taken.get((lines.get(one.port, ""), one.unit), "")}
                for one in list(survey.outcome.found)
            ],
            "remarks": list(survey.outcome.remarks),
        }


def _pieces(meter: NewMeter, names: Names) -> Sequence[Piece]:
    """The tables to append: the line only where the port has none yet."""
    pieces, line = [], meter.line
    if meter.port:
        known = names.by_port.get(meter.port)
        if known is None:
            settings = _settings(meter, SerialSettings()) if meter.baud and not _networked(meter.port) else None
            pieces.append(new_line(meter.port, settings, names))
        line = known.name if known else str(pieces[0].keys["name"])
    keys: dict[str, str | int] = {"name": meter.name, "model": meter.model}
    if meter.address is not None:
        keys["address"] = meter.address
    told = {"location": meter.location, "line": line, "serial": meter.serial, "every": meter.every}
    keys |= {key: text for key, text in {**told, "source": meter.source}.items() if text}
    return [*pieces, Piece("meter", keys)]


def _networked(port: str) -> bool:
    return scheme_of(port) in ("tcp", "rtu+tcp")


def _settings(device: Device, model: SerialSettings) -> SerialSettings:
    return replace(
        model,
        baud=device.baud or model.baud,
        parity=device.parity or model.parity,
        stopbits=device.stopbits or model.stopbits,
    )


def _found_json(found: Found) -> Mapping[str, Any]:
    who, settings = found.who, found.settings
    return {
        "address": found.unit,
        "baud": settings.baud if settings else 0,
        "parity": settings.parity if settings else "",
        "stopbits": settings.stopbits if settings else 0,
        "model": who.model.name if who.model else "",
        "title": who.model.title if who.model else "",
        "certain": who.certain,
        "also": list(who.also),
        "serial": who.serial_number,
        "values": _values_json(who.measured.values),
    }


def _reading_json(reading: Reading) -> Mapping[str, Any]:
    doubted = [name for name in reading.values if name not in dict(reading.good_values())]
    return {"values": _values_json(reading.values), "doubted": doubted}


def _values_json(values: Mapping[str, float]) -> Sequence[Mapping[str, Any]]:
    known = [(quantity(name), value) for name, value in values.items()]
    return [{"name": one.name, "title": one.title, "unit": one.unit, "value": value} for one, value in known]


def add_routes(app: FastAPI, context: ApiContext) -> None:
    """Hook the wizard in."""
    wizard = Wizard(context)

    @app.get("/api/v1/wizard", **describe.WIZARD)
    async def get_wizard() -> Response:
        return await wizard.get()

    @app.get("/api/v1/wizard/scan", **describe.SCAN)
    async def get_scan() -> Response:
        return await wizard.get_scan()

    @app.post("/api/v1/wizard/scan", **describe.START_SCAN)
    async def post_scan(request: Request) -> Response:
        return await wizard.post_scan(request)

    @app.post("/api/v1/wizard/test", **describe.TEST)
    async def post_test(request: Request) -> Response:
        return await wizard.post_test(request)

    @app.post("/api/v1/wizard/meter", **describe.ADD_METER)
    async def post_meter(request: Request) -> Response:
        return await wizard.post_meter(request)
