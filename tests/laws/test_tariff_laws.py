"""Laws of tariffs: what a span costs is the sum over any split of it, to the last decimal."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.model import Span
from wattbook.tariffs import EnergyPrice, Tariff, Version, When, amount_of, plain, rounded, total_of
from wattbook.tariffs.calendar import DAY_MIN

ZONES = ("Europe/Prague", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "UTC")
prices = st.decimals(min_value=-1000, max_value=1000, places=6)
energies = st.integers(0, 10**12).map(lambda raw: Decimal(raw) / 1000)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Two versions, each with a price for some times and one for the rest."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    change = date(2026, 1, 1) + timedelta(days=draw(st.integers(0, 364)))
    versions = []
    for start, end in ((None, change), (change, None)):
        begin, stop = draw(st.lists(st.integers(0, 95).map(lambda n: n * 15), min_size=2, max_size=2, unique=True))
        days = frozenset(draw(st.sets(st.sampled_from(("mon", "sat", "holiday")))))
        low = EnergyPrice("low", draw(prices), when=When(days=days, times=((begin, stop),)))
        held = (low, EnergyPrice("high", draw(prices)))
        versions.append(Version("EUR", held, start, end, frozenset({date(2026, 12, 25)})))
    return Tariff(tuple(versions), zone)


def cost_of(tariff: Tariff, start: datetime, quarters: list[Decimal]) -> Decimal:
    costs = []
    for number, wh in enumerate(quarters):
        price = tariff.price(start + timedelta(minutes=15 * number), "utility")
        assert price is not None
        costs.append(amount_of(wh, price.price))
    return total_of(costs)


@given(tariffs(), st.integers(0, 365 * 96), st.lists(energies, min_size=1, max_size=200), st.data())
def test_a_span_costs_what_its_parts_cost(
    tariff: Tariff, begin: int, quarters: list[Decimal], data: st.DataObject
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * begin)
    cut = data.draw(st.integers(0, len(quarters)))
    first = cost_of(tariff, start, quarters[:cut])
    rest = cost_of(tariff, start + timedelta(minutes=15 * cut), quarters[cut:])
    assert first + rest == cost_of(tariff, start, quarters)


@given(prices, st.lists(energies, max_size=50))
def test_a_flat_price_is_energy_times_price(price: Decimal, parts: list[Decimal]) -> None:
    whole = sum(parts, Decimal(0))
    assert total_of(amount_of(wh, price) for wh in parts) == whole * price / 1000


@given(energies)
def test_what_is_free_costs_nothing(wh: Decimal) -> None:
    assert plain(amount_of(wh, Decimal(0))) == "0"


@given(tariffs(), st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)))
def test_prices_change_only_on_the_grid(tariff: Tariff, naive: datetime) -> None:
    """Between two edges that are counted from local midnight the price is the same: energy may be asked for by them."""
    at = naive.replace(tzinfo=UTC)
    local = at.astimezone(tariff.zone)
    midnight = datetime(local.year, local.month, local.day, tzinfo=tariff.zone).astimezone(UTC)
    grid = timedelta(minutes=tariff.grid_min or DAY_MIN)
    edge = midnight + (at - midnight) // grid * grid
    assert tariff.price(at, "utility") is tariff.price(edge, "utility")


@given(tariffs(), st.lists(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)), min_size=3, max_size=3))
def test_parts_of_a_span_leave_nothing_out_and_have_one_version_each(tariff: Tariff, naive: list[datetime]) -> None:
    start, at, end = (each.replace(tzinfo=UTC) for each in sorted(naive))
    parts = list(tariff.parts(Span(start, end)))
    assert [start, *(span.end for span, _ in parts)] == [*(span.start for span, _ in parts), end]
    assert all(version is tariff.version(at) for span, version in parts if at in span)


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6), st.sampled_from(("JPY", "EUR", "KWD")))
def test_rounding_moves_by_half_a_minor_unit_at_the_most(amount: Decimal, currency: str) -> None:
    digits = {"JPY": 0, "EUR": 2, "KWD": 3}[currency]
    paid = rounded(amount, currency)
    assert paid.as_tuple().exponent == -digits
    assert abs(paid - amount) <= Decimal(5).scaleb(-digits - 1)


@pytest.mark.parametrize(("text", "shown"), [("0.000", "0"), ("-0", "0"), ("1E+2", "100"), ("28.41750", "28.4175")])
def test_amounts_are_plain_text(text: str, shown: str) -> None:
    assert plain(Decimal(text)) == shown
