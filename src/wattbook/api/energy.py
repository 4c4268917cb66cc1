"""/api/v1/query as JSON and as a table, and /api/v1/hours: what was used, where, when and from which source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from wattbook.api import describe
from wattbook.api.answers import Refusal, instant_text, json_response
from wattbook.api.context import ApiContext
from wattbook.engine.answer import Answer
from wattbook.engine.ask import ask
from wattbook.engine.asked import NotThere
from wattbook.engine.hours import PlaceWeek, weeks_of
from wattbook.engine.instants import parse_instant
from wattbook.engine.query import Question
from wattbook.engine.tabulate import Row, label, table_rows
from wattbook.model import ConfigError, Span

NAMES_MAX = 200  # of meters or locations in one request
TABLE_VALUES_MAX = 20_000  # two years of hours: 0.3 s to write; a longer table is the command's

Names = Annotated[list[str] | None, Field(max_length=NAMES_MAX)]


class Asked(BaseModel):
    """The parameters of a question."""

    name: str = Field(
        alias="quantity", description="A name of the vocabulary.", max_length=100, examples=["active_energy_import"]
    )
    meters: Names = Field(None, alias="meter", description=describe.METER, examples=[["main-a"]])
    locations: Names = Field(None, alias="location", description=describe.LOCATION)
    start: str = Field("today", alias="from", description=describe.INSTANT, max_length=100)
    end: str = Field("now", alias="to", description="An instant, not included.", max_length=100)
    every: str = Field("", description=describe.EVERY, max_length=20, examples=["1h"])
    aggregate: str = Field("mean", description="Of gauges: mean, min, max or last.", max_length=20)
    together: bool = Field(False, alias="sum", description="Add all of them up.")
    by: str = Field("", description=describe.BY, max_length=20)
    points: int | None = Field(None, description=describe.POINTS)

    def question(self, context: ApiContext) -> Question:
        """What is meant by them here and now. Raises ConfigError or UnknownQuantity."""
        return Question.parse(
            meters=[each for each in self.meters or () if each],
            quantity=self.name,
            start=whole_offset(self.start),
            end=whole_offset(self.end),
            zone=context.config.site.timezone,
            now=context.clock.now(),
            locations=[each for each in self.locations or () if each],
            every=self.every,
            aggregate=self.aggregate,
            together=self.together,
            by=self.by,
            points=self.points,
        )


class AskedJson(Asked):
    """And of how the answer is told."""

    columns: bool = Field(False, description=describe.COLUMNS)


class AskedTable(Asked):
    """And of the file that tells the answer."""

    form: Literal["csv", "xlsx"] = Field("csv", alias="format", description="csv or xlsx.")


def add_routes(app: FastAPI, context: ApiContext) -> None:
    """Add these addresses."""

    def query(asked: Annotated[AskedJson, Query()]) -> Response:
        question = asked.question(context)
        answers = [answer.to_json(columns=asked.columns) for answer in _ask(context, question)]
        body = b"[" + b",".join(answers) + b"]" if question.several else answers[0]
        return Response(body, media_type="application/json")

    def table(asked: Annotated[AskedTable, Query()]) -> Response:
        question = asked.question(context)
        return _table(_ask(context, question), asked.form, question)

    def hours(
        location: Annotated[str, Query(description=describe.BELOW, max_length=200)] = "/",
        quantity: Annotated[str, Query(description="An active energy.", max_length=100)] = "active_energy_import",
        start: Annotated[str, Query(alias="from", description=describe.INSTANT, max_length=100)] = "-28d",
        end: Annotated[str, Query(alias="to", description="An instant, not included.", max_length=100)] = "now",
    ) -> Response:
        zone, now = context.config.site.timezone, context.clock.now()
        begin, stop = (parse_instant(whole_offset(each), zone=zone, now=now) for each in (start, end))
        if stop < begin:
            raise ConfigError(f'"{end}" lies before "{start}"')
        span = Span(begin, stop)
        try:
            places = weeks_of(context.reader, context.config, quantity, span, location)
        except NotThere as error:
            raise Refusal(404, str(error)) from error
        head = {"quantity": quantity, "unit": "Wh", "from": instant_text(begin), "to": instant_text(stop)}
        return json_response(head | {"places": [_place_json(each) for each in places]})

    app.get("/api/v1/query", **describe.QUERY)(query)
    app.get("/api/v1/query/table", **describe.TABLE)(table)
    app.get("/api/v1/hours", **describe.HOURS)(hours)


def _ask(context: ApiContext, question: Question) -> Sequence[Answer]:
    try:
        return ask(context.reader, question, context.config)
    except NotThere as error:
        raise Refusal(404, str(error)) from error


def whole_offset(instant: str) -> str:
    """An instant whose "+02:00" was not encoded in the address arrives as " 02:00"; no other blank is that late."""
    date, blank, offset = instant.rpartition(" ")
    return f"{date}+{offset}" if blank and "T" in date else instant


def _table(answers: Sequence[Answer], form: str, question: Question) -> Response:
    if sum(len(answer.series) for answer in answers) > TABLE_VALUES_MAX:
        raise ConfigError(
            f"more than {TABLE_VALUES_MAX} values; choose longer steps or a shorter time, or use `wattbook query --csv`"
        )
    unit = answers[0].quantity.unit
    titles = [label(answer) if form == "csv" else f"{label(answer)} [{unit}]" for answer in answers]
    name = f"{question.quantity}_{question.span.start.astimezone(question.zone):%Y-%m-%d}"
    return table_response(titles, table_rows(answers), form, name, question.zone)


def table_response(titles: Sequence[str], rows: Iterable[Row], form: str, name: str, zone: ZoneInfo) -> Response:
    """A table as a file of this name, without its ending: csv or xlsx."""
    from wattbook.exchange.write_table import table_csv, table_xlsx  # with numpy, which takes 17 MB

    write, kind = (table_csv, "text/csv; charset=utf-8") if form == "csv" else (table_xlsx, describe.XLSX)
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    return Response(write(titles, rows, zone), headers=headers, media_type=kind)


def _place_json(place: PlaceWeek) -> dict[str, object]:
    week = place.week
    return {
        "location": place.location,
        "meters": list(place.meters),
        "deeper": place.deeper,
        "energy": list(week.energy),
        "hours": list(week.hours),
        "missing": list(week.missing),
        "quality": [str(each) for each in week.quality],
    }
