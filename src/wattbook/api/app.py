"""The application: routes, errors and the guard, put together."""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from wattbook import __version__
from wattbook.api import (
    audit,
    backups,
    configuration,
    describe,
    energy,
    legacy,
    life,
    metrics,
    opening,
    people,
    refused,
    sinks,
    wizard,
)
from wattbook.api.alerts import add_alert_routes
from wattbook.api.answers import Refusal, json_response, readings_response
from wattbook.api.compress import Compress
from wattbook.api.context import ApiContext
from wattbook.api.cost import add_cost_routes
from wattbook.api.gate import Gate
from wattbook.api.guard import Guard
from wattbook.api.ingest import PATH as INGEST_PATH
from wattbook.api.ingest import Ingest
from wattbook.api.meters import all_meters, check_meter, quantities_told, quantity_json, virtual_meters
from wattbook.api.storage import StorageWatch
from wattbook.api.stream import events
from wattbook.api.supply import supply_json
from wattbook.api.who import principal_of
from wattbook.model import WattbookError, quantity

PAGE = Path(__file__).parent / "page"  # made by web/build.py, part of the wheel
_BESIDE_PAGE = {  # what a browser that installs the page asks for at the root
    "icon.svg": "image/svg+xml",
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
    "icon-maskable.png": "image/png",
    "manifest.webmanifest": "application/manifest+json",
    "worker.js": "text/javascript",
}
NAMES_MAX = 200  # of meters or quantities in one request

MeterPath = Annotated[str, PathParameter(description="A meter's name.", examples=["main-a"], max_length=100)]
MeterNames = Annotated[
    list[str] | None, Query(alias="meter", description="Only this meter; may be repeated.", max_length=NAMES_MAX)
]


def make_app(context: ApiContext) -> ASGIApp:
    """The whole application, guarded. Takes half a second to import and make."""
    app = FastAPI(
        title="wattbook",
        version=__version__,
        description=describe.INTRODUCTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # FastAPI's page loads its script from a foreign host; ours is part of the page
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    _add_reading_routes(app, context)
    _add_meter_routes(app, context)
    _add_text_routes(app, context)
    add_alert_routes(app, context)
    wizard.add_routes(app, context)
    configuration.add_routes(app, context)
    app.add_route(INGEST_PATH, Ingest(context).post, methods=["POST"], include_in_schema=False)
    people.add_routes(app, context.access)
    audit.add_routes(app, context)
    refused.add_routes(app, context)
    backups.add_routes(app, context)
    _add_page(app)
    _add_errors(app)
    describe.add_raw_routes(app)
    asks = context.config.api.ask_password
    gate = Gate(Compress(app), context.access, app.router.routes, ask_password=asks)
    return Guard(gate, context.config.api)


def _add_meter_routes(app: FastAPI, context: ApiContext) -> None:
    opening.add_routes(app, context)

    @app.get("/api/v1/meters", **describe.METERS)
    async def meters() -> Response:
        return json_response(all_meters(context))

    @app.get("/api/v1/meters/virtual", **describe.VIRTUAL_METERS)
    async def virtual() -> Response:
        return json_response(virtual_meters(context))

    @app.get("/api/v1/meters/{meter}/life", **describe.LIFE)
    async def get_life(meter: MeterPath) -> Response:
        return await life.get_life(context, meter)

    @app.post("/api/v1/meters/{meter}/life", **describe.CHANGE_LIFE)
    async def post_life(meter: MeterPath, request: Request) -> Response:
        return await life.post_life(context, meter, request)

    @app.get("/api/v1/sinks", **describe.SINKS)
    async def get_sinks() -> Response:
        return await sinks.get_sinks(context)

    @app.post("/api/v1/sinks/{sink}", **describe.CHANGE_SINK)
    async def post_sink(
        sink: Annotated[str, PathParameter(description="A sink's name.", examples=["influx"], max_length=100)],
        request: Request,
    ) -> Response:
        return await sinks.post_sink(context, sink, request)

    @app.get("/api/v1/supply", **describe.SUPPLY)
    async def supply() -> Response:
        return json_response(supply_json(context, context.supply()))

    @app.get("/api/v1/quantities", **describe.QUANTITIES)
    async def quantities(
        name: Annotated[list[str] | None, Query(description="A name; may be repeated.", max_length=NAMES_MAX)] = None,
    ) -> Response:
        return json_response(
            [quantity_json(quantity(each)) for each in name] if name else quantities_told(context.live.latest())
        )


def _add_reading_routes(app: FastAPI, context: ApiContext) -> None:
    @app.get("/api/v1/readings/latest", **describe.LATEST)
    def latest(meters: MeterNames = None) -> Response:
        for name in meters or ():
            check_meter(context, name)
        return readings_response(context.reader.latest(meters, now=context.clock.now()))

    energy.add_routes(app, context)
    add_cost_routes(app, context)

    @app.get("/api/v1/live", **describe.LIVE)
    async def live(request: Request, meters: MeterNames = None) -> Response:
        for name in meters or ():
            check_meter(context, name)
        if context.live.full:
            raise Refusal(503, "too many live streams are open; close some pages", headers={"retry-after": "10"})
        if request.scope.get("wattbook.head"):
            return Response(media_type="text/event-stream")
        stream = people.while_held(
            context.access,
            principal_of(request),
            events(context, meters, request.headers.get("last-event-id", "")),
        )
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def _add_text_routes(app: FastAPI, context: ApiContext) -> None:
    storage = StorageWatch(context)

    @app.get("/api/v1/storage", **describe.STORAGE)
    def get_storage() -> Response:
        return json_response(storage.to_json())

    @app.get("/metrics", **describe.METRICS)
    def metrics_text() -> Response:
        statuses = context.statuses()
        families = [
            metrics.about(__version__, context.config.site.name),
            *metrics.of_meters(statuses),
            *metrics.of_readings(context.live.latest(), statuses),
            *metrics.of_supply(context.supply()),
            *metrics.of_book(context.statistics()),
            *metrics.of_proxies(context.proxies),
            *metrics.of_sinks([sink.status for sink in context.sinks.values()], context.reader.behind),
            *(metrics.of_alerts(context.alerts) if context.alerts else ()),
            *storage.families(),
        ]
        return Response(metrics.expose(families), headers={"content-type": metrics.CONTENT_TYPE})

    if "energy" in context.config.api.legacy:
        meter = context.config.api.energy_meter
        last_good = legacy.LastGood(context.reader, meter)

        @app.get(legacy.ENERGY_PATH, **describe.ENERGY)
        def get_energy() -> Response:
            display = context.config.profiles[meter].display
            return Response(
                legacy.energy(last_good.values(context.clock.now()), display), media_type="application/json"
            )


def _add_page(app: FastAPI) -> None:
    @app.get("/api/v1/docs", include_in_schema=False)
    def docs() -> Response:
        return _page_file("docs.html")

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return _page_file("index.html")

    @app.get("/login", include_in_schema=False)
    def login() -> Response:
        return _page_file("login.html")

    app.mount("/assets", StaticFiles(directory=PAGE / "assets", check_dir=False))

    for name, kind in _BESIDE_PAGE.items():
        app.add_route(f"/{name}", partial(_beside_page, name=name, kind=kind), include_in_schema=False)


async def _beside_page(request: Request, *, name: str, kind: str) -> Response:
    return _page_file(name, kind)


def _page_file(name: str, kind: str = "text/html") -> Response:
    try:
        return Response((PAGE / name).read_bytes(), media_type=kind)
    except FileNotFoundError as error:
        raise Refusal(503, 'the page is not built; run "make web"') from error


def _add_errors(app: FastAPI) -> None:
    known = sorted({route.path for route in app.routes if hasattr(route, "path") and len(route.path) > 1})

    async def refused(request: Request, error: Refusal) -> Response:
        return error.response()

    async def not_allowed(request: Request, error: HTTPException) -> Response:
        message = str(error.detail)
        if error.status_code == 404:
            near = get_close_matches(request.url.path, known, n=1, cutoff=0.6)
            message = f'nothing is at "{request.url.path}"' + (
                f'; did you mean "{near[0]}"?' if near else "; see /api/v1/docs"
            )
        headers = error.headers
        if error.status_code == 405:
            headers = {"allow": _methods(app, request)}
            message = f"{request.method} is not for this address; it takes {headers['allow']}"
        return json_response({"error": message}, status=error.status_code, headers=headers)

    async def wrong_parameters(request: Request, error: RequestValidationError) -> Response:
        return json_response({"error": "; ".join(map(_parameter, error.errors()))}, status=400)

    async def in_words(request: Request, error: WattbookError) -> Response:
        if error.retry:
            return json_response({"error": str(error)}, status=503, headers={"retry-after": "10"})
        return json_response({"error": str(error)}, status=400)

    async def fault(request: Request, error: Exception) -> Response:
        return json_response({"error": "a fault of wattbook itself; its log says more"}, status=500)

    for kind, handler in (
        (Refusal, refused), (HTTPException, not_allowed), (RequestValidationError, wrong_parameters),
        (WattbookError, in_words), (Exception, fault),
    ):  # fmt: skip
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # starlette's type allows Exception only


def _methods(app: FastAPI, request: Request) -> str:
    """What an address takes: each of its methods is a route of its own, and starlette tells the first one's alone."""
    routes = [route for route in app.router.routes if route.matches(request.scope)[0] is not Match.NONE]
    same = [route for route in routes if getattr(route, "path", "") == getattr(routes[0], "path", "")]
    return ", ".join(sorted({method for route in same for method in getattr(route, "methods", None) or ()}))


def _parameter(problem: dict[str, Any]) -> str:
    name = problem["loc"][-1]
    return f'"{name}" is missing' if problem["type"] == "missing" else f'"{name}": {problem["msg"]}'
