"""Whatever a meter is called, what Prometheus reads is what it is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from wattbook.api.metrics import expose, of_meters, of_readings
from wattbook.engine.status import MeterStatus
from wattbook.model import Reading, quantity
from wattbook.model.clock import FIRST_SANE
from wattbook.model.metric_names import UNIT_NAMES
from wattbook.model.vocabulary import all_names

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
values = st.floats(allow_nan=False, allow_infinity=False)


@given(names, names, values)
def test_labels_and_values_survive(meter: str, location: str, value: float) -> None:
    status = MeterStatus(meter, "push", location=location, state="present", last_at=FIRST_SANE)
    reading = Reading(meter, FIRST_SANE, {"voltage": value})
    text = expose([*of_meters([status]), *of_readings([reading], [status])])
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (sample,) = families["wattbook_voltage_volts"].samples
    assert (sample.labels, sample.value) == ({"meter": meter, "location": location}, value)
    assert families["wattbook_meter_up"].samples[0].labels == {"meter": meter, "location": location}


def test_every_quantity_has_a_metric_of_its_own() -> None:
    status = MeterStatus("main", "push", state="present")
    reading = Reading("main", FIRST_SANE, dict.fromkeys(all_names(), 1.0))
    families = list(text_string_to_metric_families(expose(of_readings([reading], [status]))))
    assert len({family.name for family in families}) == len(all_names())
    assert {quantity(name).unit for name in all_names()} == set(UNIT_NAMES)
