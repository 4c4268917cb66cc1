"""What is wrong with the formulas of virtual meters."""

from __future__ import annotations

from collections.abc import Iterator

from wattbook.config.settings import Config, VirtualMeterSettings
from wattbook.model.formula import Factors, FormulaError, parse_formula
from wattbook.model.virtual import BadNesting, expand


def virtual_problems(config: Config, meter: VirtualMeterSettings) -> Iterator[tuple[str, str]]:
    """Why this formula cannot be computed, as (key, message)."""
    try:
        parse_formula(meter.formula, config.meter_names)
        expand(meter.name, lambda name: _formula_of(config, name))
    except (FormulaError, BadNesting) as error:
        yield "formula", f'"{meter.formula}": {error}'


def _formula_of(config: Config, name: str) -> Factors | None:
    """The formula of a virtual meter; a wrong one, told at its own place, has no parts."""
    formula = next((each.formula for each in config.virtual_meters if each.name == name), None)
    try:
        return None if formula is None else parse_formula(formula, config.meter_names)
    except FormulaError:
        return {}
