"""/api/v1/cost: what the energy of meters costs, in the spirit of /api/v1/query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import FastAPI, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from wattbook.api import describe, describe_cost
from wattbook.api.answers import Refusal, instant_text, json_response
from wattbook.api.context import ApiContext
from wattbook.api.energy import Names, table_response, whole_offset
from wattbook.engine.ask_cost import Cost, NoTariff, ask_cost, cost_rows, tariff_of, with_sources
from wattbook.engine.asked import NotThere
from wattbook.engine.query import Question

EVERY = "Step: 15min, 1h, 1d, 1w, 1mo, 1y. Empty: one amount in all."


class AskedCost(BaseModel):
    """The parameters of a question about money."""

    meters: Names = Field(None, alias="meter", description=describe.METER, examples=[["main-a"]])
    sources: Names = Field(None, alias="source", description=describe_cost.SOURCE)
    locations: Names = Field(None, alias="location", description=describe.LOCATION)
    start: str = Field("today", alias="from", description=describe.INSTANT, max_length=100)
    end: str = Field("now", alias="to", description="An instant, not included.", max_length=100)
    every: str = Field("", description=EVERY, max_length=20, examples=["1d"])
    together: bool = Field(False, alias="sum", description="Add all of them up.")
    by: Literal["", "location"] = Field("", description='"location": one answer for each location.')

    def question(self, context: ApiContext) -> Question:
        """What is meant here and now. Raises ConfigError."""
        return Question.parse(
            meters=with_sources([each for each in self.meters or () if each], self.sources or (), context.config),
            quantity="active_energy_import",
            start=whole_offset(self.start),
            end=whole_offset(self.end),
            zone=context.config.site.timezone,
            now=context.clock.now(),
            locations=[each for each in self.locations or () if each],
            every=self.every,
            together=self.together,
            by=self.by,
        )


class AskedCostTable(AskedCost):
    """And of the file that tells the answer."""

    form: Literal["csv", "xlsx"] = Field("csv", alias="format", description="csv or xlsx.")


def add_cost_routes(app: FastAPI, context: ApiContext) -> None:
    """Add this address."""

    def cost(asked: Annotated[AskedCost, Query()]) -> Response:
        question, currency, costs = _ask(context, asked)
        return json_response(
            {
                "currency": currency,
                "from": instant_text(question.span.start),
                "to": instant_text(question.span.end),
                "every": question.every_text or None,
                "costs": [each.to_json(stepped=question.every is not None) for each in costs],
            }
        )

    def table(asked: Annotated[AskedCostTable, Query()]) -> Response:
        question, currency, costs = _ask(context, asked)
        titles = [f"{each.meter} [{currency}]" for each in costs]
        name = f"cost_{question.span.start.astimezone(question.zone):%Y-%m-%d}"
        return table_response(titles, cost_rows(costs), asked.form, name, question.zone)

    app.get("/api/v1/cost", **describe_cost.COST)(cost)
    app.get("/api/v1/cost/table", **describe_cost.TABLE)(table)


def _ask(context: ApiContext, asked: AskedCost) -> tuple[Question, str, Sequence[Cost]]:
    try:
        tariff_of(context.config)
        question = asked.question(context)
        return question, *ask_cost(context.reader, question, context.config, asked.sources or ())
    except (NoTariff, NotThere) as error:
        raise Refusal(404, str(error)) from error
